// random: any backend, as often as its weight says.

import { RANDOM as KERNEL } from "../core/pick/kernels/random_row.ts";
import type { Strategy } from "./strategy.ts";
import { writeRows } from "./write_rows.ts";

export const RANDOM = {
  name: "random",
  kernel: KERNEL,
  help: "any, as often as its weight says. A yardstick",
  needsLoad: false,
  dealsBursts: false,
  weigh(...seen) {
    writeRows(this, ...seen);
  },
} as const satisfies Strategy;
