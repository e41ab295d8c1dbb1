// The discovery sources, in the order in which messages list them.

import { staticList } from "./static.ts";

/** One line for each. */
export const DISCOVERY_SOURCE_KINDS = [
  staticList,
] as const;
