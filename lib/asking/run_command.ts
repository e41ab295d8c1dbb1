// Runs commands of the administrator's to their end, within a bounded time and with bounded output.

import type { Clock } from "../core/timing/clock.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import {
  describeStatus,
  finishReading,
  readTail,
  readText,
  signalGroup,
  spawnLeader,
  spawnReason,
} from "./child_process.ts";
import { abortReason, lastLine } from "./reason.ts";

/** More than any of the answers needs. */
const MOST_OUTPUT_BYTES = 4096;
/** How long a process that was killed may take to be gone. */
const KILL_GRACE_MS = 200;

/** What a program is told besides its arguments. */
export interface Told {
  /** Comes on its stdin; absent: it has none. */
  readonly input?: string;
  /** Variables besides those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Longer output is no answer; absent: more than a load needs is none. */
  readonly mostBytes?: number;
  /** It is to do something: what it prints is no answer, and may be long; what it leaves running goes on. */
  readonly isErrand?: boolean;
}

/** Runs commands; none again while an earlier run of it goes on although it was killed. */
export class CommandRunner {
  readonly #clock: Clock;
  /** The processes that go on, by what they were started for. */
  readonly #unkillable = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Runs a command to its end. One that goes on although it was killed (it has become another user by
   * sudo, or is stuck in the kernel) is not waited for.
   * @param told what the program is told besides its arguments.
   * @param purpose each has one command, of which there is to be one process.
   * @returns what it printed, or why that is of no use.
   */
  async run(
    command: readonly string[],
    signal: AbortSignal,
    told: Told = {},
    purpose = "",
  ): Promise<Result<string>> {
    const pid = this.#unkillable.get(purpose);
    // Time by time, there would be one more of them.
    if (pid !== undefined) return failure(describeUnkillable(pid));
    const goesOn = (pid: number, ended: Promise<unknown>) => {
      this.#unkillable.set(purpose, pid);
      ended.finally(() => this.#unkillable.delete(purpose));
    };
    return await runCommand(command, signal, this.#clock, goesOn, told);
  }
}

async function runCommand(
  [program = "", ...args]: readonly string[],
  signal: AbortSignal,
  clock: Clock,
  goesOn: (pid: number, ended: Promise<unknown>) => void,
  told: Told,
): Promise<Result<string>> {
  if (signal.aborted) return failure(abortReason(signal));
  const { mostBytes = MOST_OUTPUT_BYTES } = told;
  let process: Deno.ChildProcess;
  try {
    process = spawnLeader(program, args, told.input === undefined ? "null" : "piped", told.env);
  } catch (error) {
    return failure(spawnReason(program, error));
  }
  const enough = new AbortController();
  const kill = () => signalGroup(process.pid, "SIGKILL");
  const over = new AbortController();
  const givenUp = Promise.withResolvers<undefined>();
  let grace = Promise.resolve();
  const end = () => {
    kill();
    enough.abort();
    grace = clock.sleep(KILL_GRACE_MS, over.signal).then(
      () => givenUp.resolve(undefined),
      () => {},
    );
  };
  signal.addEventListener("abort", end, { once: true });
  const writer = told.input === undefined ? undefined : process.stdin.getWriter();
  const given = writer && give(writer, told.input ?? "");
  try {
    const readers = Promise.all([
      told.isErrand === true
        ? readTail(process.stdout, enough.signal, MOST_OUTPUT_BYTES)
        : readStart(process.stdout, enough.signal, mostBytes, end),
      readTail(process.stderr, enough.signal, MOST_OUTPUT_BYTES),
    ]);
    const status = await Promise.race([process.status, givenUp.promise]);
    if (status === undefined) {
      process.unref();
      goesOn(process.pid, process.status);
      await readers;
      return failure(describeUnkillable(process.pid));
    }
    // What it has left running in its group would hold the pipes open, and nobody would ever end it. What an
    // errand has started is what it was sent for, such as a virtual machine.
    if (told.isErrand !== true) kill();
    await finishReading(readers, enough, clock);
    const [stdout, stderr] = await readers;
    if (signal.aborted) return failure(abortReason(signal));
    if (stdout === undefined) return failure(`printed more than ${mostBytes} bytes`);
    if (status.success) return success(stdout);
    const how = describeStatus(status);
    const last = lastLine(stderr);
    return failure(last === "" ? how : `${how}: ${last}`);
  } finally {
    signal.removeEventListener("abort", end);
    over.abort();
    // What it has left behind may hold the pipe open and not read it.
    await writer?.abort().catch(() => {});
    await given;
    await grace;
  }
}

/** Writes a text to a program's stdin; one that does not read it may leave it. */
async function give(writer: WritableStreamDefaultWriter<Uint8Array>, text: string): Promise<void> {
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch {
    // It has ended, or closed its stdin.
  }
}

/** That a process goes on although it was killed. */
function describeUnkillable(pid: number): string {
  return `took too long, goes on and cannot be killed (pid ${pid}; does it run as another user?)`;
}

/** Reads to the end; undefined, and an end by `tooMuch`, when there is more than an answer needs. */
async function readStart(
  stream: ReadableStream<Uint8Array>,
  enough: AbortSignal,
  mostBytes: number,
  tooMuch: () => void,
): Promise<string | undefined> {
  let text: string | undefined = "";
  await readText(stream, enough, (piece) => {
    if (text === undefined) return;
    text += piece;
    if (text.length <= mostBytes) return;
    text = undefined;
    tooMuch();
  });
  return text;
}
