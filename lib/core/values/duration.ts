// Lengths of time as people write them: "3s", "100ms", "1h30m". The unit is never guessed.

import { failure, type Result, success } from "./result.ts";

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Reads a duration into milliseconds: numbers with a unit (ms, s, m, h, d), largest first, such as
 * `90s`, `1.5h` or `1h30m`; a bare `0` needs no unit. The result is whole milliseconds.
 */
export function parseDuration(text: string): Result<number> {
  if (text === "0") return success(0);
  if (/^\d+(\.\d+)?$/.test(text)) {
    return failure(`Cannot read "${text}" as a duration: unit is missing, write "${text}s"`);
  }
  const expected = 'expected a number with ms, s, m, h or d, such as "10s" or "1h30m"';
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) {
    return failure(`Cannot read "${text}" as a duration: ${expected}`);
  }
  let total = 0;
  let previousUnit = Infinity;
  for (const match of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    const unit = UNIT_MS[match[2] ?? ""] ?? NaN;
    if (unit >= previousUnit) {
      return failure(`Cannot read "${text}" as a duration: ${expected}, largest unit first`);
    }
    previousUnit = unit;
    total += Number(match[1]) * unit;
  }
  if (total > Number.MAX_SAFE_INTEGER) {
    return failure(`Cannot read "${text}" as a duration: it is too long`);
  }
  return success(Math.round(total));
}

/** Writes whole milliseconds the way {@linkcode parseDuration} reads them, exactly. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0";
  let rest = ms;
  let text = "";
  for (const unit of ["d", "h", "m", "s", "ms"]) {
    const size = UNIT_MS[unit] ?? 1;
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}

/** Writes a length of time for a person to read: two units at most, such as "3m12s" or "2d4h". */
export function describeDuration(ms: number): string {
  // The limits are where rounding reaches the next form.
  if (ms < 999.5) return `${Math.round(ms)}ms`;
  if (ms < 9950) return `${(ms / 1000).toFixed(1)}s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  const whole = seconds < 3600 ? seconds : Math.round(seconds / 60) * 60;
  return whole < 86_400
    ? formatDuration(whole * 1000)
    : formatDuration(Math.round(whole / 3600) * 3_600_000);
}
