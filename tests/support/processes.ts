// Starting and ending real daemons in tests: free ports, process trees by pid.

import { waitFor } from "./wait_for.ts";

/**
 * A TCP port that nothing listened on a moment ago, for daemons that cannot take port 0. Another
 * process may take it in between: whoever starts a daemon on it tries again with another.
 */
export function freePort(hostname = "127.0.0.1"): number {
  const listener = Deno.listen({ hostname, port: 0 });
  try {
    return listener.addr.port;
  } finally {
    listener.close();
  }
}

/** The direct children of a process, from proc(5). */
export async function childrenOf(pid: number): Promise<number[]> {
  const found: number[] = [];
  for await (const entry of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(entry.name)) continue;
    const stat = await Deno.readTextFile(`/proc/${entry.name}/stat`).catch(() => "");
    // "pid (comm) state ppid": comm may hold anything, so the last ")" counts.
    const parent = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
    if (Number(parent) === pid) found.push(Number(entry.name));
  }
  return found;
}

/** All descendants of a process, parents before children. */
export async function descendantsOf(pid: number): Promise<number[]> {
  const found: number[] = [];
  let level = [pid];
  while (level.length > 0) {
    level = (await Promise.all(level.map(childrenOf))).flat();
    found.push(...level);
  }
  return found;
}

/** Sends a signal; a process that has ended already is as good. */
export function signal(pid: number, name: Deno.Signal): void {
  try {
    Deno.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * A line of shell that starts a process which outlives its parent's process group and holds its pipes
 * open, as a daemon does; its number stands in a file before the script goes on.
 */
export function startStranger(file: string): string {
  return `setsid sh -c 'echo $$ >${file}; exec sleep 1000' & until test -s ${file}; do :; done`;
}

/** Ends the process whose number a script has left in a file, once it stands there. */
export async function endByFile(path: string): Promise<void> {
  const pid = await waitFor("a process number", async () => {
    const text = await Deno.readTextFile(path);
    // Never 0: that would be the test's own process group.
    return /^[1-9]\d*\n$/.test(text) && Number(text);
  });
  signal(pid, "SIGKILL");
}

/** The TCP ports that a process listens on, in order, by proc(5). */
export async function portsListenedOn(pid: number): Promise<number[]> {
  const portOf = new Map<string, number>();
  for (const name of ["tcp", "tcp6"]) {
    const table = await Deno.readTextFile(`/proc/${pid}/net/${name}`).catch(() => "");
    for (const line of table.split("\n").slice(1)) {
      const [, local = "", , state, , , , , , inode] = line.trim().split(/\s+/);
      const port = Number(`0x${local.slice(local.indexOf(":") + 1)}`);
      if (state === "0A") portOf.set(`socket:[${inode}]`, port);
    }
  }
  const ports = new Set<number>();
  for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
    const target = await Deno.readLink(`/proc/${pid}/fd/${name}`).catch(() => "");
    const port = portOf.get(target);
    if (port !== undefined) ports.add(port);
  }
  return [...ports].sort((a, b) => a - b);
}

/** Whether a process is there and not a zombie. */
export async function isAlive(pid: number): Promise<boolean> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
  return stat !== "" && !/\) [ZX] /.test(stat);
}

/** Ends a child process and everything it has started, and waits for the child's end. */
export async function endTree(child: Deno.ChildProcess): Promise<void> {
  const below = await descendantsOf(child.pid);
  signal(child.pid, "SIGTERM");
  for (const pid of below) signal(pid, "SIGKILL");
  const timer = setTimeout(() => signal(child.pid, "SIGKILL"), 5_000);
  await child.status;
  clearTimeout(timer);
}

/** The splice engine alone (splice_program.ts) before a backend, with room for so many descriptors. */
export function starvedEngine(backend: string, descriptors: number): Deno.ChildProcess {
  const program = new URL("./splice_program.ts", import.meta.url);
  const run = `exec "${Deno.execPath()}" run -A "${program}" "${backend}"`;
  return new Deno.Command("/bin/sh", {
    args: ["-c", `ulimit -n ${descriptors}; ${run}`],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
}
