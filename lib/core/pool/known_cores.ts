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

/** So many backends are named in one message, beside the first; more are counted. */
const MOST_NAMED = 3;

/** Cores of a backend where nothing is known of any. */
const ASSUMED_CORES = 1;

export class KnownCores {
  readonly #members: () => Iterable<Member>;
  /** Undefined: to be looked for anew. */
  #fewest: number | undefined;
  /** Backends of which it was said that their cores are an assumption. */
  readonly #told = new Set<string>();

  /** Of these members, those that are leaving included. */
  constructor(members: () => Iterable<Member>) {
    this.#members = members;
  }

  /** To be called when a backend came, went or told another number. */
  changed(): void {
    this.#fewest = undefined;
  }

  /** A backend has left: should it come again, an assumption is told again. */
  forget(id: string): void {
    this.#told.delete(id);
  }

  /** Says once that cores are an assumption, of all of them with a load of which that is so. */
  tellAssumed(members: readonly Member[]): PoolChange[] {
    const assumed = members.filter((one) =>
      one.load !== undefined && this.of(one).from === "assumed"
    );
    const ids = assumed.map(({ backend }) => backend.id).filter((id) => !this.#told.has(id));
    const [first] = assumed;
    const [backend, ...others] = ids;
    if (first === undefined || backend === undefined) return [];
    for (const id of ids) this.#told.add(id);
    const many = others.length > MOST_NAMED ? counted(others.length, "other") : others.join(", ");
    const text = `${others.length === 0 ? "has" : `(and ${many}) has`} ` +
      `${counted(this.of(first).cores, "core")} by assumption, for its load source does not ` +
      `say how many: write ${backend}=CORES in lb.conf, or for nrpe let the command be check_load -r`;
    return [{ level: "warning", backend, text }];
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
