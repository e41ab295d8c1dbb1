// How many cores the backends of a pool have: as configured, as their load sources told, or assumed by what
// is known of the others.

import { counted } from "../values/counted.ts";
import type { Member } from "./member.ts";
import type { PoolChange } from "./pool_change.ts";

/** A number of cores and who said it. */
export interface Cores {
  readonly cores: number;
  readonly from: "configured" | "learnt" | "assumed";
}

/** Cores of a backend where nothing is known of any. */
const ASSUMED_CORES = 1;

export class KnownCores {
  readonly #members: () => Iterable<Member>;
  /** Undefined: to be looked for anew. */
  #fewest: number | undefined;
  #assumedTold = false;

  /** Of these members, those that are leaving included. */
  constructor(members: () => Iterable<Member>) {
    this.#members = members;
  }

  /** To be called when a backend came, went or told another number. */
  changed(): void {
    this.#fewest = undefined;
  }

  /** To be called when the pool's backends are set: assumptions are to be told again. */
  setMembers(): void {
    this.changed();
    this.#assumedTold = false;
  }

  /** Says once, of the first of them with a load, that its cores are an assumption. */
  tellAssumed(members: readonly Member[]): PoolChange[] {
    if (this.#assumedTold) return [];
    const first = members.find((one) => one.load !== undefined && this.of(one).from === "assumed");
    if (first === undefined) return [];
    this.#assumedTold = true;
    const text = `has ${counted(this.of(first).cores, "core")} by assumption: neither lb.conf ` +
      'nor its load source says how many (said once; status marks such backends with "?")';
    return [{ level: "warning", backend: first.backend.id, text }];
  }

  /**
   * Cores as configured, else as the load source told, else the fewest known in the pool: an assumption
   * on the safe side.
   */
  of({ backend, learntCores }: Member): Cores {
    if (backend.cores !== undefined) return { cores: backend.cores, from: "configured" };
    if (learntCores !== undefined) return { cores: learntCores, from: "learnt" };
    return { cores: this.#fewest ??= this.#findFewest(), from: "assumed" };
  }

  #findFewest(): number {
    let fewest = Infinity;
    for (const { backend, learntCores } of this.#members()) {
      fewest = Math.min(fewest, backend.cores ?? learntCores ?? Infinity);
    }
    return fewest === Infinity ? ASSUMED_CORES : fewest;
  }
}
