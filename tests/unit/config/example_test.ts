// lb.conf.example is documentation that is checked: it is a valid file, as shipped and with every
// optional key set, it holds every key there is, and what it calls a default is one.

import { assert, assertEquals } from "@std/assert";
import { formatConfigErrors } from "../../../lib/config/config_error.ts";
import { formatConfig } from "../../../lib/config/write_config.ts";
import { readConfig } from "../../../lib/config/read_config.ts";
import { exampleConfig } from "../../../lib/config/example.ts";
import { document } from "../../../lib/config/document.ts";
import type { Declaration } from "../../../lib/schema/declarations.ts";
import { isMapping, mappingOf, parseYaml, type YamlValue } from "../../../lib/config/yaml.ts";

const shipped = await Deno.readTextFile(new URL("../../../lb.conf.example", import.meta.url));
/** Every key that is commented out is set. */
const complete = shipped.replace(/^( *)# (?=(?: {2}(?:- | {2}))?[a-z_]+:(?: \S| {2,}#))/gm, "$1");

function effective(text: string): string {
  const result = readConfig({ file: { path: "lb.conf.example", text } });
  return result.ok ? formatConfig(result.config) : formatConfigErrors(result.errors);
}

/** Every key below a tree of keys, with "*" for names and indexes. */
function keysOf(of: Declaration, path: string): string[] {
  return Object.entries(of.below ?? {}).flatMap(([key, inner]) => {
    const own = `${path}.${key}`;
    return [...(key === "*" ? [] : [own]), ...keysOf(inner, own)];
  });
}

/** Every key in a document, likewise. */
function keysIn(value: YamlValue, of: Declaration | undefined, path: string): string[] {
  if (of?.kind === "chosen" && isMapping(value)) {
    const { source, ...keys } = value;
    return [`${path}.source`, `${path}.${source}`]
      .concat(keysIn(mappingOf(Object.entries(keys)), of.chosenBy?.(value), `${path}.${source}`));
  }
  if (Array.isArray(value)) {
    return value.flatMap((item: YamlValue) => keysIn(item, of?.below?.["*"], `${path}.*`));
  }
  if (!isMapping(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const own = "*" in (of?.below ?? {}) ? "*" : key;
    const below = keysIn(inner, of?.below?.[own], `${path}.${own}`);
    return own === "*" ? below : [`${path}.${own}`, ...below];
  });
}

Deno.test("lb.conf.example is what the declarations say (else: deno task example)", () => {
  assertEquals(shipped, exampleConfig());
});

Deno.test("lb.conf.example passes the check as shipped and with every key set", () => {
  assert(effective(shipped).startsWith("log:"), effective(shipped));
  // A feed stands in the place of backends and discovery.
  const unfed = complete.replace(/^ +(primary|secondary): \["tcp:.*$/gm, "");
  assert(effective(unfed).startsWith("log:"), effective(unfed));
});

Deno.test("lb.conf.example holds every key, and only such keys", () => {
  const parsed = parseYaml(complete);
  assert(parsed.ok);
  // What a backend may say of its load is what its pool may say, and explained there.
  const ownLoad = /\.backends\.\*\.load\../;
  const found = [...new Set(keysIn(parsed.value, document, ""))].filter((key) =>
    !ownLoad.test(key)
  );
  assertEquals(found.sort(), keysOf(document, "").filter((key) => !ownLoad.test(key)).sort());
  assert(found.length > 50);
});

Deno.test("lb.conf.example sets what it calls a default to the default", () => {
  // Without the lines that say "(optional [x])", the effective configuration is the same.
  const keep = /\((required|optional \[(learnt|0|address's host)\])/;
  const bare = shipped.split("\n")
    .filter((line) => !/\(optional \[/.test(line) || keep.test(line))
    .join("\n");
  assert(bare.length < shipped.length);
  // max_connections of the backend and its neighbours are set to other values on purpose.
  assertEquals(effective(bare), effective(shipped));
});

Deno.test("lb.conf.example explains every key in its own line", () => {
  const silent = shipped.split("\n")
    .filter((line) =>
      /^ *(# )?[a-z_]+: +[^ #]/.test(line) && !/#.*\((required|optional)/.test(line)
    );
  assertEquals(silent, []);
});
