// Means with confidence intervals over replications of a simulation.

export interface Estimate {
  readonly mean: number;
  /** Half the width of the 95 % confidence interval; Infinity for fewer than two values. */
  readonly halfWidth: number;
}

/** Two-sided 95 % quantiles of Student's t by degrees of freedom, 1 to 30. */
const STUDENT_95 = [
  12.706,
  4.303,
  3.182,
  2.776,
  2.571,
  2.447,
  2.365,
  2.306,
  2.262,
  2.228, //
  2.201,
  2.179,
  2.16,
  2.145,
  2.131,
  2.12,
  2.11,
  2.101,
  2.093,
  2.086, //
  2.08,
  2.074,
  2.069,
  2.064,
  2.06,
  2.056,
  2.052,
  2.048,
  2.045,
  2.042,
] as const;

/** Mean of independent values with its 95 % confidence interval (Student's t). */
export function estimateMean(values: readonly number[]): Estimate {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count < 2) return { mean, halfWidth: Infinity };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const quantile = STUDENT_95[count - 2] ?? 1.96 + 2.4 / (count - 1);
  return { mean, halfWidth: quantile * Math.sqrt(squares / (count - 1) / count) };
}

/**
 * Ratio of two means over paired replications, with its 95 % interval by the delta method (the pairs
 * share their random numbers, so the ratio is much better known than either mean).
 */
export function estimateRatio(above: readonly number[], below: readonly number[]): Estimate {
  const top = estimateMean(above).mean;
  const bottom = estimateMean(below).mean;
  if (bottom === 0) return { mean: top === 0 ? 1 : Infinity, halfWidth: Infinity };
  const ratio = top / bottom;
  const residuals = above.map((value, index) => (value - ratio * (below[index] ?? 0)) / bottom);
  return { mean: ratio, halfWidth: estimateMean(residuals).halfWidth };
}

/**
 * Mean time in an M/M/n queue in units of the mean service time (Erlang C): n cores in one place, no
 * choice to make. With processor sharing it holds for any distribution of sizes (insensitivity).
 * @param utilisation in [0, 1).
 */
export function centralQueueTime(servers: number, utilisation: number): number {
  const offered = servers * utilisation;
  let blocking = 1;
  for (let n = 1; n <= servers; n++) blocking = offered * blocking / (n + offered * blocking);
  const waiting = blocking / (1 - utilisation * (1 - blocking));
  return 1 + waiting / (servers * (1 - utilisation));
}

/**
 * Mean time under the power of d choices among many servers of one core, in units of the mean service
 * time (Mitzenmacher, TPDS 2001): the sum of λ^((d^i − d)/(d − 1)) over i ≥ 1. d = 1 is chance alone.
 */
export function choicesTime(choices: number, utilisation: number): number {
  if (choices === 1) return 1 / (1 - utilisation);
  let sum = 0;
  let power = choices;
  for (let i = 1; i < 64; i++) {
    const term = Math.pow(utilisation, (power - choices) / (choices - 1));
    sum += term;
    if (term < 1e-15) break;
    power *= choices;
  }
  return sum;
}
