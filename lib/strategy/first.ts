// first: the first backend in the order of lb.conf that has room; when it is full, the next. What room
// is, core/pick/kernels/first.ts says; free cores are those that least_load estimates.

import { FIRST as KERNEL } from "../core/pick/kernels/first.ts";
import type { Strategy } from "./strategy.ts";

export const FIRST = {
  name: "first",
  kernel: KERNEL,
  help: "the first in the order of lb.conf that has room: below max_connections, and with a load " +
    "known, some cores still free after the session. None has: the most free. For servers at the end " +
    "of the list that shall sleep",
  needsLoad: false,
  comparesLoad: true,
  // To fill one after the other is the opposite.
  dealsBursts: false,
} as const satisfies Strategy;
