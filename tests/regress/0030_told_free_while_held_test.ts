// A backend that was held back for two things was said to be "no longer held back" when the first of them
// ended; and when a reload made its load be asked otherwise, the end of its agent's drain was not said.

import { assertEquals } from "@std/assert";
import { runningPool } from "../support/pools.ts";

Deno.test("the end of one hold does not say that a backend is free while another holds it", () => {
  const pool = runningPool(["a"]);
  pool.hold("a", "memory", "1GiB of memory is available, less than 2GiB", 0);
  pool.hold("a", "pressure", "tasks wait for a CPU 70% of the time", 0);
  const text = (changes: readonly { readonly text: string }[]) => changes.map(({ text }) => text);
  assertEquals(text(pool.release("a", "pressure", "its pressure is low again")), [
    "is still held back, though its pressure is low again: " +
    "1GiB of memory is available, less than 2GiB",
  ]);
  assertEquals(text(pool.release("a", "memory", "it has enough memory again")), [
    "is no longer held back: it has enough memory again",
  ]);
  assertEquals(pool.release("a", "memory", "it has enough memory again"), []);
});

Deno.test("a hold that ends because the load is asked otherwise is said to end", () => {
  const pool = runningPool(["a"]);
  pool.observeLoad("a", { kind: "advice", advice: { admin: "drain" } }, 0);
  assertEquals(pool.forgetLoad("a").map(({ text }) => text), [
    "is no longer held back: it is asked for its load otherwise",
  ]);
  assertEquals(pool.forgetLoad("a"), []);
});
