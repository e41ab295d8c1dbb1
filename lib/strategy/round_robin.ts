// round_robin: backends take turns, starting at the first.

import { ROTATION } from "../core/pick/kernels/rotation.ts";
import type { Strategy } from "./strategy.ts";

export const ROUND_ROBIN = {
  name: "round_robin",
  kernel: ROTATION,
  help:
    "the next one, starting at the first. For sessions that are alike, where nobody tells a load",
  needsLoad: false,
  comparesLoad: false,
  dealsBursts: false,
} as const satisfies Strategy;
