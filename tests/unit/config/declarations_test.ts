// What holds for every key of lb.conf, whatever it is: new keys are tested here without a line of their own.

import { assert, assertEquals } from "@std/assert";
import { document } from "../../../lib/config/document.ts";
import type { Declaration } from "../../../lib/schema/declarations.ts";
import type { Value } from "../../../lib/schema/values.ts";

interface Scalar {
  readonly path: string;
  readonly declaration: Declaration;
  readonly value: Value<unknown, string>;
}

function scalars({ kind, value, below }: Declaration, path: string, own: Declaration): Scalar[] {
  const here = kind === "value" && value !== undefined ? [{ path, declaration: own, value }] : [];
  return [
    ...here,
    ...Object.entries(below ?? {}).flatMap(([key, inner]) =>
      scalars(inner, path === "" ? key : `${path}.${key}`, inner)
    ),
  ];
}

const SCALARS = scalars(document, "", document);

/** The texts that "auto | 1s to 9h | off" speaks of: its words, and the ends of its ranges. */
function textsIn(accepts: string): readonly string[] {
  return accepts.split(" | ").flatMap((part) => {
    const ends = part.split(" to ");
    return ends.length > 1 || /^(auto|off|umask|true|false)$/.test(part) ? ends : [];
  }).filter((text) => /^[\w.%]+$/.test(text));
}

Deno.test("every key is written so that it reads back the same", () => {
  let count = 0;
  for (const { path, declaration: { about }, value } of SCALARS) {
    const texts = [
      ...(value.words ?? []),
      ...(about.accepts === undefined ? textsIn(value.accepts) : []),
      ...(about.default === undefined ? [] : [about.default]),
      ...(about.example === undefined ? [] : [about.example]),
    ];
    for (const text of texts) {
      const read = value.read(text);
      assert(read.ok, `${path}: ${text}`);
      // What is written is complete: it has a port.
      if (/backends.*address$/.test(path)) continue;
      const written = String(value.write(read.value));
      assertEquals([path, value.read(written)], [path, read]);
      count++;
    }
  }
  assert(count > 100, `${count} texts`);
});

Deno.test("every key says what it is, and what holds where it is not set", () => {
  for (const { path, declaration: { about } } of SCALARS) {
    if (path.startsWith("pools.*.backends.*.load.") || path.endsWith(".*")) continue;
    assert(about.doc.length >= 3 && !about.doc.includes("\n"), path);
    assert([about.default, about.unset, about.required].some((one) => one !== undefined), path);
  }
});
