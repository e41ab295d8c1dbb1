// Words a WhyReport for people: a headline per connection, and what every backend looked like then.

import type { DecisionReport, WhyReport } from "../admin/why_report.ts";
import type { PickReport, SeenReport } from "../core/pick/pick_report.ts";
import { counted } from "../core/values/counted.ts";
import type { PickOutcome } from "../core/pick/decision_snapshot.ts";
import { toDecimals } from "../core/values/thousandths.ts";
import { BOLD, DIM, GREEN, paint, RED, YELLOW } from "./output.ts";

/** Why a client got no backend. */
const REFUSALS: Readonly<Record<string, string>> = {
  no_backend: "no backend could take it",
  connect_failed: "no backend that was tried took it",
  frontend_full: "the frontend's max_connections was reached",
  out_of_descriptors: "compute-lb had no file descriptor or memory left for it",
};

/** What became of a backend in a pick. */
const OUTCOMES: Readonly<Record<PickOutcome, string>> = {
  chosen: "chosen",
  less_free: "fewer cores free",
  busier: "more cores free, but under more load: less sure to stay free",
  new_logins: "more cores free, but it has had its part of those who log in now",
  near_equal: "as good; chance took the other",
  more_sessions: "more sessions",
  not_its_turn: "not its turn",
  not_drawn: "not drawn",
  worse_of_two: "the worse one of two that were drawn",
  later: "further down the list",
  no_room: "no room",
  paced: "stood back: many young connections",
  load_unknown: "its load is not known",
  full: "full",
  tried: "tried already",
  leaving: "leaves the pool",
  down: "down",
  draining: "draining",
  disabled: "disabled",
  unresolved: "it has no address",
  no_weight: "its weight is 0",
  offline: "held back: its load source says OFFLINE",
  agent: "held back by its agent",
  memory: "held back: too little memory",
  pressure: "held back: under pressure",
  outlier: "ejected: connections kept failing",
  black_hole: "held back: it loses its sessions",
  set_aside: "set aside by the strategy",
  not_chosen: "not chosen",
};

/** What is not chosen under source_hash. */
const LATER_BY_HASH = "later in this client's order, or above its share";

/** The whole report, lines ended by newlines; empty when there is nothing to tell. */
export function renderWhy({ decisions }: WhyReport, colours: boolean): string {
  return decisions.map((decision) => renderDecision(decision, colours).join("\n") + "\n")
    .join("\n");
}

function renderDecision(decision: DecisionReport, colours: boolean): string[] {
  const { at, client, backend, refused, picks } = decision;
  const last = picks.at(-1);
  const what = backend === null
    ? `turned away by frontend ${decision.frontend}: ${REFUSALS[refused ?? ""] ?? refused}`
    : `-> ${backend}: ${last === undefined ? "no record of why" : headline(decision, last)}`;
  const code = backend === null ? RED : BOLD;
  const lines = [paint(`${at} client ${client} ${what}`, code, colours)];
  for (const [index, pick] of picks.entries()) {
    if (picks.length > 1) lines.push(`  ${describeAttempt(pick, index + 1, picks.length)}`);
    lines.push(...renderPick(pick, colours));
  }
  return lines;
}

/** Why the winner of the last pick won. */
function headline({ pool }: DecisionReport, pick: PickReport): string {
  const [winner, ...others] = pick.backends;
  const next = others.find(({ outcome }) =>
    outcome === "less_free" || outcome === "busier" || outcome === "new_logins" ||
    outcome === "near_equal" || outcome === "more_sessions" || outcome === "worse_of_two"
  );
  const beside = next === undefined ? "" : ` (next: ${next.backend} ${figureOf(pick, next)})`;
  const free = winner === undefined || winner.free === null
    ? ""
    : `${toDecimals(winner.free, 1)} cores free, `;
  const where = `in pool ${pool}`;
  switch (pick.why) {
    case "most_free":
      return `${free}most ${where}${beside}`;
    case "near_equal":
      return `${free}drawn by chance among near-equals ${where}${beside}`;
    case "fewest":
      return `${counted(winner?.active ?? 0, "session")}, fewest ${where}${beside}`;
    case "turn":
      return `its turn ${where}`;
    case "chance":
      return `drawn by chance ${where}`;
    case "sticky":
      return `${free}where this client was before ${where}`;
    case "stand_by":
      return `${free}held back, but no other ${where} could take it`;
    case "better_of_two":
      return `${free}the better one of two drawn ${where}${beside}`;
    case "first_with_room":
      return `${free}the first with room ${where}`;
    case "hash":
      return `${free}the place of this client's address ${where}`;
    case "only_one":
      return `${free}the only one ${where} that could be chosen`;
    default:
      return `${free}chosen by ${pick.strategy} ${where}`;
  }
}

function figureOf({ why }: PickReport, { free, active }: SeenReport): string {
  return why === "fewest" || free === null ? counted(active, "session") : toDecimals(free, 1);
}

function describeAttempt({ backend, failure }: PickReport, number: number, of: number): string {
  const outcome = backend === null
    ? "nobody was left"
    : failure === null
    ? `${backend} took it`
    : `${backend} did not take it: ${failure}`;
  return `attempt ${number} of ${of}: ${outcome}`;
}

const HEADINGS = ["BACKEND", "FREE", "SESSIONS", ""] as const;

/** The backends as one pick saw them. */
function renderPick(pick: PickReport, colours: boolean): string[] {
  const rows = pick.backends.map(({ backend, free, active, outcome, weight }) => {
    const share = weight === 1 || outcome === "no_weight" ? "" : `, weight ${weight}`;
    const isLater = pick.why === "hash" && outcome === "not_chosen";
    const became = `${isLater ? LATER_BY_HASH : OUTCOMES[outcome] ?? outcome}${share}`;
    return [backend, free === null ? "-" : toDecimals(free, 1), `${active}`, became];
  });
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0))
  );
  const draw = (row: readonly string[]) =>
    row.map((text, column) => {
      const width = widths[column] ?? 0;
      return column === 1 || column === 2 ? text.padStart(width) : text.padEnd(width);
    }).join("  ").trimEnd();
  const lines = rows.map((row, index) =>
    coloured(`    ${draw(row)}`, pick.backends[index]?.outcome, colours)
  );
  const more = pick.omitted === 0 ? [] : [`    and ${pick.omitted} more`];
  return [paint(`    ${draw(HEADINGS)}  by ${pick.strategy}`, DIM, colours), ...lines, ...more];
}

function coloured(line: string, outcome: PickOutcome | undefined, colours: boolean): string {
  if (outcome === "chosen") return paint(line, GREEN, colours);
  const standsOut = outcome === "down" || outcome === "tried" || outcome === "full";
  return standsOut ? paint(line, YELLOW, colours) : line;
}
