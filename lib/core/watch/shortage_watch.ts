// Keeps backends out that are short of something (memory, waiting CPUs) as their last samples say, and
// takes them back when they have clearly enough again. Never leaves clients without any backend: those
// that are kept out are backups for what no other can take.

import type { LoadSample } from "../pool/load.ts";
import type { HoldCause } from "../pool/member.ts";
import { isForgiven } from "./panic.ts";
import { ACTIVE, BACKUP, BACKUP_LAST } from "../pick/pick_table.ts";
import type { Pool } from "../pool/pool.ts";
import type { PoolChange } from "../pool/pool_change.ts";

/** What a sample says of one thing that a backend can be short of. */
export interface Headroom {
  /** What there is ÷ what there must be: below 1 the backend is short of it. */
  readonly ratio: number;
  /** Both figures, as a reason: "1.2GiB of memory is available, less than 2GiB". */
  readonly reason: string;
}

/** How a gauge speaks of what it reads. */
export interface GaugeWords {
  /** "free memory": what a sample tells, or does not. */
  readonly quantity: string;
  /** "it has enough memory again" */
  readonly enough: string;
}

/** One thing that backends can be short of. */
export interface Gauge {
  readonly cause: HoldCause;
  readonly words: GaugeWords;
  /** A backend that was short is taken back at this ratio; above 1. */
  readonly enough: number;
  /** Undefined when the sample does not tell. */
  readonly read: (sample: LoadSample) => Headroom | undefined;
}

/** Among those that are short, those whose ratio is so near to the best are as good. */
const NEAR_BEST = 0.9;

/** Stands for a number of tunnels that no backend exceeds. */
const TOLD = Infinity;

/** What one backend is short of, the worst first. */
type Shortages = readonly { readonly gauge: Gauge; readonly headroom: Headroom }[];

export class ShortageWatch {
  readonly #causes: ReadonlySet<HoldCause>;
  #gauges: readonly Gauge[] = [];
  /** What each backend is short of, used or not. */
  #short = new Map<string, ReadonlySet<HoldCause>>();
  /** Of what it was said that some source does not tell it. */
  readonly #silenceTold = new Set<HoldCause>();
  #untold: ReadonlySet<HoldCause> = new Set();
  #allShort = false;
  /** Fewest tunnels of each backup since it is one; TOLD once it was said that it got more. */
  #fewest: ReadonlyMap<string, number> = new Map();

  /** @param causes those that gauges will have: all holds of these are the watch's own. */
  constructor(causes: readonly HoldCause[]) {
    this.#causes = new Set(causes);
  }

  /**
   * Makes this what is watched; holds of other causes of ours end.
   * @param untold what no source can tell, which needs no word here.
   */
  setGauges(gauges: readonly Gauge[], untold: ReadonlySet<HoldCause>): void {
    this.#gauges = gauges;
    this.#untold = untold;
  }

  /**
   * Holds backends and lets them go by what is known of them now. Where every backend that could be used
   * otherwise is short of something, those with most are used all the same, which is said once.
   */
  judge(pool: Pool, nowMs: number): PoolChange[] {
    const changes: PoolChange[] = [];
    const short = new Map<string, Shortages>();
    for (const member of pool.members) {
      const { id } = member.backend;
      const sample = pool.freshFigures(member, nowMs);
      const found: { readonly gauge: Gauge; readonly headroom: Headroom }[] = [];
      for (const cause of this.#causes) {
        const gauge = this.#gauges.find((one) => one.cause === cause);
        if (gauge === undefined) {
          changes.push(...pool.release(id, cause, "this is not watched any more"));
          continue;
        }
        const { words, enough } = gauge;
        const headroom = sample === undefined ? undefined : gauge.read(sample);
        if (headroom === undefined) {
          changes.push(...pool.release(id, cause, `its ${words.quantity} is not known any more`));
          if (sample !== undefined) changes.push(...this.#tellSilence(id, gauge));
        } else if (headroom.ratio < (this.#short.get(id)?.has(cause) ? enough : 1)) {
          found.push({ gauge, headroom });
        } else {
          changes.push(...pool.release(id, cause, words.enough));
        }
      }
      if (found.length > 0) {
        short.set(id, found.toSorted((a, b) => a.headroom.ratio - b.headroom.ratio));
      }
    }
    changes.push(...this.#keepOut(pool, short, nowMs));
    this.#short = new Map(
      [...short].map(([id, found]) => [id, new Set(found.map(({ gauge }) => gauge.cause))]),
    );
    return changes;
  }

  #keepOut(pool: Pool, short: ReadonlyMap<string, Shortages>, nowMs: number): PoolChange[] {
    const changes: PoolChange[] = [];
    // A backend that takes part only because of a panic is no reason to hold others back.
    const left = pool.members.filter((member) =>
      pool.isUsable(member, this.#causes) && !isForgiven(pool, member)
    ).map(({ backend }) => backend.id);
    const allShort = left.length > 0 && left.every((id) => short.has(id));
    const shortLeft = left.filter((id) => short.has(id));
    const capped = allShort ? bestOf(shortLeft, short) : [];
    for (const member of pool.members) {
      const { id } = member.backend;
      member.shortage = capped.includes(id) ? short.get(id)?.[0]?.headroom.reason : undefined;
    }
    const [best = ""] = capped;
    const [worst] = short.get(best) ?? [];
    if (worst !== undefined && !this.#allShort) {
      const text =
        `is used although ${worst.headroom.reason}: no backend that could be used has enough`;
      changes.push({ level: "warning", backend: best, text });
    }
    for (const [id, found] of short) {
      for (const { gauge: { cause }, headroom: { reason } } of found) {
        // Among those with most, a little decides: no news, sample by sample.
        if (capped.includes(id)) pool.release(id, cause, "");
        else {
          const told = pool.hold(id, cause, reason, nowMs);
          if (!allShort) changes.push(...told);
        }
      }
    }
    const well = pool.members.find((member) => pool.isUsable(member) && !isForgiven(pool, member));
    if (this.#allShort && !allShort && well !== undefined) {
      const text = short.size > 0
        ? "is used instead of those that are short: it has enough"
        : "is used like all others: none is short any more";
      changes.push({ level: "info", backend: well.backend.id, text });
    }
    this.#allShort = allShort;
    const kept = shortLeft.filter((id) => !capped.includes(id));
    return [...changes, ...this.#setBackups(pool, kept, short)];
  }

  /**
   * Lets those that are kept out take what no other can, those with most first: being turned away is worse
   * than a backend that is short. Each pick decides that by itself (pick_kernels.ts), so nobody is taken
   * back and held again as others fill up, and no session goes there that another could have had.
   */
  #setBackups(
    pool: Pool,
    kept: readonly string[],
    short: ReadonlyMap<string, Shortages>,
  ): PoolChange[] {
    const best = bestOf(kept, short);
    const before = this.#fewest;
    const now = new Map<string, number>();
    this.#fewest = now;
    return pool.members.flatMap((member) => {
      const { id } = member.backend;
      member.backupTier = 0;
      if (!kept.includes(id)) return [];
      member.backupTier = best.includes(id) ? BACKUP : BACKUP_LAST;
      const active = pool.table.read(member.row, ACTIVE);
      const fewest = before.get(id) ?? active;
      const [worst] = short.get(id) ?? [];
      if (active <= fewest || worst === undefined) {
        now.set(id, fewest === TOLD ? TOLD : Math.min(active, fewest));
        return [];
      }
      now.set(id, TOLD);
      const text = `is given sessions although ${worst.headroom.reason}: no other could take them`;
      return [{ level: "warning", backend: id, text }];
    });
  }

  #tellSilence(id: string, { cause, words: { quantity } }: Gauge): PoolChange[] {
    if (this.#silenceTold.has(cause) || this.#untold.has(cause)) return [];
    this.#silenceTold.add(cause);
    const text = `is not held back by its ${quantity}: its load source does not tell that (nor ` +
      "may those of others: said once)";
    return [{ level: "warning", backend: id, text }];
  }
}

/** Those with most, best first. */
function bestOf(ids: readonly string[], short: ReadonlyMap<string, Shortages>): string[] {
  const ranked = ids.map((id) => ({ id, ratio: short.get(id)?.[0]?.headroom.ratio ?? 0 }))
    .sort((a, b) => b.ratio - a.ratio);
  const line = (ranked[0]?.ratio ?? 0) * NEAR_BEST;
  return ranked.filter(({ ratio }) => ratio >= line).map(({ id }) => id);
}
