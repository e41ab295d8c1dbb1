// A colon or a space that was missing came out as "bad indentation of a mapping entry" lines below, as an
// unknown key, or as a backend without an address; nothing showed the right form.

import { assertEquals } from "@std/assert";
import { readConfig } from "../../lib/config/read_config.ts";

function faults(frontend: string, pool = 'backends: ["a"]'): string[] {
  const text = `frontends:\n  ssh${frontend}\npools:\n  compute:\n    ${pool}\n`;
  const read = readConfig({ file: { path: "lb.conf", text } });
  return read.ok
    ? []
    : read.errors.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

const WITH_THE_NEXT =
  'Cannot read this line with the next: expected "key: value", is a colon missing?';
const WHERE_IT_STANDS =
  "Cannot read this line where it stands: expected as many spaces as before the keys beside it";

Deno.test("a line that YAML cannot fit in is told where it is, and what it lacks", () => {
  assertEquals(faults(' { listen: ":22", pool: compute }'), [`2:6 ${WITH_THE_NEXT}`]);
  assertEquals(
    faults(': { listen: ":22" }', "backends\n      - a\n      - b\n    strategy: random"),
    [
      `5:13 ${WITH_THE_NEXT}`,
    ],
  );
  assertEquals(faults(':\n    listen: ":22"\n      pool: compute'), [`4:7 ${WHERE_IT_STANDS}`]);
  assertEquals(faults(':\n    listen: ":22"\n   pool: compute'), [`4:4 ${WHERE_IT_STANDS}`]);
});

Deno.test("a key that was taken together with its value is one fault, with the right form", () => {
  assertEquals(faults(': { listen:":22" }'), [
    '2:10 Unknown key "listen:":22"": expected a colon and a space behind it, "listen: ":22""',
  ]);
  assertEquals(faults(': { listen: ":22" }', "backends:\n      - 192.0.2.1:2022, cores: 2"), [
    '6:9 Unknown key "192.0.2.1:2022, cores": expected { address: "192.0.2.1:2022", cores: ... }',
  ]);
  assertEquals(faults(': { listen: ":22" }', 'backends: ["a:22 = 4"]'), [
    '5:16 Cannot read "22 " as a port: expected 1 to 65535, and no spaces',
  ]);
});
