// The load source "exec": runs a program of the administrator's for each sample. Its contract is that
// of the probe scripts of tcp-balance: ONLINE, OFFLINE or a load on stdout; and, added here, a load
// with the core count after it, and with what one more session will cost (lbcd's increment).

import type { Backend } from "../core/pool/backend.ts";
import { MAX_CORES } from "../core/pool/backend.ts";
import type { Clock } from "../core/timing/clock.ts";
import { failed, type LoadResult } from "../core/pool/load.ts";
import { commandLine } from "../schema/command_line.ts";
import { section, type ValueOf } from "../schema/declarations.ts";
import { type LoadSource, loadSourceKind } from "./load_source.ts";
import { oneLine } from "../asking/reason.ts";
import { CommandRunner } from "../asking/run_command.ts";
import { UnderWay } from "../asking/under_way.ts";

const execSection = section({ doc: "how a backend is asked with source: exec" }, {
  command: commandLine({
    required: "with source: exec",
    doc: 'such as ["/path", "{host}"], run without a shell; {host}, {port} and {backend} are ' +
      "replaced, and without any of them the host is appended",
  }),
});

export interface ExecOptions extends ValueOf<typeof execSection> {
  readonly clock: Clock;
}

export class ExecSource implements LoadSource {
  readonly #options: ExecOptions;
  readonly #underWay = new UnderWay();
  readonly #runner: CommandRunner;

  constructor(options: ExecOptions) {
    this.#options = options;
    this.#runner = new CommandRunner(options.clock);
  }

  async sample(backend: Backend, signal: AbortSignal): Promise<LoadResult> {
    const { command, clock } = this.#options;
    const words = expandCommand(command, backend);
    const outcome = await this.#underWay.run(
      signal,
      (signal) => this.#runner.run(words, signal, {}, backend.id),
    );
    return outcome.ok ? parseExecOutput(outcome.value, clock.now()) : failed(outcome.message);
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
