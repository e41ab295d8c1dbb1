import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { readHead } from "../../../../lib/core/serving/http.ts";

/** What is wrong with a request of these lines behind the first. */
function flawOf(...lines: readonly string[]): string | undefined {
  return readHead(["GET / HTTP/1.1", ...lines, "", ""].join("\r\n"))?.flaw;
}

Deno.test("readHead() reads fields by their names, and lists what is given twice", () => {
  const head = readHead(
    "PUT /a?b HTTP/1.1\r\nHOST: x\r\nA:1\r\nb: \t2 3 \t\r\na: 4\r\nc:\r\n\r\nbody",
  );
  assertEquals(head, {
    kind: "request",
    method: "PUT",
    target: "/a?b",
    fields: new Map([["host", "x"], ["a", "1, 4"], ["b", "2 3"], ["c", ""]]),
    flaw: undefined,
    length: 56,
  });
});

Deno.test("readHead() finds what RFC 9112 forbids", () => {
  const garbled = "Cannot read the head: expected a name, a colon and a value on each line";
  assertEquals(flawOf("Host: x"), undefined);
  assertEquals(flawOf(), "Host: it is missing");
  // HTTP/1.0 has no Host.
  assertEquals(readHead("GET / HTTP/1.0\r\n\r\n")?.flaw, undefined);
  assertEquals(flawOf("Host: x", "Host: x"), "Cannot read Host twice: expected it once");
  const length = "Content-Length: 1";
  assertEquals(
    flawOf("Host: x", length, length),
    "Cannot read Content-Length twice: expected it once",
  );
  assertEquals(
    flawOf("Host: x", "Transfer-Encoding: chunked", length),
    "Cannot read Content-Length beside Transfer-Encoding: expected one of them",
  );
  for (
    const line of [
      " Host: x",
      "\tfolded",
      "a : b",
      ": b",
      "a",
      "a: \0",
      "a: b\rc: d",
      "ä: b",
      "a: €",
    ]
  ) {
    assertEquals([line, flawOf("Host: x", line)], [line, garbled]);
  }
});

Deno.test("readHead() takes no other first line, and never throws", () => {
  for (
    const line of [
      "GET  / HTTP/1.1",
      "GET / HTTP/2.0",
      "GET /\x7f HTTP/1.1",
      "get / HTTP/1.1",
      "GET /",
    ]
  ) {
    assertEquals(readHead(`${line}\r\nHost: x\r\n\r\n`)?.target, undefined);
  }
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (first, more) => {
      const head = readHead(`${first}\r\n${more}\r\n\r\n`);
      assert(head !== undefined);
      for (const [name, value] of head.fields) {
        assertEquals([name, value], [name.toLowerCase(), value.trim()]);
      }
    }),
  );
});
