// With 512 backends whose cores nobody had said, the pool looked through all of them for each of them at
// every weighing: 3 ms each time, some 170 times a second.

import { assert, assertEquals } from "@std/assert";
import { PickTable } from "../../lib/core/pick/pick_table.ts";
import { Pool } from "../../lib/core/pool/pool.ts";
import { backendsNamed } from "../support/pools.ts";

Deno.test("assumed cores are looked for once, not once for each backend", () => {
  const backends = 200;
  let looks = 0;
  const pool = new Pool(
    "p",
    { rise: 1, fall: 1, loadMaxAgeMs: 1, rowRestMs: 0 },
    PickTable.allocate(backends),
  );
  pool.setBackends(
    backendsNamed(Array.from({ length: backends }, (_, index) => `b${index}`)).map((backend) =>
      Object.defineProperty(backend, "cores", {
        get() {
          looks++;
          return undefined;
        },
      })
    ),
    0,
  );
  looks = 0;
  for (const member of pool.members) assertEquals(pool.coresOf(member).from, "assumed");
  assert(looks <= 3 * backends, `${looks} looks`);
});
