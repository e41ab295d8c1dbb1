// Until first samples had come or failed, seconds with daemons that do not answer, status said that
// least_load places, while the fallback did; and after a reload the old fallback's name stood there.

import { assertEquals } from "@std/assert";
import { Placement } from "../../lib/app/placement.ts";
import { PickTable } from "../../lib/core/pick/pick_table.ts";
import { backendAt } from "../support/backends.ts";

Deno.test("status names the fallback as soon as it places", () => {
  const placement = new Placement({ strategy: "least_load", fallback: "round_robin" });
  const table = PickTable.allocate(1);
  table.claim(new Set());
  const weigh = (load1?: number, usable = true) => {
    const load = load1 === undefined ? {} : { load: { load1, takenAtMs: 0 } };
    const member = { row: 0, backend: backendAt("a"), usable, cores: 4, weight: 1, ...load };
    placement.weigh([member], table, 0, { asked: true, awaited: true });
    return placement.inUse;
  };
  assertEquals(weigh(), "round_robin");
  assertEquals(weigh(1), "least_load");
  // Nobody is placed.
  assertEquals(weigh(undefined, false), "least_load");
  assertEquals(weigh(), "round_robin");
  placement.setConfig({ strategy: "least_load", fallback: "random" });
  assertEquals(weigh(), "random");
});
