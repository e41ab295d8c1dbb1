// How many sessions the benches ask of a proxy.

import { assert, assertEquals } from "@std/assert";
import { SUBJECTS } from "../../bench/data_plane/figures.ts";
import { capacityOf } from "../../bench/data_plane/rivals.ts";

Deno.test("no proxy is asked to hold more sessions than it may open files for", () => {
  for (const openFiles of [1_024, 20_000, 65_536, 1_048_576, Infinity]) {
    for (const name of SUBJECTS) {
      const capacity = capacityOf(name, openFiles);
      assert(capacity > 0 && capacity <= 20_000, name);
      assert(capacity * (name === "go" ? 6 : 2) < openFiles, name);
    }
  }
});

Deno.test("10,000 sessions need a limit of a little over 20,000 files, in Go three times as many", () => {
  assert(capacityOf("haproxy", 20_400) >= 10_000);
  assert(capacityOf("haproxy", 20_000) < 10_000);
  assert(capacityOf("go", 60_400) >= 10_000);
  assertEquals(capacityOf("go", 20_000), 3_283);
});
