// Processor time and resident memory of a process and its descendants, from proc(5).

import { descendantsOf } from "../../support/processes.ts";

/** USER_HZ, the unit of times in /proc/PID/stat: 100 on every architecture that Deno runs on. */
const TICKS_PER_SECOND = 100;

/**
 * Processor seconds in a /proc/PID/stat: user and system time of the process with all its threads, and
 * of its children that have ended and were waited for. Undefined when the text is not of that form.
 */
export function cpuSecondsIn(stat: string): number | undefined {
  // "pid (comm) state ...": comm may hold anything, so the last ")" counts; utime is the 14th field.
  const end = stat.lastIndexOf(")");
  if (end === -1) return undefined;
  const times = stat.slice(end + 2).split(" ").slice(11, 15);
  if (times.length < 4 || times.some((time) => !/^\d+$/.test(time))) return undefined;
  return times.reduce((sum, time) => sum + Number(time), 0) / TICKS_PER_SECOND;
}

/** What of {@linkcode cpuSecondsIn} was spent outside the kernel. */
export function userSecondsIn(stat: string): number | undefined {
  if (cpuSecondsIn(stat) === undefined) return undefined;
  const times = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(times[11]) + Number(times[13])) / TICKS_PER_SECOND;
}

/** Resident bytes in a /proc/PID/status; undefined when it names none. */
export function residentBytesIn(status: string): number | undefined {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return found === undefined ? undefined : Number(found) * 1024;
}

/** The hard limit on open files in a /proc/PID/limits; undefined when it names none. */
export function openFilesIn(limits: string): number | undefined {
  const found = /^Max open files\s+\S+\s+(\d+|unlimited)\s/m.exec(limits)?.[1];
  return found === undefined ? undefined : found === "unlimited" ? Infinity : Number(found);
}

/** Processor seconds that a process and its descendants have used so far. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  return await sumOverTree(pid, "stat", cpuSecondsIn);
}

/** What of them was spent outside the kernel. */
export async function userSecondsOf(pid: number): Promise<number> {
  return await sumOverTree(pid, "stat", userSecondsIn);
}

/** Resident bytes of a process and its descendants; pages that several share count for each. */
export async function residentBytesOf(pid: number): Promise<number> {
  return await sumOverTree(pid, "status", residentBytesIn);
}

async function sumOverTree(
  pid: number,
  file: string,
  read: (text: string) => number | undefined,
): Promise<number> {
  let sum = 0;
  for (const each of [pid, ...await descendantsOf(pid)]) {
    const value = read(await Deno.readTextFile(`/proc/${each}/${file}`).catch(() => ""));
    if (value === undefined && each === pid) throw new Error(`Process ${pid} has ended`);
    sum += value ?? 0;
  }
  return sum;
}
