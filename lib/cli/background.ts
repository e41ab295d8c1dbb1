// Services in the background (-d): the process that was called starts another in a session of its own, waits
// until that one serves or has failed, and ends. The other logs to the system's log from then on.

import { messageOf } from "../core/values/errors.ts";
import { SYSTEM_CLOCK } from "../host/clock.ts";
import { leaveTerminal } from "../host/detach.ts";
import { isJournal } from "../host/journal.ts";
import { Syslog } from "../host/syslog.ts";
import type { ByteSink } from "../log/batch_writer.ts";
import { CALLED_AS, calledAs } from "./called_as.ts";
import { EXIT_FAILURE, EXIT_OK } from "./exit_code.ts";
import { complain, print } from "./output.ts";

/** Tells the process in the background that it is the one. */
const MARK = "COMPUTE_LB_BACKGROUND";
/** Says on its stdout and stderr that it serves. */
const SERVES = 0;
/** How long it may take until it serves. */
const START_MS = 60_000;

const isBackground = Deno.env.get(MARK) === "yes";
Deno.env.delete(MARK);

/** Where a service writes, and how it says that it serves. */
export interface Outlet {
  readonly service: ByteSink;
  readonly access: ByteSink;
  /** Whether lines of the service's log begin with sd-daemon(3)'s level and no time. */
  readonly isJournal: boolean;
}

/** Where this process writes: to its terminal or init system, or in the background to the system's log. */
export function outlet(): Outlet {
  if (!isBackground) {
    const service = Deno.stderr;
    const access = Deno.stdout;
    return { service, access, isJournal: isJournal(Deno.env.get("JOURNAL_STREAM")) };
  }
  const service = {
    write: async (bytes: Uint8Array) => {
      if (!isServing) await Deno.stderr.write(troublesIn(bytes));
      return await systemLog().write(bytes);
    },
  };
  return { service, access: systemLog(), isJournal: true };
}

let syslog: Syslog | undefined;
let isServing = false;

function systemLog(): Syslog {
  return syslog ??= new Syslog({ clock: SYSTEM_CLOCK, tag: calledAs() ?? "compute-lb" });
}

/** The lines of a log that whoever starts a service should read: warnings and worse, without the level. */
function troublesIn(bytes: Uint8Array): Uint8Array {
  const lines = new TextDecoder().decode(bytes).split(/(?<=\n)/);
  const troubles = lines.filter((line) => !/^<[5-7]>/.test(line));
  return new TextEncoder().encode(troubles.map((line) => line.replace(/^<\d>/, "")).join(""));
}

/**
 * Says that the service serves: whoever has called it into the background goes on now.
 * @param said what it has printed, for the system's log.
 */
export function tellServing(said = ""): void {
  if (!isBackground) return;
  isServing = true;
  // Sent at once, if at all.
  void systemLog().write(new TextEncoder().encode(said));
  try {
    for (const stream of [Deno.stdout, Deno.stderr]) stream.writeSync(new Uint8Array([SERVES]));
  } catch {
    // Nobody waits for it any more.
  }
  leaveTerminal();
}

/**
 * Runs a service here, or has it run in the background.
 * @param serve runs it until its end.
 * @returns the exit status.
 */
export async function runOrDetach(
  detaches: boolean,
  serve: () => Promise<number>,
): Promise<number> {
  return await (detaches && !isBackground ? startAnother() : serve());
}

/** Starts this very command line again, in the background. */
async function startAnother(): Promise<number> {
  const [program = "", ...first] = ownCommand();
  const name = calledAs();
  try {
    // Deno makes a detached process the leader of a session of its own (setsid(2)).
    const process = new Deno.Command(program, {
      args: [...first, ...Deno.args],
      env: { [MARK]: "yes", ...(name === undefined ? {} : { [CALLED_AS]: name }) },
      stdin: "null",
      stdout: "piped",
      // Not ours: the runtime keeps copies for its workers, and whoever reads ours would wait for its end.
      stderr: "piped",
      detached: true,
    }).spawn();
    const late = setTimeout(() => {
      complain(`Cannot start in the background: it does not serve within ${START_MS / 1000} s`);
      process.kill("SIGKILL");
    }, START_MS);
    const serves = await Promise.all([
      untilServing(process.stdout, print),
      untilServing(process.stderr, complain),
    ]);
    clearTimeout(late);
    if (serves.every((isSaid) => isSaid)) return EXIT_OK;
    const { code } = await process.status;
    return code === EXIT_OK ? EXIT_FAILURE : code;
  } catch (error) {
    complain(`Cannot start in the background: ${messageOf(error)}`);
    return EXIT_FAILURE;
  }
}

/** Passes on what a process prints until it says that it serves; false: it has ended before. */
async function untilServing(
  stream: ReadableStream<Uint8Array>,
  show: (text: string) => void,
): Promise<boolean> {
  let said = "";
  const decoder = new TextDecoder();
  for await (const bytes of stream) {
    const at = bytes.indexOf(SERVES);
    said += decoder.decode(at < 0 ? bytes : bytes.subarray(0, at), { stream: true });
    // Whole lines: complain() ends what it is given.
    const end = at < 0 ? said.lastIndexOf("\n") + 1 : said.length;
    if (end > 0) show(said.slice(0, end));
    said = said.slice(end);
    if (at >= 0) return true;
  }
  if (said !== "") show(said);
  return false;
}

/** What starts this program. */
function ownCommand(): string[] {
  const packed = Deno.env.get("COMPUTE_LB_SELF");
  if (packed !== undefined) return [packed];
  return Deno.build.standalone
    ? [Deno.execPath()]
    : [Deno.execPath(), "run", "-A", decodeURIComponent(new URL(Deno.mainModule).pathname)];
}
