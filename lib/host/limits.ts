// Raises the limit on open descriptors: a session costs two sockets, and two pipes more while it is stalled
// (app/descriptors.ts has the sum). A compiled binary, unlike `deno run`, starts with the shell's soft limit
// (often 1024).

import { failure, type Result, success } from "../core/values/result.ts";
import { openLibc } from "./libc.ts";

/** RLIMIT_NOFILE on Linux, x86-64 and arm64 (asm-generic/resource.h). */
const RLIMIT_NOFILE = 7;

/** What root asks for; the kernel's default ceiling (fs.nr_open). */
const WANTED = 1_048_576n;

/** Raises the limit as far as this user may; never throws. */
export function raiseDescriptorLimit(): Result<number> {
  const libc = openLibc();
  if (libc === undefined) return failure("there is no glibc to ask");
  // struct rlimit { rlim_t rlim_cur; rlim_t rlim_max; }, both 64 bits.
  const limits = new BigUint64Array(2);
  if (libc.getrlimit(RLIMIT_NOFILE, limits) !== 0) return failure("getrlimit failed");
  const [soft = 0n, hard = 0n] = limits;
  const ceiling = hard > WANTED ? hard : WANTED;
  for (const limit of [ceiling, hard]) {
    if (soft >= limit) break;
    if (libc.setrlimit(RLIMIT_NOFILE, new BigUint64Array([limit, limit])) === 0) {
      return success(Number(limit));
    }
  }
  return success(Number(soft));
}
