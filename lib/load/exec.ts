// The load source "exec": runs a program of the administrator's for each sample. Its contract is that
// of the probe scripts of tcp-balance: ONLINE, OFFLINE or a load on stdout; and, added here, a load
// with the core count after it, and with what one more session will cost (lbcd's increment).

import type { Backend } from "../core/pool/backend.ts";
import { MAX_CORES } from "../core/pool/backend.ts";
import type { Clock } from "../core/timing/clock.ts";
import { failed, type LoadResult } from "../core/pool/load.ts";
import {
  describeStatus,
  finishReading,
  readTail,
  readText,
  signalGroup,
  spawnLeader,
  spawnReason,
} from "./child_process.ts";
import { item, list, section, type ValueOf } from "../schema/declarations.ts";
import { line, PATH_MAX_BYTES } from "../schema/values.ts";
import { type LoadSource, loadSourceKind } from "./load_source.ts";
import { abortReason, lastLine, oneLine } from "./reason.ts";
import { UnderWay } from "./under_way.ts";

const execSection = section({ doc: "how a backend is asked with source: exec" }, {
  command: list(
    {
      required: "with source: exec",
      isUntold: true,
      accepts: "text split on spaces, or a list",
      doc: 'such as ["/path", "{host}"], run without a shell; {host}, {port} and {backend} are ' +
        "replaced, and without any of them the host is appended",
    },
    item({ ...line("an argument", PATH_MAX_BYTES), what: "a program or an argument" }),
    { split: splitCommand },
  ),
});

/** One text is split on spaces; undefined where that gives no command. */
function splitCommand(text: string): readonly string[] | undefined {
  const words = text.split(" ").filter((word) => word !== "");
  return line("a command", PATH_MAX_BYTES).read(text).ok && words.length > 0 ? words : undefined;
}

export interface ExecOptions extends ValueOf<typeof execSection> {
  readonly clock: Clock;
}

/** More than any of the answers needs. */
const MOST_OUTPUT_BYTES = 4096;
/** How long a process that was killed may take to be gone. */
const KILL_GRACE_MS = 200;

export class ExecSource implements LoadSource {
  readonly #options: ExecOptions;
  readonly #underWay = new UnderWay();
  /** Processes that go on although they were killed, by the backend that they were started for. */
  readonly #unkillable = new Map<string, number>();

  constructor(options: ExecOptions) {
    this.#options = options;
  }

  async sample(backend: Backend, signal: AbortSignal): Promise<LoadResult> {
    const { command, clock } = this.#options;
    const pid = this.#unkillable.get(backend.id);
    // Round by round, there would be one more of them.
    if (pid !== undefined) return failed(describeUnkillable(pid));
    const words = expandCommand(command, backend);
    const goesOn = (pid: number, ended: Promise<unknown>) => {
      this.#unkillable.set(backend.id, pid);
      ended.finally(() => this.#unkillable.delete(backend.id));
    };
    const outcome = await this.#underWay.run(
      signal,
      (signal) => run(words, signal, clock, goesOn),
    );
    return typeof outcome === "string" ? parseExecOutput(outcome, clock.now()) : outcome;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#underWay[Symbol.asyncDispose]();
  }
}

/** Puts a backend into the command. A backend on a unix socket is on "localhost", without a port. */
export function expandCommand(command: readonly string[], backend: Backend): string[] {
  const place = backend.loadAddress ?? backend.address;
  const values: Readonly<Record<string, string>> = place.transport === "tcp"
    ? { host: place.host, port: String(place.port), backend: backend.id }
    : { host: "localhost", port: "", backend: backend.id };
  let found = false;
  const expanded = command.map((argument) =>
    argument.replace(/\{(host|port|backend)\}/g, (_, name: string) => {
      found = true;
      return values[name] ?? "";
    })
  );
  return found ? expanded : [...expanded, values["host"] ?? ""];
}

/**
 * Reads what the program printed: ONLINE, OFFLINE or "load [cores [+cost]]", white space aside. Three
 * plain numbers are rejected: they are load averages most often.
 */
export function parseExecOutput(output: string, takenAtMs: number): LoadResult {
  const text = output.trim();
  if (text === "ONLINE") return { kind: "online" };
  if (text === "OFFLINE") return { kind: "offline" };
  const match =
    /^(\d{1,7}(?:\.\d{1,9})?)(?:\s+(\d{1,4}(?:\.\d{1,3})?)(?:\s+\+(\d{1,3}(?:\.\d{1,3})?))?)?$/
      .exec(text);
  const load1 = Number(match?.[1] ?? NaN);
  const cores = match?.[2] === undefined ? undefined : Number(match[2]);
  if (Number.isNaN(load1) || (cores !== undefined && (cores <= 0 || cores > MAX_CORES))) {
    return {
      kind: "failed",
      reason: `Cannot read "${
        oneLine(text, 60)
      }": expected ONLINE, OFFLINE or "load [cores [+cost]]"`,
    };
  }
  return {
    kind: "sample",
    sample: {
      load1,
      takenAtMs,
      ...(cores === undefined ? {} : { cores }),
      ...(match?.[3] === undefined ? {} : { sessionCost: Number(match[3]) }),
    },
  };
}

/**
 * Runs a command to its end. One that goes on although it was killed (it has become another user by sudo,
 * or is stuck in the kernel) is not waited for.
 * @param goesOn told of such a process, with its end.
 * @returns what it printed, or why that is of no use.
 */
async function run(
  [program = "", ...args]: readonly string[],
  signal: AbortSignal,
  clock: Clock,
  goesOn: (pid: number, ended: Promise<unknown>) => void,
): Promise<string | (LoadResult & { kind: "failed" })> {
  if (signal.aborted) return failed(abortReason(signal));
  let process: Deno.ChildProcess;
  try {
    process = spawnLeader(program, args, "null");
  } catch (error) {
    return failed(spawnReason(program, error));
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
  try {
    const readers = Promise.all([
      readStart(process.stdout, enough.signal, end),
      readTail(process.stderr, enough.signal, MOST_OUTPUT_BYTES),
    ]);
    const status = await Promise.race([process.status, givenUp.promise]);
    if (status === undefined) {
      process.unref();
      goesOn(process.pid, process.status);
      await readers;
      return failed(describeUnkillable(process.pid));
    }
    // What it has left running in its group would hold the pipes open, and nobody would ever end it.
    kill();
    await finishReading(readers, enough, clock);
    const [stdout, stderr] = await readers;
    if (signal.aborted) return failed(abortReason(signal));
    if (stdout === undefined) return failed(`printed more than ${MOST_OUTPUT_BYTES} bytes`);
    if (status.success) return stdout;
    const how = describeStatus(status);
    const last = lastLine(stderr);
    return failed(last === "" ? how : `${how}: ${last}`);
  } finally {
    signal.removeEventListener("abort", end);
    over.abort();
    await grace;
  }
}

function describeUnkillable(pid: number): string {
  return `took too long, goes on and cannot be killed (pid ${pid}; does it run as another user?)`;
}

/** Reads to the end; undefined, and an end by `tooMuch`, when there is more than an answer needs. */
async function readStart(
  stream: ReadableStream<Uint8Array>,
  enough: AbortSignal,
  tooMuch: () => void,
): Promise<string | undefined> {
  let text: string | undefined = "";
  await readText(stream, enough, (piece) => {
    if (text === undefined) return;
    text += piece;
    if (text.length <= MOST_OUTPUT_BYTES) return;
    text = undefined;
    tooMuch();
  });
  return text;
}

export const exec = loadSourceKind("exec", execSection, {
  doc: "a program of yours runs here for each sample",
  tellsMemory: false,
  tellsPressure: false,
  isKernelAverage: false,
  check: ({ command }, isChosen) =>
    isChosen && command.length === 0
      ? [{
        path: ["source"],
        message: "Cannot run a command for the load: expected load.exec.command in lb.conf",
        dependsOn: [["source"], ["exec"], ["exec", "command"]],
      }]
      : [],
}, (own, { clock }) => new ExecSource({ ...own, clock }));
