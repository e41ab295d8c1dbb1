// two_choices: two backends are drawn, and the better one gets the session: by free cores as least_load
// estimates them where the load of both is known, else by sessions.

import { TWO_CHOICES as KERNEL } from "../core/pick/kernels/two_choices.ts";
import type { Strategy } from "./strategy.ts";

export const TWO_CHOICES = {
  name: "two_choices",
  kernel: KERNEL,
  help:
    "of two drawn at random the better one: by free cores where both tell their load, else by " +
    "sessions. For many balancers on the same servers: they do not run after one",
  needsLoad: false,
  comparesLoad: true,
  dealsBursts: true,
} as const satisfies Strategy;
