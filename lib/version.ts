// The version of this program, the one place that states it.

/** Semantic version, as `--version` prints it. */
export const VERSION = "0.1.0";

/** The day of this version, for the manual page. */
export const VERSION_DATE = "2026-11-21";
