import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { ConfigPath } from "../../../lib/config/config_error.ts";
import { Locator } from "../../../lib/config/locate.ts";
import type { Place } from "../../../lib/config/source_positions.ts";
import { mappingOf, parseYaml, type YamlValue } from "../../../lib/config/yaml.ts";
import { emitYaml } from "../../support/emit_yaml.ts";

const scalar = fc.oneof(
  fc.constant(null),
  fc.stringMatching(/^[a-z0-9:/.,[\]{}#'"= -]{0,12}$/),
  fc.stringMatching(/^[a-z]{1,4}( [a-z]{1,4}){0,3}$/),
  fc.stringMatching(/^[a-z]{1,4}(\n[a-z]{1,4}){0,3}\n?$/),
  fc.string(),
);
const key = fc.oneof(
  { weight: 5, arbitrary: fc.stringMatching(/^[a-z_][a-z0-9_-]{0,8}$/) },
  { weight: 1, arbitrary: fc.string({ minLength: 1, maxLength: 6 }) },
).filter((text) => text !== "__proto__");

/** A nothing at a list's end makes the parser take the list around it for its continuation. */
function withoutLastNothing(list: readonly YamlValue[]): YamlValue {
  return list.at(-1) === null ? [...list, "end"] : list;
}

const { tree } = fc.letrec<{ tree: YamlValue; node: YamlValue; mapping: YamlValue }>((tie) => ({
  node: fc.oneof({ maxDepth: 4, depthSize: "medium" }, scalar, tie("tree")),
  mapping: fc.uniqueArray(fc.tuple(key, tie("node")), { maxLength: 4, selector: ([name]) => name })
    .map(mappingOf),
  tree: fc.oneof(
    tie("mapping"),
    tie("mapping"),
    fc.array(tie("node"), { maxLength: 4 }).map(withoutLastNothing),
  ),
}));

/** Where an offset stands, as people count. */
function placeAt(text: string, offset: number): Place {
  const lines = text.slice(0, offset).replace(/^\uFEFF/, "").split("\n");
  return { line: lines.length, column: (lines.at(-1) ?? "").length + 1 };
}

Deno.test("Locator finds every key and value of documents in every style", () => {
  fc.assert(
    fc.property(tree, fc.integer(), (value, seed) => {
      const { text, places } = emitYaml(value, seed);
      const parsed = parseYaml(text);
      assertEquals(parsed, { ok: true, value });
      const locator = new Locator(text, value);
      for (const [json, { keyOffset, valueOffset }] of places) {
        const path: ConfigPath = JSON.parse(json);
        const found = locator.find(path, "value");
        assertEquals([json, found], [json, placeAt(text, valueOffset)]);
        if (keyOffset === undefined) continue;
        assertEquals([json, locator.find(path, "key")], [json, placeAt(text, keyOffset)]);
      }
    }),
    { numRuns: 1500 },
  );
});

Deno.test("Locator never fails on any text that parses", () => {
  const text = fc.oneof(
    fc.string({ unit: fc.constantFrom(..."ab:-?[]{},#'\"|>&*! \n"), maxLength: 40 }),
    fc.string({ unit: "binary" }),
  );
  fc.assert(
    fc.property(text, (written) => {
      const parsed = parseYaml(written);
      if (!parsed.ok) return;
      const lines = written.split("\n").length;
      const locator = new Locator(written, parsed.value);
      const visit = (value: YamlValue, path: ConfigPath) => {
        const { line, column } = locator.find(path, "key");
        assert(line >= 1 && line <= lines && column >= 1);
        if (typeof value !== "object" || value === null) return;
        for (const [step, inner] of Object.entries(value)) {
          visit(inner, [...path, Array.isArray(value) ? Number(step) : step]);
        }
      };
      visit(parsed.value, []);
    }),
    { numRuns: 3000 },
  );
});

function find(text: string, path: ConfigPath, part: "key" | "value" = "value"): string {
  const parsed = parseYaml(text);
  assert(parsed.ok, "the document parses");
  const { line, column } = new Locator(text, parsed.value).find(path, part);
  return `${line}:${column}`;
}

Deno.test("Locator falls back to the nearest ancestor it can see", () => {
  assertEquals(find("a:\n  b: 1\n", ["a", "missing", "deep"]), "2:3");
  assertEquals(find("a: &x { b: 1 }\nc: *x\n", ["c", "b"]), "2:4");
  assertEquals(find("a:\n  ? b\n  : 1\n", ["a", "b"]), "1:1");
  assertEquals(find("a: 1\n? b\n: 2\nc: 3\n", ["c"]), "1:1");
  assertEquals(find("a: 1\n? b\n: 2\nc: 3\n", ["a"]), "1:4");
  assertEquals(find("a: [b: 1, c]\n", ["a", 0, "b"]), "1:5");
  assertEquals(find("", ["a"]), "1:1");
});

Deno.test("Locator takes what looks like a key inside text for text", () => {
  const text = "a: |\n  b: 1\n  c: 2\nd: >-\n\n  b: 3\n\n# b: 4\nb: 5 # c: 6\nc: 'x\n  d: 1'\n";
  assertEquals(find(text, ["b"]), "9:4");
  assertEquals(find(text, ["c"], "key"), "10:1");
});

Deno.test("Locator counts lines that end in CR LF", () => {
  assertEquals(find("a: 1\r\nb:\r\n  - c: 2\r\n", ["b", 0, "c"]), "3:8");
});
