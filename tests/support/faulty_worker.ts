// The splice engine's worker with faults on demand: it looks at an environment variable at every turn of
// its loop, and dies or stops turning when that says so.

import { LoopClock } from "../../lib/engine/splice/loop_clock.ts";

/** The variable: "die" or "hang". The first worker alone dies of it, and takes it away. */
const FAULT = "COMPUTE_LB_TEST_FAULT";

const { now } = LoopClock.prototype;
LoopClock.prototype.now = function () {
  const fault = Deno.env.get(FAULT);
  if (fault === "die" && self.name.endsWith("-0")) {
    Deno.env.delete(FAULT);
    throw new Error("a fault that was asked for");
  }
  while (Deno.env.get(FAULT) === "hang");
  return now.call(this);
};

await import("../../lib/engine/splice/worker.ts");
