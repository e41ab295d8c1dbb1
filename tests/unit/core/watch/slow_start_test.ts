import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { slowShare, SlowStart } from "../../../../lib/core/watch/slow_start.ts";

const WINDOW_MS = 60_000;

Deno.test("slowShare() grows in a straight line from a tenth to the whole", () => {
  assertEquals([0, 3000, 6000, 30_000, 60_000, 1e9].map((ms) => slowShare(ms, WINDOW_MS)), [
    0.1,
    0.1,
    0.1,
    0.5,
    1,
    1,
  ]);
  assertEquals(slowShare(0, 0), 1);
  fc.assert(fc.property(fc.nat(100_000), fc.nat(100_000), fc.nat(100_000), (a, b, window) => {
    const [early, late] = [slowShare(Math.min(a, b), window), slowShare(Math.max(a, b), window)];
    assert(early >= 0.1 && early <= late && late <= 1);
  }));
});

Deno.test("SlowStart spares those that were there from the start, and not those that come back", () => {
  const starts = new SlowStart();
  const share = (id: string, nowMs: number) => starts.share(id, WINDOW_MS, nowMs);
  starts.observe("a", true, false, 1000);
  starts.observe("new", true, true, 1000);
  assertEquals([share("a", 1000), share("new", 1000), share("new", 31_000)], [1, 0.1, 0.5]);
  starts.observe("a", false, false, 40_000);
  starts.observe("a", true, false, 50_000);
  // Being usable still begins nothing anew.
  starts.observe("a", true, false, 65_000);
  assertEquals([share("a", 50_000), share("a", 80_000), share("a", 110_000)], [0.1, 0.5, 1]);
  assertEquals(starts.share("a", 0, 50_000), 1);
  starts.forget("a");
  assertEquals(share("a", 50_000), 1);
});
