// The real clock.

import type { Clock } from "../core/timing/clock.ts";

export const SYSTEM_CLOCK: Clock = {
  // CLOCK_MONOTONIC underneath: a wall clock that is set must not end sessions or age samples.
  now: () => performance.timeOrigin + performance.now(),
  wall: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const abort = () => {
        clearTimeout(timer);
        reject(signal.reason);
      };
      const timer = setTimeout(() => {
        signal.removeEventListener("abort", abort);
        resolve();
      }, ms);
      signal.addEventListener("abort", abort, { once: true });
    }),
};
