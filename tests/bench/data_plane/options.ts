// The command line of the data plane benches.

import { parseArgs } from "@std/cli/parse-args";
import { type Group, GROUPS, type RivalName, RIVALS } from "./figures.ts";

export const USAGE = `\
Usage: deno task bench [flags]

Measures this balancer's data plane against its rivals and prints one table.

Flags:
      --quick            one round of small sizes: does it work, not how fast is it
      --only FIGURE,...  ${GROUPS.join(", ")}
      --rivals NAME,...  ${RIVALS.join(", ")} (default: all)
      --markdown         a Markdown table instead of the text one
      --json             every measurement, as JSON
  -h, --help             this text
`;

export interface Options {
  readonly quick: boolean;
  readonly groups: readonly Group[];
  readonly rivals: readonly RivalName[];
  readonly format: "text" | "markdown" | "json";
}

export type ParsedOptions =
  | { readonly kind: "run"; readonly options: Options }
  | { readonly kind: "help" }
  | { readonly kind: "wrong"; readonly message: string };

const LISTS = ["only", "rivals"];
const SWITCHES = ["quick", "markdown", "json", "help"];

/** Reads the flags. Never throws. */
export function parseOptions(argv: readonly string[]): ParsedOptions {
  let unknown: string | undefined;
  const flags = parseArgs(argv, {
    string: LISTS,
    boolean: SWITCHES,
    alias: { help: "h" },
    unknown: (argument) => {
      unknown ??= argument;
      return false;
    },
  });
  if (flags.help === true) return { kind: "help" };
  if (unknown !== undefined) return wrong(unknown, "one of the flags that --help lists");
  if (flags.markdown === true && flags.json === true) return wrong("--json", "one format");
  const groups = choose(flags.only, GROUPS);
  if (groups === undefined) return wrong(`--only ${flags.only}`, GROUPS.join(", "));
  const rivals = choose(flags.rivals, RIVALS);
  if (rivals === undefined) return wrong(`--rivals ${flags.rivals}`, RIVALS.join(", "));
  const format = flags.json === true ? "json" : flags.markdown === true ? "markdown" : "text";
  return { kind: "run", options: { quick: flags.quick === true, groups, rivals, format } };
}

/** The named ones in their own order, all without a name, undefined when a name is none of them. */
function choose<Name extends string>(
  text: unknown,
  names: readonly Name[],
): readonly Name[] | undefined {
  if (text === undefined) return names;
  const wanted = String(text).split(",").map((name) => name.trim());
  if (wanted.some((name) => !names.some((known) => known === name))) return undefined;
  return names.filter((name) => wanted.includes(name));
}

function wrong(found: string, expected: string): ParsedOptions {
  return { kind: "wrong", message: `Cannot use "${found}": expected ${expected}` };
}
