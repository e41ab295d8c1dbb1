// What every strategy keeps, and what each is for.

import { assert, assertEquals } from "@std/assert";
import type { LoadSample } from "../../../lib/core/pool/load.ts";
import {
  ELIGIBLE,
  FREE_MILLI_CORES,
  PickTable,
  UNKNOWN_FREE,
} from "../../../lib/core/pick/pick_table.ts";
import { Choice, pick } from "../../../lib/core/pick/pick_kernels.ts";
import { STRATEGIES, STRATEGY_NAMES } from "../../../lib/strategy/registry.ts";

import { LEAST_LOAD } from "../../../lib/strategy/least_load.ts";
import { RANDOM } from "../../../lib/strategy/random.ts";
import { FreeCores } from "../../../lib/core/estimate/free_cores.ts";
import type { MemberView } from "../../../lib/core/pool/member_view.ts";
import { weigh } from "../../../lib/strategy/weigh.ts";
import { backendAt } from "../../support/backends.ts";

function member(row: number, cores: number, load1?: number, usable = true): MemberView {
  const load: LoadSample | undefined = load1 === undefined ? undefined : { load1, takenAtMs: 0 };
  return {
    row,
    backend: backendAt(`h${row}`),
    usable,
    cores,
    weight: 1,
    ...(load === undefined ? {} : { load }),
  };
}

function tableFor(view: readonly MemberView[]): PickTable {
  const table = PickTable.allocate(8);
  const taken = new Set<number>();
  for (const _ of view) taken.add(table.claim(taken));
  return table;
}

for (const strategy of STRATEGIES) {
  Deno.test(`${strategy.name} never makes an unusable backend eligible`, () => {
    const view = [member(0, 4, 1), member(1, 4, 1, false), member(2, 4, undefined, false)];
    const table = tableFor(view);
    weigh(strategy, strategy, view, table, 0, new FreeCores());
    assertEquals([0, 1, 2].map((row) => table.read(row, ELIGIBLE)), [1, 0, 0]);
    assertEquals(table.kernel, strategy.kernel.number);
  });
}

Deno.test("least_load: 24 cores with load 15 beat 12 cores with load 8", () => {
  const view = [member(0, 12, 8), member(1, 24, 15)];
  const table = tableFor(view);
  weigh(LEAST_LOAD, LEAST_LOAD, view, table, 0, new FreeCores());
  assertEquals(table.read(1, FREE_MILLI_CORES), 9000);
  assertEquals(pick(table, null, 0, new Choice()), 1);
});

Deno.test("least_load: a backend without a load is the last resort while another has one", () => {
  const view = [member(0, 64), member(1, 1, 50)];
  const table = tableFor(view);
  weigh(LEAST_LOAD, LEAST_LOAD, view, table, 0, new FreeCores());
  assertEquals(table.read(0, FREE_MILLI_CORES), UNKNOWN_FREE);
  assertEquals(pick(table, null, 0, new Choice()), 1);
  table.write(1, ELIGIBLE, 0);
  assertEquals(pick(table, null, 0, new Choice()), 0);
});

Deno.test("least_load: a mean over seconds is not rid of a lag that it has not", () => {
  const freeAfter = (instant: boolean) => {
    const freeCores = new FreeCores();
    const at = (takenAtMs: number, load1: number): MemberView => ({
      ...member(0, 64),
      load: { load1, takenAtMs, ...(instant ? { instant } : {}) },
    });
    const table = tableFor([at(0, 0)]);
    weigh(LEAST_LOAD, LEAST_LOAD, [at(0, 0)], table, 0, freeCores);
    weigh(LEAST_LOAD, LEAST_LOAD, [at(10_000, 4)], table, 10_000, freeCores);
    return table.read(0, FREE_MILLI_CORES);
  };
  // As a load average, 4 after 10 s means that 26 tasks ran meanwhile.
  assert(freeAfter(true) >= 60_000, `${freeAfter(true)}`);
  assert(freeAfter(false) < 45_000, `${freeAfter(false)}`);
});

Deno.test("least_load leaves it to the fallback when no usable backend has a load", () => {
  const view = [member(0, 4), member(1, 4, 1, false)];
  const table = tableFor(view);
  assertEquals(weigh(LEAST_LOAD, RANDOM, view, table, 0, new FreeCores()), RANDOM);
  assertEquals(table.kernel, RANDOM.kernel.number);
});

Deno.test("the manual and the example name every strategy", async () => {
  const root = new URL("../../../", import.meta.url);
  const [manual = "", example = ""] = await Promise.all(
    ["lib/manual/strategies.txt", "lb.conf.example"].map((file) =>
      Deno.readTextFile(new URL(file, root))
    ),
  );
  const named = [...manual.matchAll(/^ {2}([a-z_]+)(?: \(default\))?$/gm)].map(([, name]) => name);
  assertEquals(STRATEGY_NAMES.filter((name) => !named.includes(name)), []);
  assert(example.includes(STRATEGY_NAMES.join(" | ")));
});
