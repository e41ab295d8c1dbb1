// What was said of limits and cores: a server was used "instead of those that are short" when none was,
// `status` was silent of servers that are used although they are short, a limit could be set that no server
// ever comes back from, `why` named the fallback where nobody could be used, and assumed cores were told of
// one backend alone, again with every reload.

import { kernelAt } from "../../lib/core/pick/kernels/registry.ts";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { Placement } from "../../lib/app/placement.ts";
import { untoldBySources } from "../../lib/config/warnings.ts";
import { readConfig } from "../../lib/config/read_config.ts";
import { PickTable } from "../../lib/core/pick/pick_table.ts";
import { Shortages } from "../../lib/core/watch/shortages.ts";
import { renderPool } from "../../lib/cli/status_table.ts";
import { poolConfig } from "../support/pool_config.ts";
import { backendsNamed, runningPool, texts, usableIn } from "../support/pools.ts";
import { BACKEND, POOL } from "../unit/cli/reports.ts";

const GIB = 2 ** 30;

Deno.test("when limits are loosened, nobody is said to be short still; before, status says it", () => {
  const pool = runningPool(["a", "b"]);
  const watch = (bytes: number) => ({ memory: { minAvailable: { bytes } }, pressure: {} });
  const shortages = new Shortages(watch(4 * GIB));
  for (const id of ["a", "b"]) {
    const sample = { load1: 1, takenAtMs: 0, memoryAvailableBytes: 2 * GIB };
    pool.observeLoad(id, { kind: "sample", sample }, 0);
  }
  shortages.judge(pool, 0);
  const reason = "2.0GiB of memory is available, less than 4.0GiB (back at 4.4GiB)";
  assertEquals(pool.members.map(({ shortage }) => shortage), [reason, reason]);
  shortages.setRules(watch(GIB));
  assertEquals(texts(shortages.judge(pool, 0)), [
    "a is used like all others: none is short any more",
  ]);
  assertEquals(usableIn(pool), ["a", "b"]);
  assertEquals(pool.members.map(({ shortage }) => shortage), [undefined, undefined]);
  const drawn = renderPool({ ...POOL, backends: [{ ...BACKEND, shortage: reason }] }, 0, false);
  assertEquals(drawn.at(-1), `    used, for no other has enough: ${reason}`);
});

Deno.test("a share of memory from which no server can come back is refused", () => {
  const read = (share: string) =>
    readConfig({
      file: {
        path: "lb.conf",
        text: "frontends: { f: { listen: ':22', pool: p } }\n" +
          `pools: { p: { backends: a, memory: { min_available: ${share} } } }\n`,
      },
    });
  const refused = read("91%");
  assertEquals(refused.ok ? [] : refused.errors.map(({ line, message }) => `${line} ${message}`), [
    '2 Cannot read "91%" as a percentage: expected 0% to 90% (a server that was short needs a tenth more)',
  ]);
  assertEquals(read("90%").ok, true);
});

Deno.test("where nobody can be used, the strategy decides that", () => {
  const placement = new Placement({ strategy: "least_load", fallback: "round_robin" });
  const table = PickTable.allocate(4);
  table.claim(new Set(), 0);
  const view = backendsNamed(["a"]).map((backend) => ({
    row: 0,
    backend,
    usable: false,
    cores: 1,
    weight: 0,
    load: { load1: 0, takenAtMs: 0 },
  }));
  placement.weigh(view, table, 0, { asked: true, awaited: false });
  assertEquals(placement.strategyOf(kernelAt(table.kernel).name), "least_load");
});

Deno.test("assumed cores are not told again by a reload that changes nothing", () => {
  const pool = runningPool(["a", "b"]);
  const observe = (id: string) =>
    pool.observeLoad(id, { kind: "sample", sample: { load1: 1, takenAtMs: 0 } }, 0);
  observe("a");
  observe("b");
  assertStringIncludes(texts(pool.tellAssumedCores()).join(), "a (and b) has 1 core by assumption");
  pool.setBackends(backendsNamed(["a", "b", "c"]), 0);
  assertEquals(pool.tellAssumedCores(), []);
  observe("c");
  assertStringIncludes(texts(pool.tellAssumedCores()).join(), "c has 1 core by assumption");
});

Deno.test("a limit of which lb.conf itself shows that it is in vain is not told of once more", () => {
  const pool = runningPool(["a"]);
  pool.observeLoad("a", { kind: "sample", sample: { load1: 1, takenAtMs: 0 } }, 0);
  const config = poolConfig({ memory: { min_available: "1GiB" }, backends: ["a"] });
  assertEquals(new Shortages(config).judge(pool, 0).length, 1);
  assertEquals(new Shortages(config, untoldBySources(config)).judge(pool, 0), []);
});
