// round_robin: backends take turns, starting at the first.

import { ROTATION } from "../core/pick/kernels/rotation.ts";
import type { Strategy } from "./strategy.ts";
import { writeRows } from "./write_rows.ts";

export const ROUND_ROBIN = {
  name: "round_robin",
  kernel: ROTATION,
  help:
    "the next one, starting at the first. For sessions that are alike, where nobody tells a load",
  needsLoad: false,
  dealsBursts: false,
  weigh(...seen) {
    writeRows(this, ...seen);
  },
} as const satisfies Strategy;
