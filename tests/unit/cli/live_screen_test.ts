import { assert, assertEquals } from "@std/assert";
import { drawFrame } from "../../../lib/cli/demo/frame.ts";
import { frameOf } from "../../../lib/cli/live_screen.ts";
import { BACKEND, POOL, REPORT } from "./reports.ts";

Deno.test("frameOf() fits the screen, in width and in height", () => {
  const id = "a-backend-with-a-name-that-does-not-end.cluster.example:65535";
  const report = { ...REPORT, pools: [{ ...POOL, backends: [BACKEND, { ...BACKEND, id }] }] };
  const counts = { started: 1, served: 1, failed: 0, lastFailure: undefined };
  for (const [rows, columns] of [[24, 80], [5, 20], [1, 1], [100, 200]] as const) {
    for (const colours of [true, false]) {
      const lines = drawFrame({ report, port: 65535, counts, secondsLeft: 86_400, colours });
      // deno-lint-ignore no-control-regex -- what a terminal does not draw
      const drawn = frameOf(lines, { rows, columns }).replace(/\x1b\[\d*[mHJK]/g, "").split("\n");
      assertEquals(drawn.filter((line) => line.length > columns), []);
      assert(drawn.length <= Math.max(rows, 2));
    }
  }
});
