import { assert, assertEquals } from "@std/assert";
import { COMMON_FLAGS } from "../../../lib/cli/command.ts";
import { COMMANDS } from "../../../lib/cli/commands.ts";
import { DEFAULT_SECONDS } from "../../../lib/cli/commands/demo.ts";
import { parseCommand } from "../../../lib/cli/arguments.ts";
import { describeCommand, describeProgram } from "../../../lib/cli/help_text.ts";
import {
  ENGINE_KINDS,
  HEALTH_PROBES,
  LOAD_SOURCES,
  LOG_FORMATS,
  LOG_LEVELS,
} from "../../../lib/config/config.ts";
import { STRATEGY_NAMES } from "../../../lib/strategy/registry.ts";
import { TOPICS } from "../../../lib/manual/topics.ts";

const DESCRIBED = new Map(
  await Promise.all(
    COMMANDS.map(async (command) => [command.name, await describeCommand(command)] as const),
  ),
);

/** The help of a command, or of the program. */
function usage(name?: string): string {
  return DESCRIBED.get(name ?? "") ?? describeProgram(COMMANDS);
}

const NAMES: readonly (string | undefined)[] = [undefined, ...COMMANDS.map(({ name }) => name)];

Deno.test("usage() is at most 80 columns wide and ends its lines", () => {
  // Lines of files cannot be broken.
  const topics = TOPICS.map(({ text }) => text.replace(/^restrict,.*$/m, ""));
  for (const text of [...NAMES.map(usage), ...topics]) {
    const lines = text.split("\n");
    assertEquals(lines.filter((line) => line.length > 80 || /\s$|[^ -~]/.test(line)), []);
    assertEquals(lines.at(-1), "");
  }
});

Deno.test("usage() names every flag of a command and no other", () => {
  for (const command of COMMANDS) {
    const described = usage(command.name).split("Flags:")[1]?.split("\n\n")[0] ?? "";
    const found = [...described.matchAll(/^ {2}(?:-\w, | {4})--([a-z-]+)/gm)]
      .map((match) => match[1]);
    const expected = command.flags.map(({ name }) => name);
    assertEquals([command.name, found], [command.name, expected]);
  }
});

Deno.test("usage() of the program lists every command and every name that a flag takes", () => {
  const text = usage();
  const names = [
    ...[...COMMANDS, ...TOPICS, ...COMMON_FLAGS].map(({ name }) => name),
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
  for (const topic of NAMES) {
    const examples = usage(topic).split("Examples:\n")[1]?.split("\n\n")[0] ?? "";
    const lines = examples.split("\n").filter((line) => line.trim() !== "");
    assert(lines.length > 0, `${topic} has examples`);
    for (const line of lines) {
      const [program, ...argv] = line.trim().split(" ");
      assertEquals(program, "compute-lb");
      assertEquals([line, parseCommand(argv, COMMANDS).ok], [line, true]);
    }
  }
});

Deno.test("every topic has a name and a summary of its own", () => {
  for (const { name, summary } of TOPICS) assert(name !== "" && summary !== "", summary);
  assertEquals(new Set(TOPICS.map(({ name }) => name)).size, TOPICS.length);
});

Deno.test("topics and helps name only topics, commands and flags that exist", () => {
  const names = [...COMMANDS, ...TOPICS].map(({ name }) => name);
  for (const text of [...NAMES.map(usage), ...TOPICS.map((topic) => topic.text)]) {
    for (const [, name = ""] of text.matchAll(/compute-lb\s+help\s+(?!compute)([a-z]+)/g)) {
      assert(names.includes(name), name);
    }
    for (
      const [line, argv = ""] of text.matchAll(
        /^ {4}(?:sudo )?(?:\.\/)?compute-lb (\w.*[^.,\n])$/gm,
      )
    ) {
      const words = argv.split(/ {2,}/)[0]?.split(" ") ?? [];
      if (/^\d|^help/.test(argv)) continue;
      assertEquals([line, parseCommand(words, COMMANDS).ok], [line, true]);
    }
  }
});
