// Words the discovery sources of a pool for `status`: one line for each, and one for what is wrong with it.

import type { DiscoveryReport, PoolReport } from "../admin/report.ts";
import { counted } from "../core/values/counted.ts";
import { DIM, paint, RED, YELLOW } from "./output.ts";
import { ageOf } from "./status_orders.ts";

/** @returns nothing for a pool without sources; a report of an older balancer does not tell them. */
export function describeDiscovery(
  { discovery = [], discoveryHeld = null }: Partial<PoolReport>,
  nowMs: number,
  colours: boolean,
): string[] {
  const sources = discovery.flatMap((source) => [
    paint(describeSource(source, nowMs), hasTrouble(source) ? YELLOW : DIM, colours),
    ...source.skipped.map((text) => paint(`    cannot use ${text}`, DIM, colours)),
  ]);
  return discoveryHeld === null ? sources : [
    ...sources,
    paint(`keeps the backends of before: ${discoveryHeld}`, RED, colours),
  ];
}

/** Whether a source cannot be asked, or its last list is not obeyed. */
function hasTrouble({ failure, emptySince }: DiscoveryReport): boolean {
  return failure !== null || emptySince !== null;
}

function describeSource(source: DiscoveryReport, nowMs: number): string {
  const { name, backends, listedAt, failure, failingSince, emptySince } = source;
  const list = backends === null ? "no list yet" : counted(backends, "backend");
  if (failure !== null) {
    const kept = backends === null ? list : `its last list stays: ${list}`;
    return `by ${name}: fails since ${ageOf(failingSince ?? "", nowMs)}: ${failure}; ${kept}`;
  }
  if (emptySince !== null) {
    const since = ageOf(emptySince, nowMs);
    return `by ${name}: names nobody since ${since}; its last list stays: ${list} (on_empty: keep)`;
  }
  const said = listedAt === null ? "" : `, said ${ageOf(listedAt, nowMs)} ago`;
  return `by ${name}: ${list}${said}`;
}
