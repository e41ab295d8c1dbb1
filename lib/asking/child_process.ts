// Programs that the balancer runs: each is the leader of a process group of its own, so that it can be
// ended with everything it has started, and Ctrl-C in the balancer's terminal does not reach it. What
// leaves the group (setsid, a daemon) may hold its pipes open for good: nobody waits for those.

import type { Clock } from "../core/timing/clock.ts";
import { messageOf, OUR_SHORTAGE } from "../core/values/errors.ts";
import { oneLine } from "./reason.ts";

/** Time that the pipes of a process have after its end, for what is still in them. */
const PIPE_GRACE_MS = 200;

/** Starts a program in a process group of its own. @throws when it cannot be run. */
export function spawnLeader(
  program: string,
  args: readonly string[],
  stdin: "null" | "piped",
  env: Readonly<Record<string, string>> = {},
): Deno.ChildProcess {
  return new Deno.Command(program, {
    args: [...args],
    env,
    stdin,
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
}

/** Why a program could not be started. */
export function spawnReason(program: string, error: unknown): string {
  // EAGAIN: the user's limit on processes, or the control group's, is reached (fork(2)).
  const what = error instanceof Deno.errors.WouldBlock
    ? `${OUR_SHORTAGE} (${messageOf(error)})`
    : messageOf(error);
  return `Cannot run "${program}": ${oneLine(what)}`;
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

/**
 * Waits for the readers of a process that has ended; after a grace of 200 ms `enough` tells them to be
 * content with what came.
 */
export async function finishReading(
  readers: Promise<unknown>,
  enough: AbortController,
  clock: Clock,
): Promise<void> {
  const over = new AbortController();
  const grace = clock.sleep(PIPE_GRACE_MS, over.signal).then(() => enough.abort(), () => {});
  try {
    await readers;
  } finally {
    over.abort();
    await grace;
  }
}

/** Hands on the text of a pipe, until its end or until `enough` is aborted. */
export async function readText(
  stream: ReadableStream<Uint8Array>,
  enough: AbortSignal,
  take: (text: string) => void,
): Promise<void> {
  const reader = stream.getReader();
  // A read that waits ends as at the end of the pipe.
  const cancel = () => void reader.cancel().catch(() => {});
  enough.addEventListener("abort", cancel, { once: true });
  if (enough.aborted) cancel();
  const decoder = new TextDecoder();
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      take(decoder.decode(piece.value, { stream: true }));
    }
  } finally {
    enough.removeEventListener("abort", cancel);
  }
}

/** Reads to the end, or until `enough` is aborted, and keeps the last `keep` characters. */
export async function readTail(
  stream: ReadableStream<Uint8Array>,
  enough: AbortSignal,
  keep: number,
): Promise<string> {
  let tail = "";
  await readText(stream, enough, (text) => tail = (tail + text).slice(-keep));
  return tail;
}

/**
 * Reads lines to the end of the stream, or until `enough` is aborted. Of a line longer than `longest`
 * characters the end is kept: an answer may stand there, behind a greeting without a newline.
 */
export async function readLines(
  stream: ReadableStream<Uint8Array>,
  enough: AbortSignal,
  longest: number,
  take: (line: string) => void,
): Promise<void> {
  let rest = "";
  await readText(stream, enough, (text) => {
    const lines = (rest + text).split("\n");
    rest = (lines.pop() ?? "").slice(-longest);
    for (const line of lines) take(line.slice(-longest));
  });
  if (rest !== "") take(rest);
}
