import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { ListReader } from "../../../lib/cli/list_reader.ts";

/** Lists of a stream in pieces; what was left out stands among them as "!…". */
function lists(pieces: readonly (string | Uint8Array)[]): (readonly string[] | string)[] {
  const found: (readonly string[] | string)[] = [];
  const reader = new ListReader({
    took: (items) => found.push(items.map((item) => new TextDecoder("latin1").decode(item))),
    leftOut: (text) => found.push(`!${text}`),
  });
  for (const piece of pieces) {
    reader.push(typeof piece === "string" ? new TextEncoder().encode(piece) : piece);
  }
  reader.end();
  return found;
}

Deno.test("lists: an empty line commits, and so does the end where something waits", () => {
  assertEquals(lists(["a:1\nb:2\n\nc:3\n"]), [["a:1", "b:2"], ["c:3"]]);
  assertEquals(lists(["A\nB"]), [["A", "B"]]);
  assertEquals(lists(["A\n\n"]), [["A"]]);
  assertEquals(lists(["\n"]), [[]]);
  assertEquals(lists([""]), []);
  assertEquals(lists(["a b \t\r\n  c\r\n \t \r\n"]), [["a b", "c"]]);
});

Deno.test("lists: any bytes are kept as they are", () => {
  assertEquals(lists([Uint8Array.of(0xff, 0, 0xc3, 10, 10)]), [["\u00ff\u0000\u00c3"]]);
});

Deno.test("lists: pieces make no difference", () => {
  fc.assert(fc.property(
    fc.stringMatching(/^[ab \r\n]{0,60}$/),
    fc.nat({ max: 60 }),
    (text, cut) => assertEquals(lists([text.slice(0, cut), text.slice(cut)]), lists([text])),
  ));
});

Deno.test("lists: what is too long or too many is left out and told, and never an order to stop", () => {
  const long = "x".repeat(1025);
  const fits = "x".repeat(1024);
  assertEquals(lists([`${fits}   \na\n\n`]), [[fits, "a"]]);
  assertEquals(lists([`${long}\na\n\nb\n\n`]), [
    "!left out of the list: 1 longer than 1024 bytes",
    ["a"],
    ["b"],
  ]);
  assertEquals(lists([`${long}\n\n`]), ["!left out of the list: 1 longer than 1024 bytes"]);
  const [told, list] = lists([`${"a\n".repeat(10_002)}\n`]);
  assertEquals(told, "!left out of the list: 2 after the first 10000");
  assertEquals(list?.length, 10_000);
});
