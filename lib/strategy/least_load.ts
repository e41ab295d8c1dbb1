// least_load: the backend on which most cores will be free gets the session. The load averages are rid
// of their lag, sessions count before the load shows them, and a burst of logins is dealt out by what is
// free (core/estimate/free_cores.ts has the formulas).

import { MOST_FREE } from "../core/pick/kernels/most_free.ts";
import type { Strategy } from "./strategy.ts";

/**
 * Only backends with a load compete while one of them has room: the others stand below every number,
 * for when all those have refused or are full.
 */
export const LEAST_LOAD = {
  name: "least_load",
  kernel: MOST_FREE,
  help:
    "the most free cores, as they are expected to be for somebody who logs in now. Only servers " +
    "with a fresh load compete; without any, the fallback places. For heavy, unequal sessions on " +
    "servers that tell their load",
  needsLoad: true,
  comparesLoad: true,
  dealsBursts: true,
} as const satisfies Strategy;
