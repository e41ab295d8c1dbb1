// What Linux tells of this process and of its network namespace; nothing of it elsewhere.

import type { ProcessFigures } from "../core/values/process_figures.ts";

/** USER_HZ, which is the same on all architectures that Deno runs on. */
const TICKS_PER_SECOND = 100;

/** Reads the figures now (proc(5)). */
export function processFigures(): ProcessFigures {
  // Behind the program's name in parentheses, which may hold anything: state is field 3 of the line.
  const stat = read("/proc/self/stat")?.split(") ").at(-1)?.split(" ");
  const ticks = Number(stat?.[11]) + Number(stat?.[12]);
  const mostFiles = /^Max open files +(\d+)/m.exec(read("/proc/self/limits") ?? "")?.[1];
  return {
    ...known("cpuSeconds", ticks / TICKS_PER_SECOND),
    residentBytes: Deno.memoryUsage().rss,
    ...known("openFiles", countOpenFiles()),
    ...known("mostFiles", Number(mostFiles)),
    ...known("listenOverflows", listenOverflows(read("/proc/net/netstat") ?? "")),
  };
}

/** Linux 6.2 tells by the folder's size; before, its entries have to be counted. */
function countOpenFiles(): number {
  try {
    const { size } = Deno.statSync("/proc/self/fd");
    return size > 0 ? size : [...Deno.readDirSync("/proc/self/fd")].length;
  } catch {
    return NaN;
  }
}

/** Names stand in one line, their numbers in the next one that begins alike. */
function listenOverflows(netstat: string): number {
  const [names, values] = netstat.split("\n").filter((line) => line.startsWith("TcpExt:"));
  const at = names?.split(" ").indexOf("ListenOverflows") ?? -1;
  return at < 0 ? NaN : Number(values?.split(" ")[at]);
}

function read(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

function known<K extends string>(key: K, value: number): { readonly [name in K]?: number } {
  const one: { [name in K]?: number } = {};
  if (Number.isFinite(value)) one[key] = value;
  return one;
}
