// The words that lb.conf knows, in the order in which messages list them.

import { PROXY_VERSIONS } from "../core/proxy_protocol/proxy_endpoint.ts";

/** By what clients stick to a backend. */
export const STICKY_BY = ["off", "source"] as const;
export const LOG_LEVELS = ["error", "warning", "info", "debug"] as const;
export const LOG_FORMATS = ["text", "json"] as const;
export const ENGINE_KINDS = ["auto", "splice", "portable"] as const;
export const SEND_PROXY = ["off", ...PROXY_VERSIONS] as const;
export const FRONTEND_MODES = ["tcp"] as const;
/** What an empty list of a discovery source does. */
export const ON_EMPTY = ["keep", "clear"] as const;
/** What becomes of clients when a frontend is full. */
export const WHEN_FULL = ["wait", "close"] as const;
