// Starting and ending real daemons in tests: free ports, process trees by pid, waiting on a condition
// with one deadline.

/** How long a test waits for something that should happen at once. */
export const DEADLINE_MS = Number(Deno.env.get("COMPUTE_LB_TEST_TIMEOUT") ?? 15_000);

/**
 * Asks again and again until the answer is neither undefined nor false.
 * @throws when `deadlineMs` have gone by, with `what` in the message.
 */
export async function waitFor<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  deadlineMs = DEADLINE_MS,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  while (true) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > end) throw new Error(`waited ${deadlineMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

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

/**
 * Runs a program to its end.
 * @returns what it wrote to stdout.
 * @throws when it fails, with what it wrote to stderr.
 */
export async function runProgram(program: string, ...args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${program} ${args.join(" ")}: ${decoder.decode(stderr).trim()}`);
  return decoder.decode(stdout);
}
