// The report: one table of medians, spreads, ratios and targets, as text, Markdown or JSON, and below
// it how far the load generator was from being the bottleneck.

import { BUSY, busyId } from "./cells.ts";
import {
  COMPARED,
  describeTarget,
  type Figure,
  FIGURES,
  type Group,
  judge,
  type Measurements,
  type RivalName,
  type SubjectName,
} from "./figures.ts";
import { formatNumber } from "./statistics.ts";

export interface Report {
  readonly measured: Measurements;
  readonly groups: readonly Group[];
  /** Who was measured, in the order of the columns. */
  readonly subjects: readonly SubjectName[];
  readonly rivals: readonly RivalName[];
  /** Whose ratios are told. */
  readonly ours: SubjectName;
  /** Lines on the machine and the programs. */
  readonly about: readonly string[];
  /** What went wrong or was left out. */
  readonly notes: readonly string[];
}

/** A cell of the table: what counts, and what stands below or behind it. */
type Pair = readonly [main: string, detail: string];

/** The figures of which anything was measured. */
export function measuredFigures({ measured, groups, subjects }: Report): Figure[] {
  return FIGURES.filter(({ id, group }) =>
    groups.includes(group) && subjects.some((name) => measured.spread(id, name) !== undefined)
  );
}

/** Rivals to whom the table tells a ratio. */
function compared({ rivals, ours }: Report): RivalName[] {
  return COMPARED.filter((name) => name !== ours && rivals.includes(name));
}

function heads(report: Report): string[] {
  const ratios = compared(report).map((rival) => `/ ${rival}`);
  return ["figure", ...report.subjects, ...ratios];
}

function line(report: Report, figure: Figure): Pair[] {
  const values = report.subjects.map((name): Pair => {
    const spread = report.measured.spread(figure.id, name);
    if (spread === undefined) return ["-", ""];
    const range = `${formatNumber(spread.min)}..${formatNumber(spread.max)}`;
    return [formatNumber(spread.median), range];
  });
  const ratios = compared(report).map((rival): Pair => {
    const judged = judge(figure, report.ours, rival, report.measured);
    if (judged === undefined) return ["-", ""];
    const { ratio, target, met } = judged;
    if (target === undefined) return [ratio.toFixed(2), ""];
    return [ratio.toFixed(2), `${describeTarget(figure, target)} ${met ? "met" : "MISSED"}`];
  });
  return [[figure.title, ""], ...values, ...ratios];
}

/** Two lines a figure: medians and ratios, then spreads and targets. */
export function textTable(report: Report): string {
  const rows = measuredFigures(report).flatMap((figure) => {
    const pairs = line(report, figure);
    return [pairs.map(([main]) => main), pairs.map(([, detail]) => detail)];
  });
  const all = [heads(report), ...rows];
  const widths = heads(report).map((_, column) =>
    Math.max(...all.map((row) => row[column]?.length ?? 0))
  );
  const lines = all.map((row) =>
    row.map((text, column) => {
      const width = widths[column] ?? 0;
      return column === 0 ? text.padEnd(width) : text.padStart(width);
    }).join("  ").trimEnd()
  );
  const [head = "", ...body] = lines;
  return [head, "-".repeat(head.length), ...body].join("\n");
}

/** One line a figure, spreads and targets in parentheses. */
export function markdownTable(report: Report): string {
  const titles = heads(report);
  const rows = measuredFigures(report).map((figure) =>
    line(report, figure).map(([main, detail]) => detail === "" ? main : `${main} (${detail})`)
  );
  const rule = titles.map((_, column) => column === 0 ? "---" : "---:");
  return [titles, rule, ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

/** The cells that load the generator most. */
const HEAVY = ["connections.64", "bulk_rate.4"] as const;
/** A generator or backend that is busier than this, in cores, may have been what was measured. */
const TOO_BUSY = 0.95;

/** Lines that tell how far the generator and the backend were from being the limit. */
export function generatorCheck({ measured, subjects }: Report): string[] {
  const lines: string[] = [];
  for (const cell of HEAVY) {
    const rate = (name: SubjectName) => measured.spread(cell, name)?.median ?? 0;
    const proxied = subjects.filter((name) => name !== "direct" && rate(name) > 0);
    const fastest = proxied.toSorted((a, b) => rate(b) - rate(a))[0];
    if (fastest === undefined || rate("direct") === 0) continue;
    const title = FIGURES.find(({ id }) => id === cell)?.title ?? cell;
    const ratio = formatNumber(rate("direct") / rate(fastest));
    lines.push(
      `${title}: without a proxy ${
        formatNumber(rate("direct"))
      }, ${ratio} times the fastest proxy's ` +
        `${formatNumber(rate(fastest))} (${fastest})`,
    );
    for (const name of subjects) {
      const busy = BUSY.map((who) => measured.spread(busyId(cell, who), name)?.median ?? 0);
      const shares = BUSY.map((who, index) => `${who} ${percent(busy[index] ?? 0)}`);
      const [, generator = 0, backend = 0] = busy;
      const limit = name !== "direct" && Math.max(generator, backend) > TOO_BUSY
        ? "  <- at its limit: this may be the generator's own figure"
        : "";
      lines.push(`  ${name.padEnd(14)} of a core: ${shares.join(", ")}${limit}`);
    }
  }
  return lines;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

/** Everything that was measured, for programs. */
export function jsonReport(report: Report): string {
  const { measured, subjects, rivals, ours, about, notes } = report;
  const figures = measuredFigures(report).map((figure) => ({
    id: figure.id,
    title: figure.title,
    moreIsBetter: figure.moreIsBetter,
    values: Object.fromEntries(
      subjects.map((name) => [name, {
        ...measured.spread(figure.id, name),
        rounds: measured.rounds(figure.id, name).map((value) => value ?? null),
      }]),
    ),
    ratios: Object.fromEntries(
      rivals.map((rival) => [rival, judge(figure, ours, rival, measured) ?? null]),
    ),
  }));
  return JSON.stringify({ about, ours, figures, check: generatorCheck(report), notes }, null, 2);
}
