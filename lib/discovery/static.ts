// The discovery source "static": backends that are named where the source is.

import { aborted } from "../core/timing/with_deadline.ts";
import { failure, success } from "../core/values/result.ts";
import { item, list, section } from "../schema/declarations.ts";
import { line } from "../schema/values.ts";
import { discoverySourceKind, wrongArguments } from "./discovery_source.ts";
import { listOf, parseEntry } from "./entries.ts";

/** A backend with its figures, as one text. */
const entry = {
  ...line("a backend", 4096),
  read: (text: string) => {
    const parsed = parseEntry(text);
    return parsed.ok ? success(text) : failure<string>(parsed.message);
  },
};

const staticSection = section({ doc: "backends that never change, with source: static" }, {
  backends: list({
    required: "",
    example: "[hoek:22=12, kelvin:22]",
    doc: "host[:port][=cores], and behind it weight=W, max_connections=N",
  }, item(entry)),
});

export const staticList = discoverySourceKind("static", staticSection, {
  doc: "a list that stands where the source does",
  form: "static:HOST[,HOST...]",
  fromText: (text) =>
    text.startsWith("static:") ? { backends: text.slice("static:".length).split(",") } : undefined,
  usage: "BACKEND...",
  fromArguments: (args) =>
    args.length > 0
      ? success({ backends: args })
      : wrongArguments(args, "backends, such as 127.0.0.1:8000"),
}, ({ backends }) => ({
  async *watch(signal) {
    yield listOf(
      backends.map((text, at) => ({ place: `backend ${at + 1}`, backend: parseEntry(text) })),
    );
    await aborted(signal);
  },
}));
