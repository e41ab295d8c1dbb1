// A reload that changed how backends are asked for their load forgot at once what had been said: until the
// first answer came, those that their agents had drained got sessions, and the pool was without any load.

import { assertEquals } from "@std/assert";
import { PoolController } from "../../lib/app/pool_controller.ts";
import type { LoadResult } from "../../lib/core/pool/load.ts";
import { ManualClock, settled } from "../support/manual_clock.ts";
import { poolConfig } from "../support/pool_config.ts";
import { usableIn } from "../support/pools.ts";

const [A, B] = ["192.0.2.1:22", "192.0.2.2:22"] as const;

const configOf = (load: object) =>
  poolConfig({ backends: [A, B], load, health: { probe: "none" } });

Deno.test("what load sources have said holds until those of a reload have answered", async () => {
  const clock = new ManualClock();
  let answers: Record<string, (result: LoadResult) => void> = {};
  await using controller = new PoolController(configOf({ source: "agent", agent: { port: 1 } }), {
    clock,
    random: () => 0.5,
    log: { error: () => {}, warning: () => {}, info: () => {}, debug: () => {} },
    createLoadSource: ({ source }) =>
      source === "none" ? undefined : {
        kind: source,
        sample: ({ id }, signal) =>
          new Promise((resolve) => {
            answers[id] = resolve;
            const stopped = () => resolve({ kind: "failed", reason: "stopped" });
            signal.addEventListener("abort", stopped, { once: true });
          }),
        forget: () => {},
        [Symbol.asyncDispose]: () => Promise.resolve(),
      },
    resolve: (address) => Promise.resolve({ ok: true, value: [address] }),
    alreadyResolved: () => true,
    publish: () => {},
    weighed: () => {},
  });
  const { pool } = controller;
  const loads = () => pool.members.map(({ load }) => load?.load1);
  const heard = async (a: LoadResult, b: LoadResult) => {
    // Which order the first rounds go in, and when, is not what this is about.
    await clock.advance(1000);
    answers[A]?.(a);
    answers[B]?.(b);
    await settled();
  };
  const load = (load1: number): LoadResult => ({
    kind: "sample",
    sample: { load1, takenAtMs: clock.now() },
  });
  await controller.prepare();
  await controller.start();
  await heard(load(1), { kind: "advice", advice: { admin: "drain" } });
  assertEquals([usableIn(pool), loads()], [[A], [1, undefined]]);

  answers = {};
  await controller.reconfigure(configOf({ source: "agent", agent: { port: 2 } }));
  await clock.advance(1000);
  assertEquals([usableIn(pool), loads()], [[A], [1, undefined]]);
  await heard({ kind: "failed", reason: "no answer" }, load(2));
  assertEquals([usableIn(pool), loads()], [[A, B], [undefined, 2]]);

  await controller.reconfigure(configOf({ source: "none" }));
  assertEquals([usableIn(pool), loads()], [[A, B], [undefined, undefined]]);
});
