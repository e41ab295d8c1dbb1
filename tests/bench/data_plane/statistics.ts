// What is made of repeated measurements: medians, spreads, ratios, and numbers as text.

/** One measurement per round; undefined where a round has none. */
export type Rounds = readonly (number | undefined)[];

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The middle value, or the mean of the two in the middle; undefined of nothing. */
export function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  return upper === undefined || lower === undefined ? undefined : (lower + upper) / 2;
}

/** Median, least and greatest of the rounds that measured something; undefined when none did. */
export function spreadOf(rounds: Rounds): Spread | undefined {
  const values = rounds.filter((value) => value !== undefined);
  const middle = median(values);
  if (middle === undefined) return undefined;
  return { median: middle, min: Math.min(...values), max: Math.max(...values) };
}

/**
 * The median of the ratios within each round. What one round shares, such as a noisy neighbour, divides
 * out. Rounds in which either is missing or not above 0 do not count; undefined when none is left.
 */
export function pairedRatio(ours: Rounds, rival: Rounds): number | undefined {
  const ratios: number[] = [];
  for (const [round, mine] of ours.entries()) {
    const other = rival[round];
    if (mine !== undefined && other !== undefined && mine > 0 && other > 0) {
      ratios.push(mine / other);
    }
  }
  return median(ratios);
}

/** By round, what is left of the first when the second is taken away. */
export function difference(rounds: Rounds, from: Rounds): Rounds {
  return rounds.map((value, round) => {
    const base = from[round];
    return value === undefined || base === undefined ? undefined : value - base;
  });
}

/** A number with three digits that count, thousands and millions as k and M. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 999_500) return `${formatNumber(value / 1e6)}M`;
  if (size >= 9_995) return `${formatNumber(value / 1e3)}k`;
  if (size >= 999.5) return Math.round(value).toLocaleString("en-US");
  if (size >= 99.95) return value.toFixed(0);
  if (size >= 9.995) return value.toFixed(1);
  return size >= 0.9995 || size === 0 ? value.toFixed(2) : value.toFixed(3);
}
