// `compute-lb refresh`: prints the lists of a discovery source, for `compute-lb gen` and other programs.

import { port } from "../../schema/values.ts";
import { success } from "../../core/values/result.ts";
import { command, optional } from "../command.ts";

/** What becomes of a list with nothing in it. */
const ON_EMPTY = ["keep", "clear"] as const;

export const refresh = command({
  name: "refresh",
  summary: "print the lists of a discovery source, for gen",
  usage: "refresh [flags] KIND ARGUMENT...",
  text: `\
Asks one discovery source and prints its list when it changes, and again once a
minute: an address on each line, then a blank line, which says that the list is
whole. "compute-lb gen" and lbtk's gen read that. While the source cannot be
asked, nothing is printed: the last list holds. Ends when nobody reads the list
any more, and at TERM. Flags stand before KIND.
`,
  flags: [
    { name: "figures", text: "print cores=N weight=W max_connections=N behind each address" },
    { name: "port", argument: "N", text: "the port of addresses that have none" },
    {
      name: "on-empty",
      argument: "WHAT",
      text: "what a list with nothing in it does: keep (the default; the last list holds), or " +
        "clear (a blank line is printed). One that is meant to be empty always clears",
      offers: ON_EMPTY,
    },
  ],
  flagsFirst: true,
  moreNotes: async () => await (await import("../refresh.ts")).describeKinds(),
  positionals: () => [],
  examples: [
    "refresh static 127.0.0.1:8000 127.0.0.1:8001",
    "refresh --port 22 static hoek kelvin",
  ],
  read: (given) => {
    const { positionals: [kind, ...args], switches } = given;
    const texts = optional(given, { port: "port", "on-empty": "onEmpty" });
    if (kind === undefined) {
      return { ok: false, message: "Cannot refresh from nothing: expected a kind of source" };
    }
    const { onEmpty = "keep" } = texts;
    if (onEmpty !== "keep" && onEmpty !== "clear") {
      const expected = ON_EMPTY.join(" or ");
      return { ok: false, message: `Cannot read "${onEmpty}" as --on-empty: expected ${expected}` };
    }
    const options = { kind, args, figures: switches.has("figures"), clears: onEmpty === "clear" };
    if (texts.port === undefined) return success(options);
    const number = port.read(texts.port);
    return number.ok ? success({ ...options, port: number.value }) : number;
  },
  run: async (options) => await (await import("../refresh.ts")).refresh(options),
});
