// The conditions under which a pool is scaled: comparisons of its figures, joined by `and` and `or`. A figure
// that nobody knows makes a comparison unknown: neither true nor false.

import { failure, type Result, success } from "../values/result.ts";

/** What can be compared. */
export const FIGURES = ["free", "sessions", "sessions_per_backend", "queued"] as const;
type Figure = typeof FIGURES[number];

/** What a pool is like, as far as its conditions ask. */
export interface ScaleFigures {
  /** Backends that are in the pool and not taken out by order: what min and max bound. */
  readonly backends: number;
  /** Those of them that sessions can be sent to. */
  readonly usable: number;
  /** Cores of the usable ones. */
  readonly cores: number;
  /** Free cores of the usable ones, between two bounds where some are unknown; absent: all are. */
  readonly free?: readonly [least: number, most: number];
  readonly sessions: number;
  /** Sessions of the usable ones. */
  readonly usableSessions: number;
  /** Clients that wait for a place. */
  readonly queued: number;
}

interface Comparison {
  readonly figure: Figure;
  readonly operator: "<" | "<=" | ">" | ">=";
  readonly limit: number;
  /** The limit is a percentage of the cores. */
  readonly isShare: boolean;
}

/** One of these must hold, all of its comparisons. */
export type Condition = readonly (readonly Comparison[])[];

const EXAMPLE = `comparisons with and / or, such as "free < 4 or queued > 0", of ${
  FIGURES.join(", ")
}`;

/** Reads `free < 10% or queued > 0 and sessions >= 50`: `and` binds closer than `or`. */
export function parseCondition(text: string): Result<Condition> {
  const condition: Comparison[][] = [];
  for (const alternative of text.trim().split(/\s+or\s+/)) {
    const comparisons: Comparison[] = [];
    for (const part of alternative.split(/\s+and\s+/)) {
      const comparison = parseComparison(part.trim());
      if (!comparison.ok) return comparison;
      comparisons.push(comparison.value);
    }
    condition.push(comparisons);
  }
  return success(condition);
}

function parseComparison(text: string): Result<Comparison> {
  const [, figure = "", operator = "", number = "", percent] =
    /^(\w+)\s*([<>]=?)\s*(\d{1,9}(?:\.\d{1,3})?)(\s*%)?$/.exec(text) ?? [];
  const known = FIGURES.find((one) => one === figure);
  if (figure !== "" && known === undefined) {
    return failure(`Cannot compare "${figure}": expected one of ${FIGURES.join(", ")}`);
  }
  if (known === undefined || !isOperator(operator)) {
    return failure(`Cannot read "${text}" as a condition: expected ${EXAMPLE}`);
  }
  const limit = Number(number);
  if (percent !== undefined && (known !== "free" || limit > 100)) {
    return failure(
      `Cannot compare ${known} with "${number}%": expected ` +
        (known === "free" ? "up to 100 % of the cores" : "a number; only free has a share"),
    );
  }
  return success({ figure: known, operator, limit, isShare: percent !== undefined });
}

function isOperator(text: string): text is Comparison["operator"] {
  return ["<", "<=", ">", ">="].includes(text);
}

/** Writes a condition so that it reads back the same. */
export function formatCondition(condition: Condition): string {
  return condition.map((alternative) => alternative.map(formatComparison).join(" and "))
    .join(" or ");
}

function formatComparison({ figure, operator, limit, isShare }: Comparison): string {
  return `${figure} ${operator} ${limit}${isShare ? "%" : ""}`;
}

/** Whether a condition holds; undefined: that depends on what nobody knows. */
export function holds(condition: Condition, figures: ScaleFigures): boolean | undefined {
  const alternatives = condition.map((comparisons) => {
    const results = comparisons.map((one) => isTrue(one, figures));
    if (results.includes(false)) return false;
    return results.includes(undefined) ? undefined : true;
  });
  if (alternatives.includes(true)) return true;
  return alternatives.includes(undefined) ? undefined : false;
}

function isTrue(
  { figure, operator, limit, isShare }: Comparison,
  figures: ScaleFigures,
): boolean | undefined {
  const range = rangeOf(figure, figures);
  if (range === undefined) return undefined;
  const border = isShare ? limit * figures.cores / 100 : limit;
  const results = new Set(range.map((value) => compare(value, operator, border)));
  return results.size === 1 ? results.has(true) : undefined;
}

function rangeOf(figure: Figure, figures: ScaleFigures): readonly number[] | undefined {
  switch (figure) {
    case "free":
      return figures.free;
    case "sessions_per_backend":
      return figures.usable === 0 ? undefined : [figures.usableSessions / figures.usable];
    default:
      return [figures[figure]];
  }
}

function compare(value: number, operator: Comparison["operator"], limit: number): boolean {
  switch (operator) {
    case "<":
      return value < limit;
    case "<=":
      return value <= limit;
    case ">":
      return value > limit;
    case ">=":
      return value >= limit;
  }
}
