import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatConfigErrors } from "../../../lib/config/config_error.ts";
import { readConfig, type ReadResult } from "../../../lib/config/read_config.ts";
import type { Overrides } from "../../../lib/config/overrides.ts";

const example = await Deno.readTextFile(new URL("../../../lb.conf.example", import.meta.url));

function read(text: string, overrides: Overrides = {}): ReadResult {
  return readConfig({ file: { path: "lb.conf", text }, overrides });
}

/** What every outcome has to be, whatever was read. */
function assertSound(text: string, result: ReadResult): void {
  if (result.ok) return;
  assert(result.errors.length > 0, "a failure has a reason");
  const lines = text.split("\n").length;
  for (const { line = 1, column = 1, message } of result.errors) {
    assert(line >= 1 && line <= lines + 1 && column >= 1, `${line}:${column}`);
    assert(message !== "" && message.length < 600 && !/\p{Cc}/u.test(message), message);
    assert(!/^Invalid|undefined|\[object/.test(message), message);
  }
  assert(formatConfigErrors(result.errors).endsWith("\n"));
}

Deno.test("readConfig() never throws on any text", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom(..."ab:-?[]{},#'\"|>&*! \n\t") }),
  );
  fc.assert(
    fc.property(text, (written) => assertSound(written, read(written))),
    { numRuns: 2000 },
  );
});

Deno.test("readConfig() never throws on a valid file with pieces changed", () => {
  const piece = fc.constantFrom(
    "",
    " ",
    "\n",
    ":",
    "- ",
    "x",
    "[",
    "]",
    "{",
    "}",
    "'",
    '"',
    "#",
    "&a ",
    "*a",
    "null",
    "-1",
    "0",
    "__proto__: 1\n",
    "pools",
    "frontends:\n",
    "\u0000",
    "😀",
    "\t",
    "9999999999999999999",
  );
  const change = fc.tuple(fc.nat(example.length), fc.nat(12), piece);
  const shorter = example.replace(/ +#.*$/gm, "");
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      let text = shorter;
      for (const [at, removed, added] of changes) {
        const start = at % text.length;
        text = text.slice(0, start) + added + text.slice(start + removed);
      }
      assertSound(text, read(text));
    }),
    { numRuns: 1500 },
  );
});

Deno.test("readConfig() never throws on any flags", () => {
  const words = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom(":22", "a", "random", "off"),
  );
  const overrides: fc.Arbitrary<Overrides> = fc.record({
    listen: fc.array(words),
    backends: fc.array(words),
    strategy: words,
    load: words,
    health: words,
    engine: words,
    user: words,
    adminSocket: words,
    adminHttp: fc.array(words),
    adminTokenFile: words,
    logLevel: words,
    logFormat: words,
    shutdownTimeout: words,
  }, { requiredKeys: [] });
  fc.assert(
    fc.property(
      overrides,
      fc.constantFrom("", "a: [", "[]", "pools: x", example),
      (flags, text) => {
        assertSound(text, readConfig({ overrides: flags }));
        assertSound(text, read(text, flags));
      },
    ),
  );
});

Deno.test("readConfig() ends quickly on a large file full of faults", () => {
  const backends = Array.from({ length: 10_000 }, (_, index) => `      - host${index}:x\n`).join(
    "",
  );
  const text = `frontends:\n  a: { listen: ":22" }\npools:\n  p:\n    backends:\n${backends}`;
  const before = performance.now();
  const result = read(text);
  const took = performance.now() - before;
  assert(!result.ok && result.errors.length >= 10_000);
  assert(took < 20_000, `${took} ms`);
});

Deno.test("readConfig() goes on behind a key that stands twice, with its first value", () => {
  const step = fc.constantFrom("log", "pools", "frontends", "a", "'b c'", '"d"');
  const value = fc.constantFrom("1", "[x, y]", "{ p: 1, q: { r: 2 } }", '"{ , }"', "");
  fc.assert(fc.property(
    fc.array(fc.tuple(step, value), { minLength: 1, maxLength: 8 }),
    fc.boolean(),
    (entries, flow) => {
      const written = flow
        ? `{ ${entries.map(([key, text]) => `${key}: ${text}`).join(", ")} }\n`
        : entries.map(([key, text]) => `${key}: ${text}\n`).join("");
      const names = entries.map(([key]) => key);
      const twice = names.filter((name, index) => names.indexOf(name) < index).length;
      const result = read(written);
      assert(!result.ok);
      const messages = result.errors.map(({ message }) => message);
      assertEquals(messages.filter((text) => / twice: it stands/.test(text)).length, twice);
      const first = entries.filter(([key], index) => names.indexOf(key) === index);
      const once = read(first.map(([key, text]) => `${key}: ${text}\n`).join(""));
      assert(!once.ok);
      assertEquals(
        messages.filter((text) => !/ twice: it stands/.test(text)).sort(),
        once.errors.map(({ message }) => message).sort(),
      );
    },
  ));
});

Deno.test("readConfig() ends quickly on a file of nothing but duplicate keys", () => {
  for (const text of ["a: b\n".repeat(2 ** 20 / 5), `{${"a: b, ".repeat(2 ** 20 / 7)}}`]) {
    const before = performance.now();
    const result = read(text);
    assert(!result.ok && result.errors.length >= 100);
    assert(performance.now() - before < 5000, `${performance.now() - before} ms`);
  }
});

Deno.test("readConfig() takes as many backends and frontends as run does", () => {
  const file = (backends: number, frontends: number) =>
    "frontends:\n" +
    Array.from({ length: frontends }, (_, n) => `  f${n}: { listen: ":${n + 1}" }\n`).join("") +
    "pools:\n  p:\n    backends:\n" +
    Array.from({ length: backends }, (_, n) => `      - host${n}:22\n`).join("");
  assert(read(file(512, 64)).ok);
  const tooMany = read(file(513, 65));
  assert(!tooMany.ok);
  assertEquals(
    tooMany.errors.map(({ path, line, column, message }) => [path, line, column, message]),
    [
      ["frontends.f64", 66, 3, "Cannot run 65 frontends: expected at most 64"],
      [
        "pools.p.backends[512]",
        582,
        9,
        "Cannot use 513 backends in a pool: expected at most 512",
      ],
    ],
  );
  const hosts = Array.from({ length: 513 }, (_, n) => `host${n}:22`);
  const byFlags = readConfig({ overrides: { listen: [":1"], backends: hosts } });
  assert(!byFlags.ok);
  assertEquals(byFlags.errors.map(({ path }) => path), ["--backends"]);
});

Deno.test("readConfig() tells faults of values and between values in one run", () => {
  const result = read(`
log: { level: loud }
frontends: { ssh: { listen: ":22", pool: b } }
pools:
  a:
    backends: [hoek:1, hoek:x, hoek:1]
    load: { interval: 1s, timeout: 2s }
`);
  assert(!result.ok);
  assertEquals(result.errors.map(({ path, line, column }) => [path, line, column]), [
    ["log.level", 2, 15],
    ["frontends.ssh.pool", 3, 42],
    ["pools.a.backends[1]", 6, 24],
    ["pools.a.backends[2]", 6, 32],
    ["pools.a.load.timeout", 7, 36],
  ]);
});

Deno.test("readConfig() carries the nearest known name as a suggestion", () => {
  const result = read("pols: {}\n", { strategy: "randm" });
  assert(!result.ok);
  assertEquals(
    result.errors.flatMap(({ suggestion }) => suggestion === undefined ? [] : [suggestion]),
    ["random", "pools"],
  );
});

Deno.test("readConfig() lets flags go to the only pool and frontend, whatever their names", () => {
  const result = read(
    'frontends: { ssh: { listen: ":22" } }\npools: { compute: { backends: [old] } }',
    { listen: [":23"], backends: ["new"], strategy: "random" },
  );
  assert(result.ok);
  assertEquals(result.config.frontends.map(({ name, listen }) => [name, listen]), [
    ["ssh", [{ transport: "tcp", host: "", port: 23 }]],
  ]);
  assertEquals(
    result.config.pools.map(({ name, strategy, backends }) => [name, strategy, backends]),
    [
      ["compute", "random", [{
        id: "new:23",
        address: { transport: "tcp", host: "new", port: 23 },
        maxConnections: 0,
      }]],
    ],
  );
});

Deno.test("readConfig() says what a discovery source can be", () => {
  const cases: readonly (readonly [written: string, place: string, message: RegExp])[] = [
    ["statik:gauss", "", /^Cannot read "statik:gauss" as .*: expected static:HOST.*"static"\?$/],
    ["{ source: statik, backends: [a] }", ".source", /^Cannot read "statik" .*"static"\?$/],
    ["{ backends: [a] }", "", /^Cannot tell which discovery source .* source: .*static/],
    ["", "", /^Cannot read nothing here: expected a discovery source, /],
    ["[a]", "", /^Cannot read a list here: expected a discovery source, /],
  ];
  for (const [written, place, message] of cases) {
    const result = read(
      `frontends: { f: { listen: ":22" } }\npools:\n  p:\n    discovery:\n      - ${written}\n`,
    );
    assert(!result.ok);
    assertEquals(result.errors.map(({ path }) => path), [`pools.p.discovery[0]${place}`]);
    assert(message.test(result.errors[0]?.message ?? ""), result.errors[0]?.message);
  }
});
