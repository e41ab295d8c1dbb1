// Runs tests/golden/config/*.yaml: an lb.conf, a line of ten dashes, then the effective configuration
// or the errors that must come of it. A first line "# flags: ..." is read as a command line.
// UPDATE_GOLDEN=1 writes what comes of it into the files, to be read before it is committed.

import { assert, assertEquals } from "@std/assert";
import { parseCommand } from "../../../lib/cli/arguments.ts";
import { COMMANDS } from "../../../lib/cli/commands.ts";
import { formatConfigErrors } from "../../../lib/config/config_error.ts";
import { formatConfig } from "../../../lib/config/effective.ts";
import type { Overrides } from "../../../lib/config/overrides.ts";
import { readConfig } from "../../../lib/config/read_config.ts";

const FOLDER = new URL("../../golden/config/", import.meta.url);
const DIVIDER = "----------\n";

const names = [...Deno.readDirSync(FOLDER)].map((entry) => entry.name).sort();

Deno.test("there are goldens", () => {
  assert(names.length >= 15, `${names.length} goldens`);
});

for (const name of names) {
  Deno.test(`golden ${name}`, async () => {
    const path = new URL(name, FOLDER);
    const [input = "", expected] = (await Deno.readTextFile(path)).split(DIVIDER);
    const actual = outcome(input);
    if (Deno.env.get("UPDATE_GOLDEN") === "1") {
      await Deno.writeTextFile(path, input + DIVIDER + actual);
    } else {
      assertEquals(actual, expected);
    }
  });
}

function outcome(input: string): string {
  const flags = /^# flags: (.*)\n/.exec(input)?.[1];
  const isFlagsOnly = flags !== undefined && input.trim().split("\n").length === 1;
  const result = readConfig({
    ...(isFlagsOnly ? {} : { file: { path: "/etc/compute-lb/lb.conf", text: input } }),
    overrides: flags === undefined ? {} : overridesOf(flags),
  });
  return result.ok ? formatConfig(result.config) : formatConfigErrors(result.errors);
}

function overridesOf(flags: string): Overrides {
  const result = parseCommand(flags.split(" "), COMMANDS);
  assert(result.ok && result.task.name === "run", "the flags are a command line of run");
  const { options } = result.task;
  assert("overrides" in options && isOverrides(options.overrides));
  return options.overrides;
}

function isOverrides(value: unknown): value is Overrides {
  return typeof value === "object" && value !== null;
}
