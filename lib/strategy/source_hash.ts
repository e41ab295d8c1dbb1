// source_hash: a client's address decides, so that who comes back lands where it was; a backend that
// holds more than its share is passed over.

import { SOURCE_HASH as KERNEL } from "../core/pick/kernels/source_hash.ts";
import type { Strategy } from "./strategy.ts";

export const SOURCE_HASH = {
  name: "source_hash",
  kernel: KERNEL,
  help:
    "the one that the client's address gives by hash, so who comes back lands where they were, unless " +
    "it holds more than its share (hash_balance). For people who come back to their files in /tmp or " +
    "their tmux",
  needsLoad: false,
  comparesLoad: false,
  dealsBursts: false,
} as const satisfies Strategy;
