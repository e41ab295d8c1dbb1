// A configuration with 20,000 faults took 47 s to read and 4 MB to tell, a reload with one held up portable
// sessions for 16 s, and 10,000 location rules took 7.5 s: every fault counted the lines before it and
// compared its whole mapping, every pool asked all frontends, every rule all rules before it.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { formatConfigErrors, summarizeConfigErrors } from "../../lib/config/config_error.ts";
import { warningsOf } from "../../lib/config/warnings.ts";
import { readConfig } from "../../lib/config/read_config.ts";
import { runProgram } from "../support/balancer.ts";
import { TemporaryDirectory } from "../support/run_program.ts";

const HEAD = "frontends: { f: { listen: ':2200', pool: p } }\npools:\n";
const RULES = "frontends:\n  f:\n    listen: ':22'\n    pool: p\n    location:\n";
const numbered = (count: number, line: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => line(i)).join("\n") + "\n";
const network = (i: number) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;

/** Configurations with `count` of something. */
const MANY: Readonly<Record<string, (count: number) => string>> = {
  "bad values": (count) =>
    `${HEAD}  p:\n    backends:\n${numbered(count, (i) => `      - h${i}=x`)}`,
  "unknown keys": (count) =>
    `${HEAD}  p:\n    backends: a\n${numbered(count, (i) => `    k${i}: x`)}`,
  "unused pools": (count) => HEAD + numbered(count, (i) => `  p${i || ""}: { backends: "a:22" }`),
  "rules to unknown pools": (count) =>
    `${RULES}${numbered(count, (i) => `      - { networks: ${network(i)}, pool: x${i} }`)}` +
    `pools:\n${numbered(count, (i) => `  p${i || ""}: { backends: "a:22" }`)}`,
  "rules": (count) =>
    `${RULES}${numbered(count, (i) => `      - { networks: ${network(i)}, pool: q }`)}` +
    "pools: { p: { backends: a }, q: { backends: b } }\n",
  "faults of both kinds": (count) =>
    `${HEAD}  p: { backends: a }\n` +
    numbered(count, (i) => `  q${i}: { backends: "a:22", health: { interval: x, timeout: 1h } }`),
};

function read(text: string) {
  const result = readConfig({ file: { path: "lb.conf", text } });
  return result.ok
    ? { errors: [], warnings: warningsOf(result.config) }
    : { errors: result.errors, warnings: [] };
}

type Cost = (self: unknown, result: unknown) => number;

const sizeOf = (value: unknown) =>
  typeof value === "string" || Array.isArray(value) ? value.length : 1;

/** What reading visits by way of the functions that were called for every fault: keys, items, characters. */
function workOf(text: string): number {
  let work = 0;
  const undo: (() => void)[] = [];
  const count = (owner: object, name: string, cost: Cost) => {
    const own = Reflect.get(owner, name);
    const set = (value: unknown) =>
      Object.defineProperty(owner, name, { value, writable: true, configurable: true });
    undo.push(() => set(own));
    set(function (this: unknown, ...args: unknown[]): unknown {
      const result: unknown = Reflect.apply(own, this, args);
      work += cost(this, result);
      return result;
    });
  };
  count(Object, "keys", (_, result) => sizeOf(result));
  count(Object, "hasOwn", () => 1);
  count(String.prototype, "split", (self) => String(self).length);
  count(Array.prototype, "slice", (_, result) => sizeOf(result));
  try {
    read(text);
  } finally {
    for (const each of undo) each();
  }
  return work;
}

for (const [what, textOf] of Object.entries(MANY)) {
  Deno.test(`twice as many ${what} take about twice the work`, () => {
    // The first reading makes what is made once.
    workOf(textOf(10));
    const ratio = workOf(textOf(1000)) / workOf(textOf(500));
    assert(ratio < 2.5, `${ratio} times the work`);
  });
}

Deno.test("of very many faults the first are told, and how many there are", () => {
  const { errors } = read(MANY["unknown keys"]?.(20_000) ?? "");
  assertEquals(errors.length, 20_000);
  const text = formatConfigErrors(errors);
  assertEquals(text.match(/Unknown key/g)?.length, 100);
  assertStringIncludes(text, 'Unknown key "k99"');
  assert(text.endsWith("\n... and 19900 more\n"));
  const line = summarizeConfigErrors(errors);
  assertEquals(line.match(/Unknown key/g)?.length, 10);
  assert(line.endsWith("; and 19990 more"));
  const few = errors.slice(0, 10);
  assertEquals(summarizeConfigErrors(few).includes(" more"), false);
});

Deno.test("a message names few of very many pools", () => {
  const { errors } = read(MANY["rules to unknown pools"]?.(1000) ?? "");
  const longest = Math.max(...errors.map(({ message }) => message.length));
  assert(longest < 300, `${longest} characters`);
  const last = errors.at(-1)?.message ?? "";
  assertStringIncludes(last, 'Unknown pool "x999": expected one of p, p1, ');
  assertStringIncludes(last, ", p19 and 980 more");
});

Deno.test("of very many warnings the first are told, and how many there are", () => {
  const text = (MANY["rules"]?.(500) ?? "")
    .replace("location:\n", "location:\n      - { networks: 10.0.0.0/8, pool: p }\n");
  const { warnings } = read(text);
  assertEquals(warnings.length, 101);
  assertStringIncludes(warnings[99] ?? "", "location[100]: nobody from 10.0.0.99/32 goes to q: ");
  assertEquals(warnings[100], "and 400 more such settings");
});

Deno.test("more addresses than can be listened on are one fault", () => {
  const listen = Array.from({ length: 1025 }, (_, i) => `"127.0.0.1:${1000 + i}"`);
  const text = `frontends: { f: { listen: [${
    listen.join(", ")
  }] } }\npools: { p: { backends: "a:22" } }`;
  assertEquals(read(text).errors.map(({ path, message }) => `${path}: ${message}`), [
    "frontends.f.listen: Cannot listen on so many addresses: expected at most 1024 in all",
  ]);
});

Deno.test("check tells the number of all faults", async () => {
  await using folder = new TemporaryDirectory();
  const file = `${folder.path}/lb.conf`;
  await Deno.writeTextFile(file, MANY["bad values"]?.(2000) ?? "");
  const { code, stderr } = await runProgram(["check", "--config", file]);
  assertEquals(code, 2);
  assert(stderr.endsWith("\n... and 1900 more\n2000 errors\n"), stderr.slice(-200));
});
