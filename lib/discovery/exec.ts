// The discovery source "exec": what a program of the administrator's prints, which runs again and again.

import { CommandRunner } from "../asking/run_command.ts";
import { success } from "../core/values/result.ts";
import { commandLine } from "../schema/command_line.ts";
import { key, section } from "../schema/declarations.ts";
import { interval, timeout } from "../schema/values.ts";
import { discoverySourceKind, wrongArguments } from "./discovery_source.ts";
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

export const exec = discoverySourceKind("exec", execSection, {
  doc: "a program of yours, run again and again",
  form: "exec:/PROGRAM [ARGUMENT...]",
  fromText: (text) =>
    text.startsWith("exec:") ? { command: text.slice("exec:".length) } : undefined,
  usage: "PROGRAM [ARGUMENT...]",
  fromArguments: (args) =>
    args.length > 0 ? success({ command: args }) : wrongArguments(args, "a program"),
}, (own, surroundings) => {
  const runner = new CommandRunner(surroundings.clock);
  const ask = async (signal: AbortSignal) => {
    const printed = await runner.run(own.command, signal, { mostBytes: MOST_BYTES });
    return printed.ok ? parseText(printed.value) : printed;
  };
  return { watch: (signal) => polled(ask, own, surroundings, signal) };
});
