import { assertEquals } from "@std/assert";
import { judge } from "../../bench/placement/targets.ts";

Deno.test("a target is met or missed beyond doubt only where the whole interval is", () => {
  assertEquals(judge({ mean: 1.0, halfWidth: 0.1 }, 1.2), "met");
  assertEquals(judge({ mean: 1.15, halfWidth: 0.1 }, 1.2), "met?");
  assertEquals(judge({ mean: 1.25, halfWidth: 0.1 }, 1.2), "missed?");
  assertEquals(judge({ mean: 1.4, halfWidth: 0.1 }, 1.2), "missed");
  assertEquals(judge({ mean: 1.4, halfWidth: Infinity }, 1.2), "missed?");
});
