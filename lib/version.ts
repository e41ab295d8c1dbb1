// The version of this program, the one place that states it.

/** Semantic version, as `--version` prints it. */
export const VERSION = "0.1.0";
