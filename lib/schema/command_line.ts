// A command as configuration has it: a program with its arguments, as a list or as one text.

import { type About, type Declaration, item, list } from "./declarations.ts";
import { line, PATH_MAX_BYTES } from "./values.ts";

/** Declares a command. Its value may hold secrets. */
export function commandLine(about: About): Declaration<readonly string[]> {
  return list(
    { ...about, isUntold: true, accepts: "text split on spaces, or a list" },
    item({ ...line("an argument", PATH_MAX_BYTES), what: "a program or an argument" }),
    { split: splitCommand },
  );
}

/** One text is split on spaces; undefined where that gives no command. */
function splitCommand(text: string): readonly string[] | undefined {
  const words = text.split(" ").filter((word) => word !== "");
  return line("a command", PATH_MAX_BYTES).read(text).ok && words.length > 0 ? words : undefined;
}
