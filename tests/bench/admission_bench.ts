// What lists of networks and limits of each address cost a connection. Aim: at most 0.5 µs together.

import { compileAccess, isDenied } from "../../lib/core/admission/access_list.ts";
import { SourceTable } from "../../lib/core/admission/source_table.ts";
import { Source } from "../../lib/core/pick/source.ts";

let state = 1;
function nextWord(): number {
  return state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
}

for (const networks of [10, 1000, 100_000]) {
  const deny = Array.from(
    { length: networks },
    () => ({ words: [(nextWord() & 0xffff_ff00) >>> 0], prefix: 24 }),
  );
  const set = compileAccess({ deny });
  const sets = set === undefined ? [] : [set];
  const address = new Uint32Array(4);
  Deno.bench(`look an address up among ${networks} networks`, { group: "lists" }, () => {
    address[0] = nextWord();
    isDenied(sets, address, 1);
  });
}

const limits = {
  maxConnections: 20,
  rate: { connections: 1_000_000, windowMs: 1000 },
  penaltyMs: 300_000,
};
for (const clients of [1, 1000, 60_000]) {
  const table = SourceTable.allocate();
  const source = new Source();
  let nowMs = 0;
  Deno.bench(`count a connection in and out, ${clients} addresses`, { group: "limits" }, () => {
    source.setIpv4(nextWord() % clients);
    table.enter(0, source, limits, nowMs += 0.01);
    table.leave(0, source);
  });
}
