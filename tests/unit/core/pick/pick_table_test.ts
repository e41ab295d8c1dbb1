import { assertEquals } from "@std/assert";
import { PickTable } from "../../../../lib/core/pick/pick_table.ts";
import { setKernel } from "../../../support/tables.ts";
Deno.test("a table that is cleared is as a new one, what clients stick to included", () => {
  const table = PickTable.allocate(4, 8);
  table.claim(new Set(), 7);
  setKernel(table, "random");
  table.words.fill(3, table.words.length - 8);
  table.clear();
  assertEquals(table.words, PickTable.allocate(4, 8).words);
});
