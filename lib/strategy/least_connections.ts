// least_connections: the backend that holds the fewest tunnels; equals take turns.

import { LEAST_CONNECTIONS as KERNEL } from "../core/pick/kernels/least_connections.ts";
import type { Strategy } from "./strategy.ts";

export const LEAST_CONNECTIONS = {
  name: "least_connections",
  kernel: KERNEL,
  help: "the fewest sessions for its weight; equals take turns. For long sessions that are alike",
  needsLoad: false,
  comparesLoad: false,
  dealsBursts: false,
} as const satisfies Strategy;
