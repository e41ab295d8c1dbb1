// Who places the sessions of one pool: its strategy, or the fallback while the strategy knows no load; and
// whether there is anybody to place them on. Says when that changes.

import type { PickTable } from "../core/pick/pick_table.ts";
import type { Pool } from "../core/pool/pool.ts";
import { backupTierOf } from "../core/pool/standing.ts";
import { memoryFactors } from "../core/watch/shortages.ts";
import { FreeCores } from "../core/estimate/free_cores.ts";
import { strategyNamed } from "../strategy/registry.ts";
import type { MemberView, PoolView } from "../core/pool/member_view.ts";
import type { Strategy } from "../strategy/strategy.ts";
import { BY_TOKEN } from "../strategy/token.ts";
import { weigh } from "../strategy/weigh.ts";
import { isFed, type PoolConfig } from "../config/config.ts";

type PlacementConfig =
  & Pick<PoolConfig, "strategy" | "fallback">
  & Partial<Pick<PoolConfig, "feed">>;

/** What has changed, as a sentence about the pool. */
export interface PlacementChange {
  readonly level: "info" | "warning";
  readonly text: string;
}

/** What is known of the loads besides the view. */
export interface LoadProspect {
  /** Whether the pool's loads are asked at all. */
  readonly asked: boolean;
  /** Whether first samples are still to come: nothing is degraded yet then. */
  readonly awaited: boolean;
}

export class Placement {
  /** The pool's estimate, for whatever strategy comes: a reload forgets nothing that was learnt. */
  readonly #freeCores = new FreeCores();
  #strategy: Strategy;
  #fallback: Strategy;
  /** The one of them that weighed last while there was anybody to choose. */
  #placing: Strategy;
  /** The fallback places, and that was said. */
  #degraded = false;
  #nobody = false;

  constructor(config: PlacementConfig) {
    this.#strategy = strategyOf(config);
    this.#fallback = strategyNamed(config.fallback);
    this.#placing = this.#strategy;
  }

  /** The name of what is to place sessions. */
  get strategy(): string {
    return this.#strategy.name;
  }

  /** The name of what places sessions. */
  get inUse(): string {
    return this.#placing.name;
  }

  /** Cores that each new login counts for while a burst is dealt out; they are not taken off the free ones. */
  get burstCost(): number {
    return this.#placing.dealsBursts ? this.#freeCores.burstCost : 0;
  }

  setConfig(config: PlacementConfig): void {
    this.#fallback = strategyNamed(config.fallback);
    const strategy = strategyOf(config);
    if (strategy === this.#strategy) return;
    this.#strategy = strategy;
    this.#placing = this.#strategy;
    this.#degraded = false;
  }

  /** The strategy that a kernel ran for, in the words of lb.conf. */
  strategyOf(kernel: string): string {
    for (const strategy of [this.#strategy, this.#fallback]) {
      if (strategy.kernel.name === kernel) return strategy.name;
    }
    return kernel;
  }

  /** Writes the table by what is known now. */
  weigh(
    view: PoolView,
    table: PickTable,
    nowMs: number,
    prospect: LoadProspect,
  ): PlacementChange[] {
    const placing = weigh(this.#strategy, this.#fallback, view, table, nowMs, this.#freeCores);
    const changes: PlacementChange[] = [];
    // Without a token yet, clients wait for the first.
    const isBeginning = view.length === 0 && this.#strategy === BY_TOKEN;
    const nobody = !isBeginning &&
      !view.some(({ usable, backupTier = 0 }) => usable || backupTier > 0);
    if (nobody !== this.#nobody) {
      this.#nobody = nobody;
      changes.push(
        nobody
          ? { level: "warning", text: "no backend can be used: new clients are turned away" }
          : { level: "info", text: "a backend can be used again: new clients are taken" },
      );
    }
    // Where nobody can be used, loads are not what is missing: it is no matter of the fallback.
    if (nobody) {
      table.kernel = this.#placing.kernel.number;
      return changes;
    }
    this.#placing = placing;
    return [...changes, ...this.#tellDegraded(placing !== this.#strategy, prospect)];
  }

  #tellDegraded(degraded: boolean, { asked, awaited }: LoadProspect): PlacementChange[] {
    if (degraded === this.#degraded || (degraded && awaited)) return [];
    this.#degraded = degraded;
    const { name } = this.#strategy;
    if (!degraded) return [{ level: "info", text: `places by ${name} again` }];
    const instead = `places by ${this.#fallback.name}`;
    return asked
      ? [{
        level: "warning",
        text: `no usable backend has a fresh load: ${instead} until one has`,
      }]
      : [{ level: "info", text: `${instead}: ${name} needs a load, load.source is none` }];
  }
}

function strategyOf(config: PlacementConfig): Strategy {
  return isFed(config) ? BY_TOKEN : strategyNamed(config.strategy);
}

/** What a pool's strategy is shown of its backends. */
export function viewOf(
  pool: Pool,
  { pressure, memory }: Pick<PoolConfig, "pressure" | "memory">,
  nowMs: number,
): PoolView {
  const { members } = pool;
  const loads = members.map((member) => pool.freshLoad(member, nowMs));
  const factors = memoryFactors(loads, memory.weight);
  return members.map((member, index): MemberView => {
    const load = loads[index];
    const backupTier = backupTierOf(pool, member);
    return {
      row: member.row,
      backend: member.backend,
      usable: pool.isUsable(member),
      ...(backupTier === 0 ? {} : { backupTier }),
      ...(load === undefined ? {} : { load }),
      cores: pool.coresOf(member).cores,
      weight: pool.weightOf(member),
      memoryFactor: factors[index] ?? 1,
      loadWeight: pool.loadWeightOf(member),
      ...(pressure.correctLoad && load?.cpuPressure !== undefined
        ? { cpuPressure: load.cpuPressure }
        : {}),
    };
  });
}
