// Programs that load sources run: each is the leader of a process group of its own, so that it can be
// ended with everything it has started, and Ctrl-C in the balancer's terminal does not reach it.

/** Starts a program in a process group of its own. @throws when it cannot be run. */
export function spawnLeader(
  program: string,
  args: readonly string[],
  stdin: "null" | "piped",
): Deno.ChildProcess {
  return new Deno.Command(program, {
    args: [...args],
    stdin,
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
}

/** Sends a signal to a leader and all of its group; none of them being left is as good. */
export function signalGroup(leader: number, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    // A negative number means the whole group (kill(2)).
    Deno.kill(-leader, signal);
  } catch {
    // None of it is left.
  }
}

/** How a process ended, for an administrator. */
export function describeStatus(status: Deno.CommandStatus): string {
  return status.signal === null ? `exit status ${status.code}` : `ended by ${status.signal}`;
}

/** Reads to the end and keeps the last `keep` characters. */
export async function readTail(stream: ReadableStream<Uint8Array>, keep: number): Promise<string> {
  let tail = "";
  const decoder = new TextDecoder();
  for await (const bytes of stream) {
    tail = (tail + decoder.decode(bytes, { stream: true })).slice(-keep);
  }
  return tail;
}

/**
 * Reads lines to the end of the stream. Of a line longer than `longest` characters the end is kept: an
 * answer may stand there, behind a greeting without a newline.
 */
export async function readLines(
  stream: ReadableStream<Uint8Array>,
  longest: number,
  take: (line: string) => void,
): Promise<void> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const bytes of stream) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = (lines.pop() ?? "").slice(-longest);
    for (const line of lines) take(line.slice(-longest));
  }
  if (rest !== "") take(rest);
}
