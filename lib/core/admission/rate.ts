// Rates as people write them: "10/1m" is ten in any minute, as many as that at once.

import { formatDuration, parseDuration } from "../values/duration.ts";
import { failure, type Result, success } from "../values/result.ts";

/** So many connections in a length of time. */
export interface Rate {
  readonly connections: number;
  readonly windowMs: number;
}

/** What rates may be. */
const MOST_RATE_CONNECTIONS = 1_000_000;
const SHORTEST_WINDOW_MS = 1000;
const LONGEST_WINDOW_MS = 86_400_000;

/**
 * Reads a rate: a whole number from 1 to {@linkcode MOST_RATE_CONNECTIONS}, "/", and a duration from 1s
 * to 1d.
 */
export function parseRate(text: string): Result<Rate> {
  const [, count = "", window = ""] = /^([1-9]\d{0,6})\/(.+)$/.exec(text) ?? [];
  const connections = Number(count);
  if (count === "" || connections > MOST_RATE_CONNECTIONS) {
    return failure(
      `Cannot read "${text}" as a rate: expected 1 to ${MOST_RATE_CONNECTIONS}, "/" and a duration, ` +
        'such as "10/1m"',
    );
  }
  const length = parseDuration(window);
  if (!length.ok) return length;
  if (length.value < SHORTEST_WINDOW_MS || length.value > LONGEST_WINDOW_MS) {
    return failure(
      `Cannot use "${window}" in a rate: expected ${formatDuration(SHORTEST_WINDOW_MS)} to ` +
        formatDuration(LONGEST_WINDOW_MS),
    );
  }
  return success({ connections, windowMs: length.value });
}

/** Writes a rate the way {@linkcode parseRate} reads it. */
export function formatRate({ connections, windowMs }: Rate): string {
  return `${connections}/${formatDuration(windowMs)}`;
}
