// What the agent knows of this machine: CPU time is read every two seconds, for a mean over the last
// seconds; everything else when somebody asks, at most once a second.

import type { Clock } from "../core/timing/clock.ts";
import { present } from "../core/values/present.ts";
import {
  type CpuTimes,
  idleShare,
  isUserSession,
  type LoadAverages,
  loginProcesses,
  parseCpuTimes,
  parseLoadAverages,
  parseMemory,
  parsePressure,
} from "./proc.ts";

/** One reading of the machine. */
export interface Figures extends LoadAverages {
  /** CPUs that are online, whatever cgroups or affinities allow this process. */
  readonly cores: number;
  /** Share of CPU time that was idle over the last seconds, 0 to 1. */
  readonly idle: number;
  readonly memoryAvailableBytes?: number;
  readonly memoryTotalBytes?: number;
  /** Share of the last 10 s in which some task waited, 0 to 1; absent where the kernel does not say. */
  readonly cpuPressure?: number;
  readonly memoryPressure?: number;
  /** Sessions of people; absent where neither systemd nor utmp counts them. */
  readonly sessions?: number;
  /** Whether nologin(5) keeps people out. */
  readonly nologin: boolean;
}

/** The files and folders that tell; replaced in tests. */
export interface Machine {
  /** undefined when it is not there or may not be read. */
  readonly readText: (path: string) => Promise<string | undefined>;
  readonly readBytes: (path: string) => Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** The names in a folder; undefined likewise. */
  readonly list: (path: string) => Promise<readonly string[] | undefined>;
  readonly exists: (path: string) => Promise<boolean>;
  /** As Deno.build.arch. */
  readonly arch: string;
}

const CPU_INTERVAL_MS = 2000;
/** The mean goes back so far: a weight that jumps with every second would jump sessions about. */
const CPU_WINDOW_MS = 6000;
/** Before the first answer, so much is seen at least. */
const FIRST_CPU_MS = 250;
const FRESH_MS = 1000;

const NOLOGIN_FILES = ["/etc/nologin", "/run/nologin"];
const SYSTEMD_SESSIONS = "/run/systemd/sessions";
const UTMP = "/run/utmp";

interface Reading {
  readonly atMs: number;
  readonly times: CpuTimes;
}

export class FiguresOfMachine implements AsyncDisposable {
  readonly #machine: Machine;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  /** The last readings, oldest first. */
  #readings: readonly Reading[];
  #last: { readonly atMs: number; readonly figures: Promise<Figures> } | undefined;

  private constructor(machine: Machine, clock: Clock, readings: readonly Reading[]) {
    this.#machine = machine;
    this.#clock = clock;
    this.#readings = readings;
    this.#done = this.#watchCpu();
  }

  /**
   * Begins to read.
   * @throws {Error} when this is no Linux with a /proc that can be read.
   */
  static async start(machine: Machine, clock: Clock): Promise<FiguresOfMachine> {
    const first = await readCpu(machine, clock);
    await clock.sleep(FIRST_CPU_MS, new AbortController().signal);
    return new FiguresOfMachine(machine, clock, [first, await readCpu(machine, clock)]);
  }

  /** The figures of now, a second old at most; rejects when /proc fails. */
  read(): Promise<Figures> {
    const nowMs = this.#clock.now();
    if (this.#last === undefined || nowMs - this.#last.atMs >= FRESH_MS) {
      const figures = this.#read();
      this.#last = { atMs: nowMs, figures };
      // What failed is asked again by the next one.
      figures.catch(() => this.#last = undefined);
    }
    return this.#last.figures;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #watchCpu(): Promise<void> {
    for (;;) {
      try {
        await this.#clock.sleep(CPU_INTERVAL_MS, this.#stop.signal);
      } catch {
        return;
      }
      try {
        const next = await readCpu(this.#machine, this.#clock);
        const from = next.atMs - CPU_WINDOW_MS - CPU_INTERVAL_MS / 2;
        const kept = this.#readings.filter(({ atMs }) => atMs >= from).slice(-8);
        this.#readings = kept.length === 0 ? [...this.#readings.slice(-1), next] : [...kept, next];
      } catch {
        // Out of descriptors, say: the readings before it stand for two seconds longer.
      }
    }
  }

  async #read(): Promise<Figures> {
    const { readText, exists } = this.#machine;
    const [loads, meminfo, cpu, memory, sessions, ...nologin] = await Promise.all([
      readText("/proc/loadavg"),
      readText("/proc/meminfo"),
      readText("/proc/pressure/cpu"),
      readText("/proc/pressure/memory"),
      countSessions(this.#machine),
      ...NOLOGIN_FILES.map(exists),
    ]);
    const averages = parseLoadAverages(loads ?? "");
    if (averages === undefined) throw new Error("Cannot read /proc/loadavg: expected five fields");
    return {
      ...averages,
      ...this.#cpu(),
      ...present({
        memoryAvailableBytes: parseMemory(meminfo ?? "", "MemAvailable"),
        memoryTotalBytes: parseMemory(meminfo ?? "", "MemTotal"),
        cpuPressure: parsePressure(cpu ?? ""),
        memoryPressure: parsePressure(memory ?? ""),
        sessions,
      }),
      nologin: nologin.includes(true),
    };
  }

  #cpu(): { cores: number; idle: number } {
    const [first] = this.#readings;
    const last = this.#readings.at(-1);
    const cores = last?.times.cores ?? 0;
    // Counters that stand still, as in some containers, tell nothing of work.
    const idle = first && last ? idleShare(first.times, last.times) ?? 1 : 1;
    return { cores, idle };
  }
}

async function readCpu({ readText }: Machine, clock: Clock): Promise<Reading> {
  const times = parseCpuTimes(await readText("/proc/stat") ?? "");
  if (times === undefined) {
    throw new Error("Cannot read /proc/stat: expected the CPU times of a Linux system");
  }
  return { atMs: clock.now(), times };
}

/** Sessions by systemd-logind, which knows those without a terminal too, else by utmp. */
async function countSessions(machine: Machine): Promise<number | undefined> {
  const { readText, readBytes, list, exists, arch } = machine;
  // Beside each session's file lies a pipe that must not be opened.
  const names = (await list(SYSTEMD_SESSIONS))?.filter((name) => /^[A-Za-z0-9]+$/.test(name));
  if (names !== undefined && (names.length > 0 || await exists("/run/systemd/system"))) {
    const texts = await Promise.all(names.map((name) => readText(`${SYSTEMD_SESSIONS}/${name}`)));
    return texts.filter((text) => text !== undefined && isUserSession(text)).length;
  }
  const utmp = await readBytes(UTMP);
  if (utmp === undefined) return undefined;
  // Records outlive those who were killed.
  const alive = await Promise.all(
    loginProcesses(utmp, arch).map((pid) => exists(`/proc/${pid}`)),
  );
  return alive.filter(Boolean).length;
}
