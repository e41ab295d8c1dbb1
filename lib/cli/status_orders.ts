// What status tells of orders that administrators have given: what, who, when, why.

import type {
  AdministrationReport,
  BackendReport,
  FrontendReport,
  SaidReport,
} from "../admin/report.ts";
import { counted } from "../core/values/counted.ts";
import { describeDuration } from "../core/values/duration.ts";
import { toThousandths } from "../core/values/thousandths.ts";

/** Whether an administrator has set the weight. */
export function isWeightOrdered(administration: AdministrationReport | null): boolean {
  return (administration?.weight ?? null) !== null;
}

/** What administrators have ordered of a backend: what, who, when, why. */
export function describeOrders(
  administration: AdministrationReport | null,
  { active }: BackendReport,
  configured: number | null,
  nowMs: number,
): string[] {
  const { state = null, weight = null, added = null } = administration ?? {};
  const texts: string[] = [];
  if (state !== null) {
    const left = active === 0 ? "no session left" : `${counted(active, "session")} left`;
    const cut = state.deadline === null
      ? ""
      : `, to be ended ${describeUntil(Date.parse(state.deadline) - nowMs)}`;
    const what = state.overrules === null
      ? `${state.value}, ${left}${active === 0 ? "" : cut}`
      : `${state.value}, though ${state.overrules}`;
    texts.push(`${what}: ${describeSaid(state, nowMs)}`);
  }
  if (weight !== null) {
    const other = configured === null ? "" : ` (lb.conf: ${toThousandths(configured)})`;
    texts.push(`weight ${toThousandths(weight.value)}${other}: ${describeSaid(weight, nowMs)}`);
  }
  if (added !== null) {
    const named = configured === null ? "" : ", and lb.conf names it, too";
    texts.push(`added${named}: ${describeSaid(added, nowMs)}`);
  }
  return texts;
}

/** So many denied networks of a frontend are shown. */
const MOST_DENIALS = 10;

/** What a frontend turns away by order. */
export function describeDenials(
  { denials = [] }: Partial<FrontendReport>,
  nowMs: number,
): string[] {
  const texts = denials.slice(0, MOST_DENIALS).map((denial) => {
    const { network, until } = denial;
    const left = until === null
      ? ""
      : ` for ${describeDuration(Math.max(0, Date.parse(until) - nowMs))}`;
    return `denied${left}: ${network}: ${describeSaid(denial, nowMs)}`;
  });
  const more = denials.length - texts.length;
  return more > 0 ? [...texts, `denied: ${more} more (--json has all)`] : texts;
}

function describeUntil(leftMs: number): string {
  return leftMs > 0 ? `in ${describeDuration(leftMs)}` : "now";
}

/** Who said something, how long ago and why. */
export function describeSaid({ by, at, reason }: SaidReport, nowMs: number): string {
  return `by ${by} ${ageOf(at, nowMs)} ago${reason === null ? "" : `, ${reason}`}`;
}

/** How long ago a time is. */
export function ageOf(time: string, nowMs: number): string {
  return describeDuration(Math.max(0, nowMs - Date.parse(time)));
}
