// What the program's exit status means.

export const EXIT_OK = 0;
/** Something failed while running. */
export const EXIT_FAILURE = 1;
/** The configuration is bad. */
export const EXIT_CONFIG = 2;
/** The command line is bad (EX_USAGE of sysexits.h). */
export const EXIT_USAGE = 64;
