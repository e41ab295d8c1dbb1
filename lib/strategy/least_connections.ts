// least_connections: the backend that holds the fewest tunnels; equals take turns.

import { LEAST_CONNECTIONS as KERNEL } from "../core/pick/kernels/least_connections.ts";
import type { Strategy } from "./strategy.ts";
import { writeRows } from "./write_rows.ts";

export const LEAST_CONNECTIONS = {
  name: "least_connections",
  kernel: KERNEL,
  help: "the fewest sessions for its weight; equals take turns. For long sessions that are alike",
  needsLoad: false,
  dealsBursts: false,
  weigh(...seen) {
    writeRows(this, ...seen);
  },
} as const satisfies Strategy;
