// What the project asks of its placement, and the account of what a run of the benchmark found.

import type { Estimate } from "../../support/simulation/statistics.ts";
import type { WorkloadName } from "./scenarios.ts";

/** At most these multiples of the oracle's and of the ancestor's excess mean slowdown. */
export const SLOWDOWN_TARGETS: Readonly<
  Record<WorkloadName, { oracle: number; ancestor: (pollSeconds: number) => number }>
> = {
  one_job: { oracle: 1.25, ancestor: (pollSeconds) => pollSeconds < 30 ? 0.5 : 0.4 },
  interactive: { oracle: 1, ancestor: () => 0.75 },
};

/** Class start: largest share to one server ÷ its share of the free cores. */
export const MOST_HERD = 1.3;
/** Class start: avoidable overload as a multiple of the oracle's. */
export const MOST_OVERLOAD = 1.2;
/** A class on three servers: share of its sessions away from what is free. */
export const MOST_MISPLACED = 0.1;
/** A script's short sessions: share that goes to the one server that is free. */
export const LEAST_TO_FIRST = 0.95;
/** Short sessions among long ones: multiple of the excess under polls that do not lag. */
export const MOST_SHORT = 1.25;
/** Data of any age: multiple of random's excess mean slowdown. */
export const MOST_STALE = 1.05;
/** Four balancers: multiple of one balancer's mean slowdown. */
export const MOST_OF_FOUR = 1.1;

export type Verdict = "met" | "met?" | "missed?" | "missed";

/** With a question mark where the interval holds both answers. */
export function judge({ mean, halfWidth }: Estimate, most: number): Verdict {
  if (mean <= most) return mean + halfWidth <= most ? "met" : "met?";
  return mean - halfWidth > most ? "missed" : "missed?";
}

/** Collects verdicts, and lists at the end what was not met. */
export class Account {
  readonly #targets = new Map<string, { judged: number; met: number; lines: string[] }>();

  /**
   * @param target what is asked for, the same words for all its cells.
   * @param cell where it was measured.
   * @param bounds what those get who know more than any program can, in words.
   */
  take(target: string, cell: string, estimate: Estimate, most: number, bounds = ""): Verdict {
    const verdict = judge(estimate, most);
    const met = verdict === "met" || verdict === "met?";
    const off = (100 * (estimate.mean / most - 1)).toFixed(0);
    const figure = `${estimate.mean.toFixed(3)} ±${estimate.halfWidth.toFixed(3)}`;
    this.#add(
      target,
      met,
      `${cell}: ${figure}, ${off} % over${verdict === "missed?" ? " (not beyond chance)" : ""}` +
        (bounds === "" ? "" : `; ${bounds}`),
    );
    return verdict;
  }

  /** Notes a target that has no ratio. */
  note(target: string, met: boolean, line: string): void {
    this.#add(target, met, line);
  }

  print(): void {
    if (this.#targets.size === 0) return;
    console.log("\ntargets");
    for (const [target, { judged, met, lines }] of this.#targets) {
      console.log(`${target}: met in ${met} of ${judged} cells`);
      for (const line of lines) console.log(`  missed at ${line}`);
    }
  }

  #add(target: string, met: boolean, line: string): void {
    const entry = this.#targets.get(target) ?? { judged: 0, met: 0, lines: [] };
    this.#targets.set(target, entry);
    entry.judged++;
    if (met) entry.met++;
    else entry.lines.push(line);
  }
}
