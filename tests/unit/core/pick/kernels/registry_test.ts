import { assertEquals } from "@std/assert";
import { KERNELS } from "../../../../../lib/core/pick/kernels/registry.ts";

Deno.test("a kernel's number is its place in the list, which tables and recordings keep", () => {
  assertEquals(KERNELS.map(({ number, name }) => [number, name]), [
    [0, "rotation"],
    [1, "most_free"],
    [2, "least_connections"],
    [3, "random"],
    [4, "two_choices"],
    [5, "source_hash"],
    [6, "first"],
    [7, "token"],
  ]);
});

Deno.test("a word that several kernels use is told to people in one way", () => {
  const told = new Map<string, Set<unknown>>();
  for (const { why, outcomes } of KERNELS) {
    for (const [kind, all] of Object.entries({ why, outcomes })) {
      for (const [word, words] of Object.entries(all)) {
        const key = `${kind} ${word}`;
        told.set(key, (told.get(key) ?? new Set()).add(words));
      }
    }
  }
  assertEquals([...told].filter(([, ways]) => ways.size > 1).map(([key]) => key), []);
});
