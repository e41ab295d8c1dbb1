// Draws a ReplayReport for people: for each pool a line for what was recorded and for each strategy, with
// what it changes; then the sessions of each backend, and how many more or fewer they would be.

import type { PoolReplay, ReplayReport } from "../record/replay/compare.ts";
import { counted } from "../core/values/counted.ts";
import { describeDuration } from "../core/values/duration.ts";
import { printable } from "../core/values/printable.ts";
import { toDecimals } from "../core/values/thousandths.ts";
import { BOLD, DIM, paint } from "./output.ts";

const LEGEND: readonly string[] = [
  "free: cores free where a session comes to; 95 % of sessions find at least so many",
  "herd: the most of one load interval's sessions on one server, by its share of what was free; 1 is ideal",
  "overload: tasks on a server with more than cores while another had a core free, of all tasks",
  "elsewhere: sessions that land on another server than recorded",
  "same choice: asked in every recorded situation anew; by chance: of the other choices, those by a draw",
];

/**
 * The whole report, lines ended by newlines.
 * @param width columns of the terminal: a table that is wider is drawn in parts; absent: no limit.
 */
export function renderReplay(
  report: ReplayReport,
  colours: boolean,
  width: number = Infinity,
): string {
  const pools = report.pools.map((pool) => renderPool(pool, colours, width).join("\n") + "\n");
  if (pools.length === 0) return "The recording holds no pool.\n";
  const list = (title: string, texts: readonly string[]) =>
    [title, ...texts.map((text) => paint(`  ${text}`, DIM, colours))].join("\n") + "\n";
  return [
    pools.join("\n"),
    list("Columns (+ and -: against what was recorded):", LEGEND),
    list("Assumed:", report.assumptions),
  ].join("\n");
}

function renderPool(pool: PoolReplay, colours: boolean, width: number): string[] {
  const { recorded, replayed } = pool;
  const all = [recorded, ...replayed];
  const names = replayed.map(({ strategy }) => strategy);
  const measures = transposed([
    ["", "recorded", ...names],
    ["free, mean", ...withChanges(all.map(({ freeMean }) => freeMean), 1)],
    ["95 % find", ...withChanges(all.map(({ free95 }) => free95), 1)],
    ["herd", ...all.map(({ herdIndex }) => decimal(herdIndex, 2))],
    ["overload, %", ...withChanges(all.map((one) => 100 * one.avoidableOverload), 1)],
    ["elsewhere", "", ...replayed.map(({ elsewhere }) => `${elsewhere}`)],
    ["same choice", "", ...replayed.map(({ same }) => percent(same))],
    ["by chance", "", ...replayed.map(({ otherByChance }) => percent(otherByChance))],
    ["turned away", "", ...replayed.map(({ turnedAway }) => `${turnedAway}`)],
  ]);
  const backends = [...new Set(all.flatMap((one) => Object.keys(one.sessions)))];
  const sessions = [
    ["sessions", "recorded", ...names],
    ...backends.map((backend) => {
      const then = recorded.sessions[backend] ?? 0;
      const changes = replayed.map((one) => signed((one.sessions[backend] ?? 0) - then, 0));
      return [`  ${printable(backend)}`, `${then}`, ...changes];
    }),
  ];
  const title = `pool ${printable(pool.pool)}: ${counted(pool.sessions, "session")} in ` +
    `${describeDuration(pool.seconds * 1000)}, recorded with ` +
    `${recorded.strategies.map(printable).join(", ")}; ${pool.refused} turned away`;
  return [
    paint(title, BOLD, colours),
    `a session takes ${pool.sessionCost.toFixed(2)} cores along, as the recording shows`,
    "",
    ...drawTable(measures, 1, colours, width),
    "",
    ...drawTable(sessions, 2, colours, width),
  ];
}

/**
 * Columns as wide as they need, the first to the left.
 * @param kept so many columns stand in every part of a table that is too wide.
 */
function drawTable(
  rows: readonly (readonly string[])[],
  kept: number,
  colours: boolean,
  width: number,
): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0))
  );
  const draw = (columns: readonly number[]) =>
    rows.map((row, number) => {
      const line = columns.map((column) => {
        const text = row[column] ?? "";
        return column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0);
      }).join("  ").trimEnd();
      return number === 0 ? paint(line, DIM, colours) : line;
    });
  return partsOf(widths, kept, width).map(draw)
    .flatMap((lines, index) => index === 0 ? lines : ["", ...lines]);
}

/** Which columns stand together where not all fit. */
function partsOf(widths: readonly number[], kept: number, width: number): number[][] {
  const wide = (columns: readonly number[]) =>
    columns.reduce((sum, column) => sum + (widths[column] ?? 0) + 2, -2);
  const first = widths.slice(0, kept).map((_, column) => column);
  const parts = [[...first]];
  for (let column = kept; column < widths.length; column++) {
    const part = parts.at(-1) ?? [];
    if (part.length > kept && wide([...part, column]) > width) parts.push([...first, column]);
    else part.push(column);
  }
  return parts;
}

function transposed(columns: readonly (readonly string[])[]): string[][] {
  return (columns[0] ?? []).map((_, row) => columns.map((column) => column[row] ?? ""));
}

/** Numbers, each but the first with how much more or less it is. */
function withChanges(values: readonly (number | null)[], digits: number): string[] {
  const before = values[0] ?? null;
  const changes = values.map((value, index) =>
    index === 0 || value === null || before === null ? "" : signed(value - before, digits)
  );
  const width = Math.max(0, ...changes.map(({ length }) => length));
  return values.map((value, index) =>
    `${decimal(value, digits)} ${(changes[index] ?? "").padStart(width)}`
  );
}

function signed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? "=" : value > 0 ? `+${text}` : text;
}

function percent(share: number | null): string {
  return share === null ? "-" : `${(100 * share).toFixed(1)} %`;
}

function decimal(value: number | null, digits: number): string {
  return value === null ? "-" : toDecimals(value, digits);
}
