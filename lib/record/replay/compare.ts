// Sets what was recorded beside what strategies would have made of it.

import type { StrategyName } from "../../strategy/registry.ts";
import type { Measures } from "./measure.ts";
import { learnLoad } from "./outside_load.ts";
import type { RecordedPool } from "./recording.ts";
import { measureRecorded } from "./course.ts";
import { agree, replay } from "./replay.ts";

/** What `simulate --replay --json` prints. */
export interface ReplayReport {
  readonly file: string;
  readonly assumptions: readonly string[];
  readonly pools: readonly PoolReplay[];
}

export interface PoolReplay {
  readonly pool: string;
  /** From the first event to the last, breaks included. */
  readonly seconds: number;
  readonly sessions: number;
  /** Clients that got no backend: they are left out. */
  readonly refused: number;
  /** Cores that a session takes along. */
  readonly sessionCost: number;
  readonly recorded: PlacementReport & {
    /** The strategies that were configured, in order. */
    readonly strategies: readonly string[];
  };
  readonly replayed: readonly (PlacementReport & {
    readonly strategy: StrategyName;
    readonly turnedAway: number;
    /** Sessions that land on another backend than recorded. */
    readonly elsewhere: number;
    /** Share of sessions for which it makes the recorded choice, each in its own situation; null without any. */
    readonly same: number | null;
    /** Of the other choices, the share that chance made: near-equals, or a draw; null without any. */
    readonly otherByChance: number | null;
  })[];
}

export interface PlacementReport {
  /** By backend. */
  readonly sessions: Readonly<Record<string, number>>;
  /** Null without sessions. */
  readonly freeMean: number | null;
  readonly free95: number | null;
  /** Null when no load interval had enough sessions. */
  readonly herdIndex: number | null;
  readonly avoidableOverload: number;
}

/** What every replay takes for granted. */
const ASSUMPTIONS: readonly string[] = [
  "a session that lands elsewhere takes its load along, at the learnt cost of a session",
  "it ends when it was recorded to end, however fast its backend is",
  "all other load, health and refused connections stay as recorded",
  "clients that were turned away are left out",
  "free memory, pressure, weights and what agents say stay as recorded",
];

/** Replays every pool of a recording by each of these strategies. */
export function compareStrategies(
  file: string,
  pools: readonly RecordedPool[],
  strategies: readonly StrategyName[],
): ReplayReport {
  return {
    file,
    assumptions: ASSUMPTIONS,
    pools: pools.map((pool) => comparePool(pool, strategies)),
  };
}

function comparePool(pool: RecordedPool, strategies: readonly StrategyName[]): PoolReplay {
  const { name, events, sessions, refused } = pool;
  const learnt = learnLoad(pool);
  const configured = events.flatMap((event) =>
    event.kind === "reset" || event.kind === "pool" ? [event.line.strategy] : []
  );
  return {
    pool: name,
    seconds: ((events.at(-1)?.t ?? 0) - (events[0]?.t ?? 0)) / 1000,
    sessions,
    refused,
    sessionCost: learnt.sessionCost,
    recorded: {
      strategies: [...new Set(configured)],
      ...reportPlacement(measureRecorded(pool, learnt)),
    },
    replayed: strategies.map((strategy) => {
      const { measures, turnedAway, elsewhere } = replay(pool, learnt, strategy);
      const { same, otherByChance } = agree(pool, learnt, strategy);
      const others = sessions - same;
      return {
        strategy,
        ...reportPlacement(measures),
        turnedAway,
        elsewhere,
        same: sessions === 0 ? null : same / sessions,
        otherByChance: others === 0 ? null : otherByChance / others,
      };
    }),
  };
}

function reportPlacement(measures: Measures): PlacementReport {
  return {
    sessions: Object.fromEntries(measures.sessions),
    freeMean: known(measures.freeMean),
    free95: known(measures.free95),
    herdIndex: known(measures.herdIndex),
    avoidableOverload: measures.avoidableOverload,
  };
}

function known(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
