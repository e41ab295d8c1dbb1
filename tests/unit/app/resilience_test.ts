import { assert, assertEquals } from "@std/assert";
import { Resilience } from "../../../lib/app/resilience.ts";
import type { PoolConfig } from "../../../lib/config/config.ts";
import { readConfig } from "../../../lib/config/read_config.ts";
import type { EngineEvent } from "../../../lib/engine/engine.ts";
import { backendsNamed, probe, runningPool, usableIn } from "../../support/pools.ts";

/** A pool's configuration with these keys. */
function configOf(keys: string): PoolConfig {
  const text =
    `{ frontends: { f: { listen: ":22" } }, pools: { p: { backends: [a, b, c], ${keys} } } }`;
  const read = readConfig({ file: { path: "lb.conf", text } });
  const [pool] = read.ok ? read.config.pools : [];
  if (pool === undefined) throw new Error(read.ok ? "no pool" : read.errors[0]?.message);
  // Tests call backends by name alone.
  return {
    ...pool,
    backends: pool.backends.map((one, index) => ({ ...one, id: "abc"[index] ?? "" })),
  };
}

function watched(keys = "") {
  const pool = runningPool(["a", "b", "c"]);
  const resilience = new Resilience(pool, configOf(keys));
  resilience.observeBackends(0);
  resilience.settle(0);
  return { pool, resilience };
}

function connectFailed(backend: string): EngineEvent {
  const client = { transport: "tcp", host: "192.0.2.1", port: 1 } as const;
  const where = { frontend: "f", pool: "p", row: 0, backend, client, atMs: 0 };
  return { kind: "connect_failed", ...where, failure: "refused", message: "refused" };
}

Deno.test("Resilience keeps strikes over a reload and drops them when a backend leaves", () => {
  const { pool, resilience } = watched("outliers: { failures: 1, ejection: 10s }");
  resilience.observeEvent(connectFailed("a"), 0);
  resilience.tick(10_000);
  assertEquals(usableIn(pool), ["a", "b", "c"]);
  resilience.setConfig(configOf("outliers: { failures: 3, ejection: 10s }"));
  // On probation still: one is enough, and lasts twice as long.
  resilience.observeEvent(connectFailed("a"), 11_000);
  assertEquals(resilience.heldUntilMs("a", "outlier"), 31_000);
  pool.setBackends(backendsNamed(["b", "c"]), 12_000);
  resilience.observeBackends(12_000);
  pool.setBackends(backendsNamed(["a", "b", "c"]), 13_000);
  resilience.observeBackends(13_000);
  assertEquals(usableIn(pool), ["a", "b", "c"]);
  resilience.observeEvent(connectFailed("a"), 14_000);
  assertEquals(pool.member("a")?.holds.size, 0);
});

Deno.test("Resilience leaves connects to health where nothing probes", () => {
  const { pool, resilience } = watched("health: { probe: none }, outliers: { failures: 1 }");
  resilience.observeEvent(connectFailed("a"), 0);
  assertEquals(usableIn(pool), ["a", "b", "c"]);
});

Deno.test("Resilience lets the share of what comes back grow, second by second", () => {
  const { pool, resilience } = watched("slow_start: 100s");
  const shares = (nowMs: number) => {
    resilience.settle(nowMs);
    return pool.members.map((member) => pool.weightOf(member));
  };
  assertEquals(shares(1000), [1, 1, 1]);
  probe(pool, "b", false);
  shares(2000);
  probe(pool, "b", true);
  assertEquals(shares(3000), [1, 0.1, 1]);
  assertEquals(shares(53_000), [1, 0.5, 1]);
  assertEquals(shares(103_000), [1, 1, 1]);
});

Deno.test("Resilience doubts loads of nrpe and ssh, and takes a command at its word", () => {
  for (const [source, doubted] of [["nrpe", true], ["ssh", true], ["exec", false]] as const) {
    const command = source === "exec" ? ", exec: { command: /bin/load }" : "";
    const { pool, resilience } = watched(`load: { source: ${source}${command} }`);
    for (let nowMs = 0; nowMs <= 130_000; nowMs += 10_000) {
      pool.observeLoad("a", { kind: "sample", sample: { load1: 0.37, takenAtMs: nowMs } }, nowMs);
      resilience.observeLoad("a");
    }
    assertEquals(pool.member("a")?.loadDoubt !== undefined, doubted, source);
  }
});

Deno.test("Resilience says when a panic begins, grows and ends", () => {
  const { pool, resilience } = watched("panic: { below: 80%, last_resort: true }");
  pool.hold("a", "outlier", "test", 0);
  const begins = resilience.settle(1).panic;
  assertEquals(begins?.text, "panic: only 2 of 3 backends are usable: ejected ones are tried");
  assertEquals(resilience.settle(2).panic, undefined);
  for (const id of ["a", "b", "c"]) probe(pool, id, false);
  const grows = resilience.settle(3).panic;
  assert(grows?.text.endsWith("those that are down are tried as a last resort"), grows?.text);
  for (const id of ["a", "b", "c"]) probe(pool, id, true);
  pool.release("a", "outlier", "test");
  assertEquals(resilience.settle(4).panic?.level, "info");
  assertEquals(resilience.panic, undefined);
});
