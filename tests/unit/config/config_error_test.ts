import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type ConfigError,
  formatConfigErrors,
  formatPath,
  sortConfigErrors,
} from "../../../lib/config/config_error.ts";
import { quote } from "../../../lib/schema/quote.ts";

const error: ConfigError = {
  file: "/etc/compute-lb/lb.conf",
  line: 14,
  column: 11,
  path: "pools.web.health.rise",
  message: 'Cannot read "three" as an integer: expected 1 to 100',
  excerpt: "    rise: three",
};

Deno.test("formatConfigErrors() writes place, message, line and caret", () => {
  assertEquals(
    formatConfigErrors([error]),
    "/etc/compute-lb/lb.conf:14:11: pools.web.health.rise: " +
      'Cannot read "three" as an integer: expected 1 to 100\n' +
      "   14 |     rise: three\n" +
      "      |           ^\n",
  );
});

Deno.test("formatConfigErrors() does without a file, a line or an excerpt", () => {
  assertEquals(formatConfigErrors([{ path: "--load", message: "Bad" }]), "--load: Bad\n");
  assertEquals(formatConfigErrors([{ file: "f", path: "pools", message: "B" }]), "f: pools: B\n");
  assertEquals(formatConfigErrors([{ file: "f", line: 1, path: "", message: "B" }]), "f:1:1: B\n");
  assertEquals(formatConfigErrors([]), "");
});

Deno.test("formatConfigErrors() shows no control characters and no endless lines", () => {
  const shown = formatConfigErrors([{
    ...error,
    column: 2,
    excerpt: `\u001b[2J${"x".repeat(9999)}`,
  }]);
  assertEquals(shown.includes("\u001b"), false);
  assertEquals(shown.length < 500, true);
  assertEquals(formatConfigErrors([{ ...error, column: 9999 }]).split("\n").length, 2);
});

Deno.test("sortConfigErrors() puts flags first, then goes down the file", () => {
  const places = [[3, 1], [undefined, undefined], [1, 9], [1, 2]].map(([line, column]) => ({
    path: "",
    message: "",
    ...(line === undefined || column === undefined ? {} : { line, column }),
  }));
  assertEquals(
    sortConfigErrors(places).map(({ line, column }: ConfigError) => [line, column]),
    [[undefined, undefined], [1, 2], [1, 9], [3, 1]],
  );
});

Deno.test("formatPath() quotes strange keys", () => {
  assertEquals(formatPath([]), "");
  assertEquals(formatPath(["pools", "web", "backends", 2, "cores"]), "pools.web.backends[2].cores");
  assertEquals(formatPath(["pools", "a.b"]), 'pools."a.b"');
});

Deno.test("quote() stays on one short line", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
    const quoted = quote(text);
    assertEquals(/[\p{Cc}\u2028\u2029]/u.test(quoted), false);
    assertEquals(quoted.length <= 82 * 6, true);
  }));
});
