// Ejects backends whose probes pass while real connections to them fail. One per pool.
//
// Health reacts at once: after `fall` connects in a row it takes a backend down until a probe passes
// again. Here is the memory behind it: failures count on over such ups and downs, as long as no
// connection succeeds and no probe sees the fault too. When `failures` are reached, probes are no longer
// believed for a while.

import { formatDuration } from "../values/duration.ts";
import { BACKENDS_FAULT, type FailureKind } from "../values/errors.ts";
import type { Pool } from "../pool/pool.ts";
import type { PoolChange } from "../pool/pool_change.ts";
import { EjectionBackoff, LINEAR, mayHold } from "./ejection_backoff.ts";

export interface OutlierRules {
  /** Failures in a row that eject; 0: nobody is ejected. Envoy's consecutive_5xx: 5. */
  readonly failures: number;
  /** The first ejection lasts so long, the n-th in short order n times that, at most 10 times. */
  readonly ejectionMs: number;
  /** Of the pool, 0 to 1: more are not held back for what sessions went through. */
  readonly maxHeldShare: number;
}

class Evidence {
  failures = 0;
  reason = "";
  readonly backoff = new EjectionBackoff(LINEAR);
  /** NaN while it is not ejected. */
  untilMs = NaN;
  /** Let go, and nothing has succeeded since: the next failure ejects again. */
  onProbation = false;
  /** Said that it should be ejected but cannot be. */
  capped = false;
}

export class Outliers {
  #rules: OutlierRules;
  readonly #evidence = new Map<string, Evidence>();

  constructor(rules: OutlierRules) {
    this.#rules = rules;
  }

  /** Counts and backoff are kept. Where nobody is ejected any more, those that are come back. */
  setRules(pool: Pool, rules: OutlierRules): PoolChange[] {
    this.#rules = rules;
    if (rules.failures > 0) return [];
    const changes = [...this.#evidence.keys()].flatMap((id) =>
      pool.release(id, "outlier", "outliers are not watched any more")
    );
    this.#evidence.clear();
    return changes;
  }

  /** Takes in what came of a real connect; call it before health is told. */
  observeConnect(
    pool: Pool,
    id: string,
    failure: FailureKind | undefined,
    nowMs: number,
  ): PoolChange[] {
    if (failure === undefined) return this.#succeeded(pool, id);
    const member = pool.member(id);
    if (this.#rules.failures === 0 || member === undefined || !BACKENDS_FAULT.has(failure)) {
      return [];
    }
    // What is down is not expected to answer: it is asked as a last resort, or by who was on his way.
    if (member.leaving || member.health.state === "down" || member.holds.has("outlier")) return [];
    const evidence = this.#evidence.get(id) ?? new Evidence();
    this.#evidence.set(id, evidence);
    evidence.failures++;
    const { failures } = evidence;
    const count = failures === 1 ? "a connection" : `${failures} connections in a row`;
    evidence.reason = `${count} failed (${failure}) although its probes pass`;
    return this.#judge(pool, id, evidence, nowMs);
  }

  /** A probe failed while the backend was down: probes see the fault, and will see its end. */
  probesAgree(id: string): void {
    const evidence = this.#evidence.get(id);
    if (evidence !== undefined) evidence.failures = 0;
  }

  /** Lets time pass: ejections end, and those that could not be carried out are tried again. */
  tick(pool: Pool, nowMs: number): PoolChange[] {
    return [...this.#evidence].flatMap(([id, evidence]) => {
      if (evidence.untilMs > nowMs) return [];
      if (Number.isNaN(evidence.untilMs)) return this.#judge(pool, id, evidence, nowMs);
      evidence.untilMs = NaN;
      evidence.failures = 0;
      evidence.onProbation = true;
      return pool.release(id, "outlier", "its ejection is over, the next failure ejects it again");
    });
  }

  /** Until when a backend is ejected, by the clock; undefined when it is not. */
  untilMs(id: string): number | undefined {
    const until = this.#evidence.get(id)?.untilMs;
    return until === undefined || Number.isNaN(until) ? undefined : until;
  }

  /** Forgets a backend that has left the pool: should it join again, it joins with a clean slate. */
  forget(pool: Pool, id: string): void {
    this.#evidence.delete(id);
    pool.release(id, "outlier", "");
  }

  #succeeded(pool: Pool, id: string): PoolChange[] {
    const evidence = this.#evidence.get(id);
    if (evidence === undefined) return [];
    evidence.failures = 0;
    evidence.untilMs = NaN;
    evidence.onProbation = false;
    evidence.capped = false;
    return pool.release(id, "outlier", "a connection to it succeeded");
  }

  #judge(pool: Pool, id: string, evidence: Evidence, nowMs: number): PoolChange[] {
    const { failures, ejectionMs, maxHeldShare } = this.#rules;
    if (evidence.failures < (evidence.onProbation ? 1 : failures)) return [];
    if (pool.member(id)?.health.state === "down") return [];
    if (!mayHold(pool, id, maxHeldShare)) {
      if (evidence.capped) return [];
      evidence.capped = true;
      const text = `is used although ${evidence.reason}: no more backends may be held back`;
      return [{ level: "warning", backend: id, text }];
    }
    evidence.capped = false;
    const heldForMs = evidence.backoff.add(ejectionMs, nowMs);
    evidence.untilMs = nowMs + heldForMs;
    const reason = `${evidence.reason}; ejected for ${formatDuration(heldForMs)}`;
    return pool.hold(id, "outlier", reason, nowMs);
  }
}
