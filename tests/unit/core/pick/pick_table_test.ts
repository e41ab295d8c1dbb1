import { assertEquals } from "@std/assert";
import { PickTable, TABLE_ID } from "../../../../lib/core/pick/pick_table.ts";
import { setKernel } from "../../../support/tables.ts";

Deno.test("a table that is cleared is as a new one, clients that stick or wait included", () => {
  const table = PickTable.allocate(4, 8, 16);
  const { id } = table;
  table.claim(new Set(), 7);
  setKernel(table, "random");
  table.words.fill(3, table.words.length - 24);
  table.clear();
  const made = PickTable.allocate(4, 8, 16);
  // But for what tells the two apart.
  made.words[TABLE_ID] = id;
  assertEquals(table.words, made.words);
});
