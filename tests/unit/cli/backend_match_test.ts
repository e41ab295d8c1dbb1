import { assertEquals } from "@std/assert";
import { matchBackends } from "../../../lib/cli/backend_match.ts";

const POOLS = [
  {
    name: "compute",
    backends: [
      { id: "hoek:22", state: "up" },
      { id: "hoek:2222", state: "up" },
      { id: "Kelvin:22", state: "down" },
      { id: "gone:22", state: "leaving" },
      { id: "[2001:db8::1]:22", state: "up" },
      { id: "unix:/run/a.sock", state: "up" },
    ],
    removed: [{ id: "euler:22" }],
  },
  { name: "web", backends: [{ id: "hoek:80", state: "up" }], removed: [{ id: "gone:22" }] },
];

function match(words: readonly string[], pool?: string): string[] | string {
  const matched = matchBackends(POOLS, words, pool);
  return matched.ok ? matched.value.map((one) => `${one.pool} ${one.id}`) : matched.message;
}

Deno.test("matchBackends() takes ids, hosts and what was removed, in all pools or one", () => {
  assertEquals(match(["hoek:22"]), ["compute hoek:22"]);
  assertEquals(match(["hoek"]), ["compute hoek:22", "compute hoek:2222", "web hoek:80"]);
  assertEquals(match(["HOEK", "hoek:80"], "web"), ["web hoek:80"]);
  assertEquals(match(["kelvin"]), ["compute Kelvin:22"]);
  assertEquals(match(["kelvin:22", "euler"]), ["compute Kelvin:22", "compute euler:22"]);
  assertEquals(match(["2001:db8::1"]), ["compute [2001:db8::1]:22"]);
  assertEquals(match(["unix:/run/a.sock"]), ["compute unix:/run/a.sock"]);
  // One that has left is none, but where it was removed by order.
  assertEquals(match(["gone"]), ["web gone:22"]);
});

Deno.test("matchBackends() says what may be meant", () => {
  assertEquals(match(["hoekk"]), 'Unknown backend "hoekk": did you mean "hoek"?');
  assertEquals(match(["hoek:23"], "web"), 'Unknown backend "hoek:23": did you mean "hoek:80"?');
  assertEquals(match(["gone"], "compute"), match(["gone"], "compute"));
  assertEquals(
    match(["somebody"]),
    'Unknown backend "somebody": expected one of hoek:22, hoek:2222, Kelvin:22, ' +
      "[2001:db8::1]:22, unix:/run/a.sock and 3 more",
  );
  assertEquals(match(["x"], "wbe"), 'Unknown pool "wbe": did you mean "web"?');
  assertEquals(matchBackends([{ name: "p", backends: [] }], ["x"]).ok, false);
});
