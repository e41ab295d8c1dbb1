import { assert } from "@std/assert";
import { openLibc } from "../../../../lib/engine/splice/libc.ts";
import { LoopClock } from "../../../../lib/engine/splice/loop_clock.ts";

Deno.test("a worker's clock tells what the other clocks of the program tell", () => {
  const libc = openLibc();
  const monotonic = () => performance.timeOrigin + performance.now();
  const originMs = monotonic();
  const clock = new LoopClock(libc, originMs);
  // The clocks are compared once, at two instants within this time.
  const apartMs = monotonic() - originMs;
  for (let i = 0; i < 1000; i++) {
    const [wallBefore, before] = [Date.now(), monotonic()];
    const [wall, now] = [clock.wall(), originMs + clock.now()];
    const [wallAfter, after] = [Date.now(), monotonic()];
    assert(
      wallBefore <= wall && wall <= wallAfter,
      `${wall} is not in ${wallBefore}..${wallAfter}`,
    );
    assert(
      before - apartMs - ROUNDING_MS <= now && now <= after + ROUNDING_MS,
      `${now} is not in ${before}..${after}`,
    );
  }
  libc.close();
});

/** Milliseconds since the epoch in a double. */
const ROUNDING_MS = 0.01;
