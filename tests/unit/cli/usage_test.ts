import { assert, assertEquals } from "@std/assert";
import {
  COMMANDS,
  flagsOf,
  type HelpTopic,
  parseCommand,
  TOPICS,
} from "../../../lib/cli/arguments.ts";
import { DEFAULT_SECONDS } from "../../../lib/cli/demo/demo.ts";
import { usage } from "../../../lib/cli/usage.ts";
import {
  ENGINE_KINDS,
  HEALTH_PROBES,
  LOAD_SOURCES,
  LOG_FORMATS,
  LOG_LEVELS,
} from "../../../lib/config/config.ts";
import { STRATEGY_NAMES } from "../../../lib/strategy/registry.ts";

const topics: readonly (HelpTopic | undefined)[] = [undefined, ...TOPICS];

Deno.test("usage() is at most 80 columns wide and ends its lines", () => {
  for (const topic of topics) {
    // One line of a file cannot be broken.
    const lines = usage(topic).replace(/^restrict,.*$/m, "").split("\n");
    assertEquals(lines.filter((line) => line.length > 80 || /\s$|[^ -~]/.test(line)), []);
    assertEquals(lines.at(-1), "");
  }
});

Deno.test("usage() names every flag of a command and no other", () => {
  for (const topic of COMMANDS) {
    const described = usage(topic).split("Flags:")[1]?.split("\n\n")[0] ?? "";
    const found = [...described.matchAll(/^ {2}(?:-\w, | {4})--([a-z-]+)/gm)]
      .map((match) => match[1]);
    const expected = flagsOf(topic).filter((flag) => flag !== "help" && flag !== "version");
    assertEquals([topic, found.sort()], [topic, [...expected].sort()]);
  }
});

Deno.test("usage() of the program lists every command and every name that a flag takes", () => {
  const text = usage();
  const names = [
    ...COMMANDS,
    ...STRATEGY_NAMES,
    ...LOAD_SOURCES,
    ...HEALTH_PROBES,
    ...ENGINE_KINDS,
    ...LOG_LEVELS,
    ...LOG_FORMATS,
  ];
  assertEquals(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text)), []);
});

Deno.test("usage() tells what signals and durations do", () => {
  const run = usage("run");
  assert(/HUP .*reads the file again/.test(run));
  assert(/TERM .*leaves with the last session, or after\n +--shutdown-timeout/.test(run));
  assert(/INT .*at once.*second TERM/.test(run));
  assert(usage("demo").includes(`(default: ${DEFAULT_SECONDS})`));
  assert(/--json .*one JSON object, at the end/.test(usage("demo")));
});

Deno.test("usage() shows examples that are command lines", () => {
  for (const topic of topics) {
    const examples = usage(topic).split("Examples:\n")[1]?.split("\n\n")[0] ?? "";
    const lines = examples.split("\n").filter((line) => line.trim() !== "");
    assert(lines.length > 0, `${topic} has examples`);
    for (const line of lines) {
      const [program, ...argv] = line.trim().split(" ");
      assertEquals(program, "compute-lb");
      assertEquals([line, parseCommand(argv).ok], [line, true]);
    }
  }
});
