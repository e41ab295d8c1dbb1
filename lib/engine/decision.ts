// Turns the numbers that a kernel left behind into the words of the access log.

import { type PickTrace } from "../core/pick/pick_report.ts";
import type { Chosen } from "../core/pick/choice.ts";
import { UNKNOWN_FREE } from "../core/pick/pick_table.ts";
import { kernelAt } from "../core/pick/kernels/registry.ts";
import type { Decision, Endpoint } from "./engine.ts";

/** Says in words why a pick fell as it did. */
export function describeChoice(
  choice: Chosen,
  endpoints: readonly (Endpoint | undefined)[],
  picks: readonly PickTrace[],
): Decision {
  const runnerUp = endpoints[choice.runnerUp];
  return {
    kernel: kernelAt(choice.kernel).name,
    ...known(choice.free),
    active: choice.active,
    ...(choice.sticky ? { sticky: true } : {}),
    ...(choice.paced ? { paced: true } : {}),
    ...(runnerUp === undefined ? {} : {
      runnerUp: {
        backend: runnerUp.backend,
        ...known(choice.runnerUpFree),
        active: choice.runnerUpActive,
      },
    }),
    picks,
  };
}

function known(free: number): { freeMilliCores?: number } {
  return free === UNKNOWN_FREE ? {} : { freeMilliCores: free };
}
