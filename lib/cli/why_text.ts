// Words a WhyReport for people: a headline per connection, and what every backend looked like then.

import type { DecisionReport, WhyReport } from "../admin/why_report.ts";
import type { PickReport, SeenReport } from "../core/pick/pick_report.ts";
import { counted } from "../core/values/counted.ts";
import { describeDuration } from "../core/values/duration.ts";
import {
  type KernelOutcome,
  type KernelWhy,
  OUTCOME_WORDS,
  WHY_WORDS,
} from "../core/pick/kernels/registry.ts";
import type { PickOutcome, Why } from "../core/pick/snapshot_reader.ts";
import { toDecimals } from "../core/values/thousandths.ts";
import { BOLD, DIM, GREEN, paint, RED, YELLOW } from "./output.ts";

/** Why a client got no backend. */
const REFUSALS: Readonly<Record<string, string>> = {
  no_backend: "no backend could take it",
  connect_failed: "no backend that was tried took it",
  denied: "deny or allow of the frontend, or an administrator's deny, kept its address out",
  frontend_full: "the frontend's max_connections was reached",
  bad_proxy_header:
    "accept_proxy_from names its network, and it sent no sound PROXY header in time",
  source_full: "its address had as many connections as per_source.max_connections allows",
  source_rate: "too many connections had come from its address (per_source.rate)",
  out_of_descriptors: "compute-lb had no file descriptor or memory left for it",
  queue_full: "every backend was full, and as many waited as queue.max allows",
  queue_timeout: "every backend was full for as long as queue.timeout lets it wait",
  starved: "no token of the pool's feed that it could use came in time",
  client_left: "it had gone while it waited in the queue",
};

/** What became of a backend in a pick, where no kernel says it. */
const OUTCOMES: Readonly<Record<Exclude<PickOutcome, KernelOutcome>, string>> = {
  chosen: "chosen",
  paced: "stood back: many young connections",
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
};
const OUTCOME_TEXTS: ReadonlyMap<string, string> = new Map([
  ...Object.entries(OUTCOMES),
  ...OUTCOME_WORDS.entries().map(([word, { text }]) => [word, text] as const),
]);

/** Why the winner won, where no kernel says it. */
const HEADLINES: Readonly<Record<Exclude<Why, KernelWhy | "nobody">, string>> = {
  sticky: "{free}where this client was before {where}",
  backup: "{free}held back, but no other {where} could take it",
  only_one: "{free}the only one {where} that could be chosen",
};
const HEADLINE_TEXTS: ReadonlyMap<string, string> = new Map([
  ...Object.entries(HEADLINES),
  ...WHY_WORDS.entries().map(([word, { headline }]) => [word, headline] as const),
]);

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
  // A report of an older balancer does not tell.
  const { queueMs = 0 }: Partial<DecisionReport> = decision;
  const waited = queueMs === 0 ? "" : ` (waited ${describeDuration(queueMs)} in the queue)`;
  const lines = [paint(`${at} client ${client} ${what}${waited}`, code, colours)];
  for (const [index, pick] of picks.entries()) {
    if (picks.length > 1) lines.push(`  ${describeAttempt(pick, index + 1, picks.length)}`);
    lines.push(...renderPick(pick, colours));
  }
  return lines;
}

/** Why the winner of the last pick won. */
function headline({ pool }: DecisionReport, pick: PickReport): string {
  const [winner, ...others] = pick.backends;
  const next = others.find(({ outcome }) => OUTCOME_WORDS.get(outcome)?.isNext === true);
  const free = winner?.free ?? null;
  const text = HEADLINE_TEXTS.get(pick.why) ?? `{free}chosen by ${pick.strategy} {where}`;
  return text
    .replace("{free}", free === null ? "" : `${toDecimals(free, 1)} cores free, `)
    // Weight and the load beside the free cores count as well.
    .replace("{most}", (next?.free ?? 0) > (free ?? 0) ? "best" : "most")
    .replace("{sessions}", counted(winner?.active ?? 0, "session"))
    .replace("{where}", () => `in pool ${pool}`)
    .replace(
      "{next}",
      () => next === undefined ? "" : ` (next: ${next.backend} ${figureOf(pick, next)})`,
    );
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
    const notChosen = outcome === "not_chosen" ? WHY_WORDS.get(pick.why)?.notChosen : undefined;
    const became = `${notChosen ?? OUTCOME_TEXTS.get(outcome) ?? outcome}${share}`;
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
