// One backend's ssh process: started when a sample needs it, kept as long as it answers, replaced when
// it does not, with growing pauses between attempts.

import type { Clock, Random } from "../core/timing/clock.ts";
import { describeDuration } from "../core/values/duration.ts";
import { OUR_SHORTAGE } from "../core/values/errors.ts";
import { failed, type LoadResult } from "../core/pool/load.ts";
import {
  describeStatus,
  finishReading,
  readLines,
  signalGroup,
  spawnLeader,
  spawnReason,
} from "../asking/child_process.ts";
import { abortReason, oneLine } from "../asking/reason.ts";
import { parseRemoteLine, type RemoteAnswer } from "./ssh_remote.ts";

/** What ssh has said on stderr before it ended. */
export interface SshComplaint {
  /** The last line. */
  readonly text: string;
  /** Where a known_hosts file has another key for the host: "/path:line". */
  readonly otherKeyAt: string | undefined;
}

export interface SshLinkOptions {
  /** Words ssh's complaint for an administrator. */
  readonly explain: (complaint: SshComplaint) => string;
  readonly program: string;
  readonly args: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
}

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** So many samples in a row may time out; a process that answered none of them is replaced. */
const MOST_TIMEOUTS = 3;
/** ssh ends at TERM at once, unless it is stuck in the kernel or stopped. */
const TERM_GRACE_MS = 2000;
/** A longer line is no answer. */
const LONGEST_LINE = 4096;

export class SshLink {
  readonly #options: SshLinkOptions;
  #process: SshProcess | undefined;
  /** Ends of processes that were replaced. */
  readonly #ending = new Set<Promise<void>>();
  #probeNumber = 0;
  /** Attempts in a row that came to nothing. */
  #failures = 0;
  #timeouts = 0;
  #notBeforeMs = 0;
  #lastReason = "";
  #closed = false;

  constructor(options: SshLinkOptions) {
    this.#options = options;
  }

  /** Asks once. Never rejects. */
  async probe(signal: AbortSignal): Promise<LoadResult> {
    if (signal.aborted) return failed(abortReason(signal));
    if (this.#closed) return failed("stopped");
    const process = this.#running();
    if (typeof process === "string") return failed(process);
    const number = ++this.#probeNumber;
    const aborted = Promise.withResolvers<"aborted">();
    const abort = () => aborted.resolve("aborted");
    signal.addEventListener("abort", abort, { once: true });
    try {
      const outcome = await Promise.race([process.ask(number), process.ended, aborted.promise]);
      if (outcome === "aborted") return this.#timedOut(process, signal);
      if (typeof outcome === "string") return failed(outcome);
      this.#failures = 0;
      this.#timeouts = 0;
      const { reading, isClosed } = outcome;
      if (!reading.ok) return failed(reading.message);
      const sample = { ...reading.value, takenAtMs: this.#options.clock.now() };
      return isClosed
        ? { kind: "offline", reason: "nologin keeps people out there", sample }
        : { kind: "sample", sample };
    } finally {
      signal.removeEventListener("abort", abort);
      process.forgetProbe();
    }
  }

  /** Ends the process and waits for its end. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#replace();
    await Promise.all(this.#ending);
  }

  /** The process, started if need be; or why there is none. */
  #running(): SshProcess | string {
    if (this.#process !== undefined) return this.#process;
    const { clock, program, args, explain } = this.#options;
    const pauseMs = this.#notBeforeMs - clock.now();
    if (pauseMs > 0) return `${this.#lastReason} (next try in ${describeDuration(pauseMs)})`;
    let process: SshProcess;
    try {
      process = new SshProcess(spawnLeader(program, args, "piped"), clock, explain);
    } catch (error) {
      this.#lastReason = error instanceof Deno.errors.NotFound
        ? `Cannot run "${program}": it is not installed`
        : spawnReason(program, error);
      // A shortage of ours is over when it is over; the daemon has been asked nothing yet.
      if (!this.#lastReason.includes(OUR_SHORTAGE)) this.#pause();
      return this.#lastReason;
    }
    this.#process = process;
    this.#timeouts = 0;
    process.ended.then((reason) => {
      if (this.#process !== process) return;
      this.#process = undefined;
      this.#lastReason = reason;
      this.#pause();
    });
    return process;
  }

  #timedOut(process: SshProcess, signal: AbortSignal): LoadResult {
    this.#timeouts++;
    const words = [abortReason(signal), ...(process.complaint === "" ? [] : [process.complaint])];
    const reason = words.join(": ");
    if (this.#timeouts >= MOST_TIMEOUTS && this.#process === process) {
      this.#lastReason = reason;
      this.#replace();
      this.#pause();
    }
    return failed(reason);
  }

  #replace(): void {
    const process = this.#process;
    if (process === undefined) return;
    this.#process = undefined;
    const ending = process.stop().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  /** Sets the time before which there is no new attempt: 1 s, 2 s, ... 60 s, give or take a quarter. */
  #pause(): void {
    const full = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#failures, 16));
    this.#failures++;
    const pauseMs = Math.min(LONGEST_PAUSE_MS, full * (0.75 + 0.5 * this.#options.random()));
    this.#notBeforeMs = this.#options.clock.now() + pauseMs;
  }
}

/** A running ssh. */
class SshProcess {
  /** Why it ended; resolves when nothing of it is left, save what has left its process group. */
  readonly ended: Promise<string>;
  readonly #process: Deno.ChildProcess;
  readonly #clock: Clock;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #explain: SshLinkOptions["explain"];
  #complaint = "";
  #otherKeyAt: string | undefined;
  #waiting:
    | { readonly number: number; readonly resolve: (answer: RemoteAnswer) => void }
    | undefined;

  constructor(process: Deno.ChildProcess, clock: Clock, explain: SshLinkOptions["explain"]) {
    this.#process = process;
    this.#clock = clock;
    this.#explain = explain;
    this.#input = process.stdin.getWriter();
    // It breaks when the process ends, and `ended` tells of that.
    this.#input.closed.catch(() => {});
    this.ended = this.#run();
  }

  /** The last line of stderr since the last answer: ssh's, or the backend's shell's. */
  get complaint(): string {
    return this.#complaint;
  }

  /** Sends a probe's number and waits for its answer; settles only if one comes. */
  ask(number: number): Promise<RemoteAnswer> {
    const { promise, resolve } = Promise.withResolvers<RemoteAnswer>();
    this.#waiting = { number, resolve };
    this.#input.write(new TextEncoder().encode(`${number}\n`)).catch(() => {});
    return promise;
  }

  /** From now on, an answer to the probe that was asked last is noise. */
  forgetProbe(): void {
    this.#waiting = undefined;
  }

  /** Ends it: TERM, and KILL if that is not enough. */
  async stop(): Promise<void> {
    this.#input.close().catch(() => {});
    signalGroup(this.#process.pid, "SIGTERM");
    const over = new AbortController();
    const killed = this.#clock.sleep(TERM_GRACE_MS, over.signal).then(
      () => signalGroup(this.#process.pid, "SIGKILL"),
      () => {},
    );
    await this.ended;
    over.abort();
    await killed;
  }

  async #run(): Promise<string> {
    const enough = new AbortController();
    const readers = Promise.all([
      readLines(this.#process.stdout, enough.signal, LONGEST_LINE, (line) => this.#take(line)),
      readLines(this.#process.stderr, enough.signal, LONGEST_LINE, (line) => {
        if (line.trim() !== "") this.#complaint = oneLine(line);
        this.#otherKeyAt ??= /^Offending .*key in (\S+:\d+)\s*$/.exec(line)?.[1];
      }),
    ]);
    const status = await this.#process.status;
    // A jump host's ssh would outlive its parent for a while and hold the pipes open.
    signalGroup(this.#process.pid, "SIGKILL");
    // What has left the group (ControlPersist, a proxy command that became a daemon) holds them on.
    await finishReading(readers, enough, this.#clock);
    await this.#input.abort().catch(() => {});
    return this.complaint === ""
      ? `ssh: ${describeStatus(status)}`
      : this.#explain({ text: this.complaint, otherKeyAt: this.#otherKeyAt });
  }

  #take(line: string): void {
    const answer = parseRemoteLine(line);
    if (answer === undefined || answer.probe !== this.#waiting?.number) return;
    this.#complaint = "";
    this.#waiting.resolve(answer);
  }
}
