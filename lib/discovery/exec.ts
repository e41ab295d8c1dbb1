// The discovery source "exec": what a program of the administrator's prints, which runs again and again.

import { describeUnkillable, runCommand } from "../asking/run_command.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { commandLine } from "../schema/command_line.ts";
import { key, section, type ValueOf } from "../schema/declarations.ts";
import { interval, timeout } from "../schema/values.ts";
import {
  type DiscoveredList,
  type DiscoverySource,
  discoverySourceKind,
  type DiscoverySurroundings,
  wrongArguments,
} from "./discovery_source.ts";
import { parseText } from "./entries.ts";
import { polled } from "./polled.ts";

const MOST_BYTES = 1_048_576;

const execSection = section({ doc: "what a program prints, with source: exec" }, {
  command: commandLine({
    required: "",
    example: '["/usr/local/sbin/list-servers"]',
    doc: "run without a shell; it prints lines or a JSON array as source: file has them, and " +
      "exits with 0",
  }),
  interval: key(interval, { default: "30s", doc: "how often it runs" }),
  timeout: key(timeout, { default: "10s", doc: "how long one run may take" }),
});

class ExecSource implements DiscoverySource {
  readonly #own: ValueOf<typeof execSection>;
  readonly #surroundings: DiscoverySurroundings;
  /** A process that goes on although it was killed. */
  #unkillable: number | undefined;

  constructor(own: ValueOf<typeof execSection>, surroundings: DiscoverySurroundings) {
    this.#own = own;
    this.#surroundings = surroundings;
  }

  watch(signal: AbortSignal): AsyncIterable<DiscoveredList> {
    const { intervalMs, timeoutMs } = this.#own;
    return polled(
      async (signal) => {
        const list = await this.#run(signal);
        return list.ok ? success({ list: list.value, againMs: intervalMs }) : list;
      },
      this.#surroundings,
      signal,
      timeoutMs,
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  async #run(signal: AbortSignal): Promise<Result<DiscoveredList>> {
    // Time by time, there would be one more of them.
    if (this.#unkillable !== undefined) return failure(describeUnkillable(this.#unkillable));
    const goesOn = (pid: number, ended: Promise<unknown>) => {
      this.#unkillable = pid;
      ended.finally(() => this.#unkillable = undefined);
    };
    const { clock } = this.#surroundings;
    const { command } = this.#own;
    const printed = await runCommand(command, signal, clock, goesOn, { mostBytes: MOST_BYTES });
    return printed.ok ? parseText(printed.value) : printed;
  }
}

export const exec = discoverySourceKind("exec", execSection, {
  doc: "a program of yours, run again and again",
  form: "exec:/PROGRAM [ARGUMENT...]",
  fromText: (text) =>
    text.startsWith("exec:") ? { command: text.slice("exec:".length) } : undefined,
  usage: "PROGRAM [ARGUMENT...]",
  fromArguments: (args) =>
    args.length > 0 ? success({ command: args }) : wrongArguments(args, "a program"),
}, (own, surroundings) => new ExecSource(own, surroundings));
