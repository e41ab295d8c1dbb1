import { assertEquals } from "@std/assert";
import { cutTime, cutTimeWarnings, describeCutTime, grantedMs } from "../../../lib/cli/cut_time.ts";

Deno.test("what the service manager grants is whole seconds, or no limit", () => {
  const read = ["60", "1", "infinity", "", "0", "-1", "1.5", "1min", undefined].map(grantedMs);
  assertEquals(read, [60_000, 1000, ...Array(7).fill(Infinity)]);
});

Deno.test("sessions are cut at shutdown_timeout, and before the service manager kills", () => {
  const after = (timeoutMs: number, granted: number) => cutTime(timeoutMs, granted)?.afterMs;
  assertEquals(after(0, Infinity), undefined);
  assertEquals(after(1000, Infinity), 1000);
  assertEquals(after(1000, 60_000), 1000);
  assertEquals(after(55_000, 60_000), 55_000);
  assertEquals(after(55_001, 60_000), 55_000);
  assertEquals(after(0, 60_000), 55_000);
  assertEquals(after(0, 2000), 1000);
});

Deno.test("the instant of the cut is told, with its day when that is not today", () => {
  const wall = Date.UTC(2026, 0, 2, 12, 29, 25, 900);
  const because = "shutdown_timeout";
  assertEquals(
    describeCutTime({ afterMs: 50_000, because }, wall),
    "at 12:30:15Z (in 50s: shutdown_timeout)",
  );
  assertEquals(
    describeCutTime({ afterMs: 86_400_000, because }, wall),
    "at 2026-01-03 12:29:25Z (in 1d: shutdown_timeout)",
  );
});

Deno.test("a shutdown_timeout that cannot come true is warned of", () => {
  assertEquals(cutTimeWarnings(0, 60_000), []);
  assertEquals(cutTimeWarnings(55_000, 60_000), []);
  assertEquals(cutTimeWarnings(3_600_000, Infinity), []);
  assertEquals(cutTimeWarnings(300_000, 60_000), [
    "shutdown_timeout is 5m, but sessions are cut 55s after TERM: the service manager kills after 1m, " +
    "by CLB_STOP_SECONDS; give the service more time (TimeoutStopSec and CLB_STOP_SECONDS of the unit, or " +
    "stop_seconds) or lower shutdown_timeout",
  ]);
});
