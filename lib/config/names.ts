// The words that lb.conf knows, in the order in which messages list them.

/** Strategies that need no load samples. */
export const FALLBACKS = [
  "round_robin",
  "least_connections",
  "two_choices",
  "first",
  "source_hash",
  "random",
] as const;
export const STRATEGIES = ["least_load", ...FALLBACKS] as const;
/** By what clients stick to a backend. */
export const STICKY_BY = ["off", "source"] as const;
export const LOG_LEVELS = ["error", "warning", "info", "debug"] as const;
export const LOG_FORMATS = ["text", "json"] as const;
export const ENGINE_KINDS = ["auto", "splice", "portable"] as const;
export const FRONTEND_MODES = ["tcp"] as const;

export type StrategyName = typeof STRATEGIES[number];
export type LogLevel = typeof LOG_LEVELS[number];
