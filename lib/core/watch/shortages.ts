// What a pool watches its backends for besides CPU: memory and pressure, with the limits that lb.conf
// sets; and how much free memory counts in the choice among those that have enough.

import type { LoadSample } from "../pool/load.ts";
import { type HoldCause, SHORTAGES } from "../pool/member.ts";
import { type Gauge, type Headroom, ShortageWatch } from "./shortage_watch.ts";
import { describeSize } from "../values/size.ts";

/** An amount of memory, or a share of all there is (0 to 1); 0 is no limit. */
export type MemoryFloor = { readonly bytes: number } | { readonly share: number };

export interface ShortageRules {
  readonly memory: { readonly minAvailable: MemoryFloor };
  /** Shares of time, 0 to 1; absent: no limit. */
  readonly pressure: { readonly maxCpu?: number; readonly maxMemory?: number };
}

/** A backend that was short of memory must have so much more than the limit to come back. */
const MEMORY_ENOUGH = 1.1;
/** Pressure swings within seconds: it must fall to three quarters of the limit. */
const PRESSURE_ENOUGH = 4 / 3;

/** A pool's watch for all of it. */
export class Shortages extends ShortageWatch {
  constructor(rules: ShortageRules, untold?: ReadonlySet<HoldCause>) {
    super(SHORTAGES);
    this.setRules(rules, untold);
  }

  /** @param untold what no load source can tell, as lb.conf shows: it has been said. */
  setRules({ memory, pressure }: ShortageRules, untold: ReadonlySet<HoldCause> = new Set()): void {
    const gauges = [memoryGauge(memory.minAvailable), pressureGauge(pressure)];
    this.setGauges(gauges.filter((gauge) => gauge !== undefined), untold);
  }
}

function memoryGauge(floor: MemoryFloor): Gauge | undefined {
  if (("bytes" in floor ? floor.bytes : floor.share) === 0) return undefined;
  return {
    cause: "memory",
    words: {
      quantity: "free memory",
      enough: "it has enough memory again",
    },
    enough: MEMORY_ENOUGH,
    read: ({ memoryAvailableBytes: available, memoryTotalBytes: total }): Headroom | undefined => {
      if (available === undefined) return undefined;
      if ("bytes" in floor) {
        const ratio = available / floor.bytes;
        const [limit, back] = [floor.bytes, floor.bytes * MEMORY_ENOUGH].map(describeSize);
        const told = describeSize(available);
        // Rounding must not make two equal that are not.
        const exact = told === limit || told === back
          ? `${Math.floor(available / 2 ** 20)}MiB`
          : told;
        return {
          ratio,
          reason: `${exact} of memory is available, less than ${until(ratio, limit, back)}`,
        };
      }
      if (total === undefined) return undefined;
      const ratio = available / (floor.share * total);
      const [limit, back] = [floor.share, floor.share * MEMORY_ENOUGH].map(describePercent);
      const reason = `${describeSize(available)} of ${describeSize(total)} memory is available, ` +
        `less than ${until(ratio, limit, back)}`;
      return { ratio, reason };
    },
  };
}

/** The limit, and where a backend that was short comes back; beyond the limit, the latter alone. */
function until(ratio: number, limit = "", back = ""): string {
  return ratio < 1 ? `${limit} (back at ${back})` : `the ${back} at which it comes back`;
}

function pressureGauge({ maxCpu, maxMemory }: ShortageRules["pressure"]): Gauge | undefined {
  const limits = [
    { what: "a CPU", key: "cpuPressure", most: maxCpu },
    { what: "memory", key: "memoryPressure", most: maxMemory },
  ] as const;
  if (maxCpu === undefined && maxMemory === undefined) return undefined;
  return {
    cause: "pressure",
    words: {
      quantity: "pressure",
      enough: "its pressure is low again",
    },
    enough: PRESSURE_ENOUGH,
    read: (sample): Headroom | undefined => {
      let worst: Headroom | undefined;
      for (const { what, key, most } of limits) {
        const share = sample[key];
        if (most === undefined || share === undefined) continue;
        // Without any pressure the ratio is infinite: enough.
        const ratio = most / share;
        const [limit, back] = [most, most / PRESSURE_ENOUGH].map(describePercent);
        const reason = `tasks wait for ${what} ${describePercent(share)} of the time, more than ` +
          until(ratio, limit, back);
        if (worst === undefined || ratio < worst.ratio) worst = { ratio, reason };
      }
      return worst;
    },
  };
}

/** A share for people to read: "12.5%". */
export function describePercent(share: number): string {
  return `${Math.round(share * 1000) / 10}%`;
}

/** A factor on a score for each backend: less than this share of memory counts as this much. */
const LEAST_SHARE = 0.02;

/**
 * What free memory does to scores: (MemAvailable ÷ MemTotal)^weight for each backend, 1 at weight 0. One
 * that does not tell its memory counts as the mean of those that do.
 */
export function memoryFactors(
  samples: readonly (LoadSample | undefined)[],
  weight: number,
): readonly number[] {
  const shares = samples.map((sample) => {
    const { memoryAvailableBytes: available, memoryTotalBytes: total } = sample ?? {};
    if (available === undefined || total === undefined || !(total > 0)) return undefined;
    return Math.min(1, Math.max(LEAST_SHARE, available / total));
  });
  const known = shares.filter((share) => share !== undefined);
  const mean = known.length === 0 ? 1 : known.reduce((sum, share) => sum + share, 0) / known.length;
  return shares.map((share = mean) => Math.pow(share, weight));
}
