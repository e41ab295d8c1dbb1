// With every backend held back, the log said that no load was known and that the fallback places, and
// nothing said that clients were turned away. After a reload with another strategy it said "again".

import { assertEquals } from "@std/assert";
import { Placement } from "../../lib/app/placement.ts";
import { PickTable } from "../../lib/core/pick/pick_table.ts";
import type { MemberView } from "../../lib/core/pool/member_view.ts";
import { backendsNamed } from "../support/pools.ts";

const KNOWN = { asked: true, awaited: false };
const LOADED = { load: { load1: 0, takenAtMs: 0 } };

function view(usable: boolean, rest: Partial<MemberView> = {}): MemberView[] {
  return backendsNamed(["a"]).map((backend) => ({
    row: 0,
    backend,
    usable,
    cores: 1,
    weight: 1,
    memoryFactor: 1,
    loadWeight: 1,
    ...rest,
  }));
}

function site() {
  const placement = new Placement({ strategy: "least_load", fallback: "round_robin" });
  const table = PickTable.allocate(4);
  table.claim(new Set(), 0);
  const weigh = (members: readonly MemberView[], prospect = KNOWN) =>
    placement.weigh(members, table, 0, prospect).map(({ text }) => text);
  return { placement, weigh };
}

Deno.test("a pool of which no backend can be used says that, once, and not that loads are missing", () => {
  const { placement, weigh } = site();
  assertEquals(weigh(view(true, LOADED)), []);
  assertEquals(weigh(view(false, LOADED)), [
    "no backend can be used: new clients are turned away",
  ]);
  assertEquals(weigh(view(false, LOADED)), []);
  assertEquals(placement.inUse, "least_load");
  assertEquals(weigh(view(true, LOADED)), ["a backend can be used again: new clients are taken"]);
});

Deno.test("the fallback is said to place while no load is known, and its end is", () => {
  const { placement, weigh } = site();
  assertEquals(weigh(view(true), { asked: true, awaited: true }), []);
  assertEquals(weigh(view(true)), [
    "no usable backend has a fresh load: places by round_robin until one has",
  ]);
  assertEquals(placement.inUse, "round_robin");
  assertEquals(weigh(view(true, LOADED)), ["places by least_load again"]);
  assertEquals(weigh(view(true), { asked: false, awaited: false }), [
    "places by round_robin: least_load needs a load, load.source is none",
  ]);
});

Deno.test("another strategy after a reload does not place again", () => {
  const { placement, weigh } = site();
  weigh(view(true, LOADED));
  placement.setConfig({ strategy: "two_choices", fallback: "round_robin" });
  assertEquals([weigh(view(true, LOADED)), placement.inUse], [[], "two_choices"]);
});
