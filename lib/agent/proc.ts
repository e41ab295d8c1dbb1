// Reads the kernel's own figures as text (proc(5)), and records of logins (utmp(5)). Pure; what has
// another form gives undefined.

/** CPU time of all CPUs since boot, in clock ticks. */
export interface CpuTimes {
  readonly total: number;
  /** Nothing to do, or only disks to wait for. */
  readonly idle: number;
  /** CPUs that are online. */
  readonly cores: number;
}

/** Reads /proc/stat. Guests' time is within user and nice; stolen time is none that one could have used. */
export function parseCpuTimes(text: string): CpuTimes | undefined {
  const fields = /^cpu +(\d[\d ]*)$/m.exec(text)?.[1]?.split(" ").map(Number) ?? [];
  const cores = text.match(/^cpu\d+ /gm)?.length ?? 0;
  const [user, nice, system, idle] = fields;
  if (user === undefined || nice === undefined || system === undefined || idle === undefined) {
    return undefined;
  }
  const iowait = fields[4] ?? 0;
  const rest = fields.slice(5, 8).reduce((sum, ticks) => sum + ticks, 0);
  return cores === 0
    ? undefined
    : { total: user + nice + system + idle + iowait + rest, idle: idle + iowait, cores };
}

/**
 * The share of CPU time that was idle between two readings, 0 to 1; undefined when no time has passed.
 * Single counters may run backwards (iowait does).
 */
export function idleShare(before: CpuTimes, after: CpuTimes): number | undefined {
  const total = after.total - before.total;
  if (!(total > 0)) return undefined;
  return Math.min(1, Math.max(0, (after.idle - before.idle) / total));
}

export interface LoadAverages {
  readonly load1: number;
  readonly load5: number;
  readonly load15: number;
  /** Tasks that run or could, this instant, the reader among them. */
  readonly running: number;
}

/** Reads /proc/loadavg. */
export function parseLoadAverages(text: string): LoadAverages | undefined {
  const match = /^(\d+\.\d+) (\d+\.\d+) (\d+\.\d+) (\d+)\/\d+ \d+\s*$/.exec(text);
  if (match === null) return undefined;
  const [load1 = 0, load5 = 0, load15 = 0, running = 0] = match.slice(1).map(Number);
  return { load1, load5, load15, running };
}

/** Reads one line of /proc/meminfo, in bytes. */
export function parseMemory(text: string, name: "MemTotal" | "MemAvailable"): number | undefined {
  const kibibytes = new RegExp(`^${name}: +(\\d+) kB$`, "m").exec(text)?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}

/** Reads a file of /proc/pressure: the share of the last 10 s in which some task waited, 0 to 1. */
export function parsePressure(text: string): number | undefined {
  const percent = /^some avg10=(\d+\.\d+) /m.exec(text)?.[1];
  return percent === undefined ? undefined : Math.round(Number(percent) * 100) / 10_000;
}

/** Whether a file of /run/systemd/sessions is of somebody who is logged in. */
export function isUserSession(text: string): boolean {
  return /^CLASS=user(-early)?$/m.test(text) && !/^STATE=closing$/m.test(text);
}

/** ut_type of somebody who is logged in. */
const USER_PROCESS = 7;

/** Processes of those who are logged in, by utmp(5) of glibc. */
export function loginProcesses(utmp: Uint8Array<ArrayBuffer>, arch: string): number[] {
  // Times are 64 bits wide where there never was a 32-bit ABI to stay compatible with.
  const size = arch === "aarch64" ? 400 : 384;
  const view = new DataView(utmp.buffer, utmp.byteOffset, utmp.byteLength);
  const found: number[] = [];
  for (let at = 0; at + size <= utmp.length; at += size) {
    const isUser = view.getInt16(at, true) === USER_PROCESS && view.getUint8(at + 44) !== 0;
    if (isUser) found.push(view.getInt32(at + 4, true));
  }
  return found;
}
