// token: what places in a pool that is fed (app/feeds.ts); no configuration names it.

import { TOKEN } from "../core/pick/kernels/token.ts";
import type { Strategy } from "./strategy.ts";

export const BY_TOKEN = {
  name: "token",
  kernel: TOKEN,
  help: "the backend that the next token of the pool's feed names",
  needsLoad: false,
  comparesLoad: false,
  dealsBursts: false,
} as const satisfies Strategy;
