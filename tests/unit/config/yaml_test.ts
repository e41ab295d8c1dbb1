import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { mappingOf, parseYaml, stringifyYaml, type YamlValue } from "../../../lib/config/yaml.ts";

/** Reads a document and turns the bare mappings into plain ones, for comparison. */
function read(text: string): unknown {
  const result = parseYaml(text);
  return result.ok ? JSON.parse(JSON.stringify(result.value)) : result;
}

Deno.test("parseYaml() leaves every scalar as it is written", () => {
  for (
    const text of ["010", "0x10", "1_000", "1e3", "2026-01-01", "yes", "off", "true", "~", "12:30"]
  ) {
    assertEquals(read(`a: ${text}`), { a: text });
  }
  assertEquals(read("a:"), { a: null });
  assertEquals(read(""), null);
});

function fault(text: string): string {
  const result = parseYaml(text);
  assert(!result.ok, `${text.slice(0, 40)} parses`);
  return `${result.line}:${result.column}: ${result.message}`;
}

Deno.test("parseYaml() says where a document is broken", () => {
  assertEquals(
    fault("a: 1\n---\nb: 2\n").slice(0, 58),
    "2:1: Cannot read YAML: Found more than 1 document in the s",
  );
  assertEquals(
    fault("a: 1\nb: 2\na: 3\n"),
    "3:1: Cannot use a key twice: the mapping has it already",
  );
  assertEquals(fault("a: *x\n").startsWith("1:"), true);
  assertEquals(fault("a: !!js/function x\n").includes("unknown tag"), true);
});

Deno.test("parseYaml() finds the line whose key has no colon", () => {
  const why = 'Cannot read this line with the next: expected "key: value", is a colon missing?';
  for (
    const [text, place] of [
      ["a: 1\npools\n", "2:6"],
      ["a\n  b: 4\n", "1:2"],
      ["a: 1\nb 5\nc: 4\n", "2:2"],
      ["a:\n  ssh\n    listen: 1\n", "2:6"],
      ["a:\n  # no\n  load  # the load\n\n    source: ssh\n", "3:7"],
      ['a:\n  listen ":22"\n  foo "b"\n  bar: c\n', "2:9"],
      ['a:\n  listen:":22"\n  bar: c\n', "2:9"],
      ['a:\n  - address "a:22"\n    cores: 4\n', "2:12"],
      ["a: |\n  text\nb\nc: 4\n", "3:2"],
    ] as const
  ) assertEquals([text, fault(text)], [text, `${place}: ${why}`]);
  // What may be text that goes on is left to the parser.
  for (const text of ["a: |\n  text\n b: 4\n", "a: b\n  text\n  c: d\n", "a:\n  b: c\n d: e\n"]) {
    assertEquals(fault(text).includes("Cannot read this line where it stands"), true, text);
  }
});

Deno.test("parseYaml() rejects a tab that indents, and only such a tab", () => {
  assertEquals(fault("a:\n  \tb: 1"), "2:3: Cannot indent with a tab: expected spaces");
  assertEquals(read("a:\n\t# comment\n  b:\t1\n\t\n"), { a: { b: "1" } });
});

Deno.test("parseYaml() refuses aliases that expand without bound", () => {
  const bomb = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
  for (let level = 1; level < 12; level++) {
    bomb.push(`a${level}: &a${level} [${Array(10).fill(`*a${level - 1}`).join(", ")}]`);
  }
  assertEquals(fault(bomb.join("\n")).includes("expands to more than"), true);
  assertEquals(fault("a: &a { b: *a }").includes("an alias inside itself?"), true);
});

Deno.test("parseYaml() refuses what is too large or too deep", () => {
  assertEquals(fault(`a: ${"x".repeat(2 ** 20)}`).includes("expected at most"), true);
  for (const opener of ["[", "{", "{a: ", "- ", "? ", "[ \n"]) {
    assertEquals([opener, parseYaml(opener.repeat(100_000)).ok], [opener, false]);
  }
  const steps = Array.from({ length: 200 }, (_, depth) => " ".repeat(depth) + "a:\n");
  assertEquals(fault(steps.join("")).includes("deeper than"), true);
});

Deno.test("parseYaml() ends quickly on hostile text of the largest size", () => {
  const size = 2 ** 20;
  for (
    const piece of [
      "a: b\n",
      "- ",
      "# ",
      '"',
      "'",
      "\\",
      "a\n\n",
      "&a ",
      "!",
      "a:",
      ": ",
      "\t",
      " ",
      ",",
    ]
  ) {
    const text = piece.repeat(Math.floor(size / piece.length));
    const before = performance.now();
    parseYaml(text);
    const took = performance.now() - before;
    assert(took < 5000, `${JSON.stringify(piece)} took ${took} ms`);
  }
});

Deno.test("parseYaml() never throws, and places a fault inside the text", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom(..."ab:-?[]{},#'\"|>&*!%@` \n\t\\") }),
  );
  fc.assert(
    fc.property(text, (written) => {
      const result = parseYaml(written);
      if (result.ok) return;
      assert(result.line >= 1 && result.line <= written.split(/\r\n|\r|\n/).length + 1);
      assert(result.column >= 1);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("stringifyYaml() writes what parseYaml() reads back the same", () => {
  const { tree } = fc.letrec<{ tree: YamlValue; list: YamlValue; mapping: YamlValue }>((tie) => ({
    tree: fc.oneof({ maxDepth: 3 }, fc.string({ unit: "grapheme" }), tie("list"), tie("mapping")),
    list: fc.array(tie("tree"), { maxLength: 4 }),
    mapping: fc.uniqueArray(
      fc.tuple(fc.string({ maxLength: 9 }), tie("tree")),
      { maxLength: 4, selector: ([key]) => key },
    ).map((entries) => mappingOf(entries.filter(([key]) => key !== "__proto__"))),
  }));
  fc.assert(fc.property(tree, (value) => {
    assertEquals(parseYaml(stringifyYaml(value)), { ok: true, value });
  }));
});
