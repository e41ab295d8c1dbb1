import { assertEquals } from "@std/assert";
import { Numbers, type RecordsRead } from "../../../../lib/engine/splice/numbers.ts";

/** As many records are written, and read. */
function records(written: number, read: number): RecordsRead {
  return { written, isRead: (count) => count <= read };
}

Deno.test("a number is free once what it stood for is left and its records are read", () => {
  const numbers = new Numbers<string>();
  assertEquals(["a", "b", "c"].map((name) => numbers.add(() => name)), [0, 1, 2]);
  const isLeft = (name: string) => name === "b";
  // Records up to the fifth may name it.
  numbers.sweep(isLeft, records(5, 3));
  numbers.sweep(isLeft, records(9, 4));
  assertEquals(numbers.get(1), "b");
  assertEquals(numbers.add(() => "d"), 3);
  numbers.sweep(isLeft, records(12, 5));
  assertEquals([numbers.get(1), numbers.find((name) => name === "b")], [undefined, -1]);
  assertEquals(numbers.add((number) => `at ${number}`), 1);
  assertEquals([...numbers], [[0, "a"], [1, "at 1"], [2, "c"], [3, "d"]]);
});

Deno.test("what is taken up again in between counts as never left", () => {
  const numbers = new Numbers<string>();
  numbers.add(() => "a");
  numbers.sweep(() => true, records(5, 0));
  numbers.sweep(() => false, records(7, 6));
  numbers.sweep(() => true, records(8, 7));
  assertEquals(numbers.get(0), "a");
});

Deno.test("nothing keeps its number that was not made", () => {
  const numbers = new Numbers<string>();
  try {
    numbers.add(() => {
      throw new RangeError("full");
    });
  } catch {
    // As it should be.
  }
  assertEquals(numbers.add(() => "a"), 0);
});
