// random: any backend, as often as its weight says.

import { RANDOM as KERNEL } from "../core/pick/kernels/random_row.ts";
import type { Strategy } from "./strategy.ts";

export const RANDOM = {
  name: "random",
  kernel: KERNEL,
  help: "any, as often as its weight says. A yardstick",
  needsLoad: false,
  comparesLoad: false,
  dealsBursts: false,
} as const satisfies Strategy;
