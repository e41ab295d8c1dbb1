// Sizes as people write them: "64KiB", "2GiB", "500MB". The unit is never guessed.

import { failure, type Result, success } from "./result.ts";

const UNIT_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1000,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  TB: 1000 ** 4,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
};

/** Reads a size into bytes: a number and one unit (B, kB, MB, GB, TB, KiB, MiB, GiB, TiB). */
export function parseSize(text: string): Result<number> {
  if (text === "0") return success(0);
  const match = /^(\d+(?:\.\d+)?) ?(B|[kK]B|[MGT]B|[KMGT]iB)$/.exec(text);
  if (match === null) {
    return failure(
      `Cannot read "${text}" as a size: expected a number with B, kB, MB, GB, KiB, MiB or GiB, ` +
        `such as "64KiB"`,
    );
  }
  const bytes = Math.round(Number(match[1]) * (UNIT_BYTES[match[2] ?? ""] ?? NaN));
  if (bytes > Number.MAX_SAFE_INTEGER) {
    return failure(`Cannot read "${text}" as a size: it is too large`);
  }
  return success(bytes);
}

/** Writes bytes the way {@linkcode parseSize} reads them, exactly. */
export function formatSize(bytes: number): string {
  if (bytes === 0) return "0";
  for (const unit of ["TiB", "GiB", "MiB", "KiB"]) {
    const size = UNIT_BYTES[unit] ?? 1;
    if (bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes}B`;
}

/** Writes bytes for a person to read: three figures at most, such as "1.5GiB". */
export function describeSize(bytes: number): string {
  let value = bytes;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    // The limits are where rounding reaches one figure more.
    if (value < 999.5) {
      return `${value < 9.95 && unit !== "B" ? value.toFixed(1) : Math.round(value)}${unit}`;
    }
    value /= 1024;
  }
  return `${value.toFixed(1)}TiB`;
}
