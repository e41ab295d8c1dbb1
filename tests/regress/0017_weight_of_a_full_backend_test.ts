// With round_robin by weight, a backend that was full now and then (max_connections) was taken to be due
// again as soon as it had a place, though it had just had its turn: it was given 2.5 times its share.

import { assert, assertEquals } from "@std/assert";
import { Choice, pick, release } from "../../lib/core/pick/pick_kernels.ts";
import { countRows, makeTable } from "../support/tables.ts";

for (const { weight, share } of [{ weight: 1, share: 1000 }, { weight: 0.1, share: 105 }]) {
  Deno.test(`weight ${weight} beside two of 9 is ${share} of 19,000 picks, full in between or not`, () => {
    const table = makeTable("rotation", [{ weight: 9 }, { weight: 9 }, { weight, max: 1 }]);
    const choice = new Choice();
    const picked: number[] = [];
    for (let i = 0; i < 19_000; i++) {
      picked.push(pick(table, null, 0.5, choice));
      // Every session lasts for two picks.
      const ended = picked[i - 2];
      if (ended !== undefined) release(table, ended, choice.step);
    }
    const [first = 0, second = 0, third = 0] = countRows(picked, 3);
    assert(Math.abs(first - second) <= 1);
    assertEquals(third, share);
  });
}
