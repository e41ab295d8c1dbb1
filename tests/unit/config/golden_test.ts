// Runs tests/golden/config/*.yaml: an lb.conf, a line of ten dashes, then what must come of it: the keys of
// the effective configuration that are not as in one that says nothing, or the errors. A first line "# flags: ..." is read as a command line.
// UPDATE_GOLDEN=1 writes what comes of it into the files, to be read before it is committed.

import { assert, assertEquals } from "@std/assert";
import { parseCommand } from "../../../lib/cli/arguments.ts";
import { COMMANDS } from "../../../lib/cli/commands.ts";
import { formatConfigErrors } from "../../../lib/config/config_error.ts";
import type { Overrides } from "../../../lib/config/overrides.ts";
import { readConfig } from "../../../lib/config/read_config.ts";
import { draftConfig } from "../../../lib/config/write_config.ts";
import { stringifyYaml } from "../../../lib/config/yaml.ts";
import type { Draft, DraftMapping } from "../../../lib/schema/declarations.ts";

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
  if (!result.ok) return formatConfigErrors(result.errors);
  return stringifyYaml(differences(draftConfig(result.config), SILENT));
}

/** Names, and keys of a pool that none of its backends can say otherwise. */
const NEVER_LACKING: ReadonlySet<string> = new Set([
  "*",
  "load",
  "interval",
  "timeout",
  "max_age",
  "max_connections",
]);

/** A configuration that says what it must, its frontend and its pool under "*". */
const SILENT = silent();

function silent(): DraftMapping {
  const overrides = { listen: [":1"], backends: ["a"] };
  const result = readConfig({ overrides });
  assert(result.ok);
  const { frontends, pools, ...rest } = draftConfig(result.config);
  const [{ pool: _pool, ...frontend } = {}] = Object.values(mapping(frontends)).map(mapping);
  const [pool = null] = Object.values(mapping(pools));
  return { ...rest, frontends: { "*": frontend }, pools: { "*": pool } };
}

/** The keys of a mapping whose values another one has not, and those that it lacks. */
function differences(draft: DraftMapping, other: DraftMapping): DraftMapping {
  const load = draft.load;
  const lacking = Object.keys(other).filter((key) => !(key in draft) && !NEVER_LACKING.has(key));
  return Object.fromEntries([
    ...Object.entries(draft).flatMap(([key, value]): [string, Draft][] => {
      const same = other[key] ?? other["*"];
      if (JSON.stringify(value) === JSON.stringify(same)) return [];
      // What a backend says otherwise than its pool.
      if (key === "backends" && Array.isArray(value) && isMapping(load)) {
        const silent = { max_connections: 0, load };
        return [[key, value.map((one) => isMapping(one) ? differences(one, silent) : one)]];
      }
      return [[key, isMapping(value) && isMapping(same) ? differences(value, same) : value]];
    }),
    ...lacking.map((key): [string, Draft] => [key, "(none)"]),
  ]);
}

function isMapping(value: Draft | undefined): value is DraftMapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function mapping(value: Draft | undefined): DraftMapping {
  assert(isMapping(value));
  return value;
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
