// Memory that the process no longer needs.

import { openLibc } from "./libc.ts";

/**
 * Gives free memory back to the system (malloc_trim(3)). Reading the program takes 45 MiB at the start,
 * which the allocator would keep for good. Does nothing without glibc.
 */
export function returnFreeMemory(): void {
  openLibc()?.malloc_trim(0n);
}
