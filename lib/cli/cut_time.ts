// When sessions that still stand after TERM are cut: once shutdown_timeout is over, and in any case
// before the service manager would kill the process and its records with it.

import { describeDuration } from "../core/values/duration.ts";

/** Says in seconds how long the service manager waits between TERM and KILL; install.sh sets it. */
export const STOP_SECONDS = "CLB_STOP_SECONDS";
/** What cutting sessions and writing their records may take. */
const MARGIN_MS = 5000;

export interface CutTime {
  /** Counted from TERM. */
  readonly afterMs: number;
  readonly because: string;
}

/**
 * Reads what the service manager grants, in milliseconds.
 * @param text of {@linkcode STOP_SECONDS}: whole seconds; anything else (infinity) is no limit.
 */
export function grantedMs(text: string | undefined): number {
  return text !== undefined && /^[1-9]\d{0,6}$/.test(text) ? Number(text) * 1000 : Infinity;
}

/**
 * @param timeoutMs shutdown_timeout; 0: off.
 * @param granted by the service manager, in milliseconds.
 * @returns undefined when sessions may go on without a limit.
 */
export function cutTime(timeoutMs: number, granted: number): CutTime | undefined {
  const byManager = granted - Math.min(MARGIN_MS, granted / 2);
  if (timeoutMs > 0 && timeoutMs <= byManager) {
    return { afterMs: timeoutMs, because: "shutdown_timeout" };
  }
  return granted === Infinity ? undefined : {
    afterMs: byManager,
    because: `the service manager kills after ${describeDuration(granted)}, by ${STOP_SECONDS}`,
  };
}

/** The instant and how long it is until then, such as "at 12:30:15Z (in 55s)". */
export function describeCutTime({ afterMs, because }: CutTime, wallMs: number): string {
  const [date, time] = new Date(wallMs + afterMs).toISOString().split(/[T.]/);
  const day = afterMs < 86_400_000 ? "" : `${date} `;
  return `at ${day}${time}Z (in ${describeDuration(afterMs)}: ${because})`;
}

/** Warns of a shutdown_timeout that the service manager does not let come true. */
export function cutTimeWarnings(timeoutMs: number, granted: number): string[] {
  const cut = cutTime(timeoutMs, granted);
  if (timeoutMs === 0 || cut === undefined || cut.afterMs === timeoutMs) return [];
  return [
    `shutdown_timeout is ${describeDuration(timeoutMs)}, but sessions are cut ` +
    `${describeDuration(cut.afterMs)} after TERM: ${cut.because}; give the service more time ` +
    `(TimeoutStopSec and ${STOP_SECONDS} of the unit, or stop_seconds) or lower shutdown_timeout`,
  ];
}
