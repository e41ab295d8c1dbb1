// Draws a ReplayReport for people: a table for each pool, a column for what was recorded and for each
// strategy.

import type { PoolReplay, ReplayReport } from "../app/replay/compare.ts";
import { describeDuration } from "../core/duration.ts";
import { BOLD, DIM, paint, withoutControls } from "./output.ts";

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
  const assumed = report.assumptions.map((text) => paint(`  ${text}`, DIM, colours)).join("\n");
  return `${pools.join("\n")}\nAssumed:\n${assumed}\n`;
}

function renderPool(pool: PoolReplay, colours: boolean, width: number): string[] {
  const { recorded, replayed } = pool;
  const all = [recorded, ...replayed];
  const backends = [...new Set(all.flatMap(({ sessions }) => Object.keys(sessions)))];
  const rows: string[][] = [
    ["", "recorded", ...replayed.map(({ strategy }) => strategy)],
    ["same choice", "", ...replayed.map(({ same }) => percent(same))],
    ["others, by chance", "", ...replayed.map(({ otherByChance }) => percent(otherByChance))],
    ["cores free at login, mean", ...all.map(({ freeMean }) => decimal(freeMean, 1))],
    ["  95 % found at least", ...all.map(({ free95 }) => decimal(free95, 1))],
    ["herd index, worst", ...all.map(({ herdIndex }) => decimal(herdIndex, 2))],
    ["avoidable overload", ...all.map((one) => percent(one.avoidableOverload))],
    ["turned away", "", ...replayed.map(({ turnedAway }) => `${turnedAway}`)],
    ["sessions", ...all.map(({ sessions }) => `${sum(Object.values(sessions))}`)],
    ...backends.map((backend) => [
      `  ${withoutControls(backend)}`,
      ...all.map(({ sessions }) => `${sessions[backend] ?? 0}`),
    ]),
  ];
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0))
  );
  const draw = (columns: readonly number[]) =>
    rows.map((row) =>
      columns.map((column) => {
        const text = row[column] ?? "";
        return column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0);
      }).join("  ").trimEnd()
    );
  const tables = partsOf(widths, width).map(draw).map(([headings = "", ...lines]) => [
    paint(headings, DIM, colours),
    ...lines,
  ]);
  const title = `pool ${withoutControls(pool.pool)}: ${pool.sessions} sessions in ` +
    `${describeDuration(pool.seconds * 1000)}, recorded with ` +
    `${recorded.strategies.map(withoutControls).join(", ")}; ${pool.refused} turned away`;
  return [
    paint(title, BOLD, colours),
    `a session takes ${pool.sessionCost.toFixed(2)} cores along, as the recording shows`,
    ...tables.flatMap((lines, index) => index === 0 ? lines : ["", ...lines]),
  ];
}

/** Which columns stand together where not all fit: the first two, what was recorded, in every part. */
function partsOf(widths: readonly number[], width: number): number[][] {
  const wide = (columns: readonly number[]) =>
    columns.reduce((sum, column) => sum + (widths[column] ?? 0) + 2, -2);
  const parts = [[0, 1]];
  for (let column = 2; column < widths.length; column++) {
    const part = parts.at(-1) ?? [];
    if (part.length > 2 && wide([...part, column]) > width) parts.push([0, 1, column]);
    else part.push(column);
  }
  return parts;
}

function percent(share: number | null): string {
  return share === null ? "-" : `${(100 * share).toFixed(1)} %`;
}

function decimal(value: number | null, digits: number): string {
  return value === null ? "-" : value.toFixed(digits);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
