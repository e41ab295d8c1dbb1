import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { compileAccess, isDenied } from "../../../../lib/core/admission/access_list.ts";
import { NetworkSet } from "../../../../lib/core/location/network_set.ts";
import { formatIp } from "../../../../lib/core/values/ip.ts";
import type { Network } from "../../../../lib/core/values/network.ts";
import { network } from "../../../support/arbitraries.ts";
import { edgesOf, holds } from "../../../support/networks.ts";

const lists = fc.record({
  allow: fc.option(fc.array(network, { maxLength: 6 }), { nil: undefined }),
  deny: fc.array(network, { maxLength: 6 }),
});

/** Found the slow way. */
function mayComeIn(
  allow: readonly Network[] | undefined,
  deny: readonly Network[],
  address: readonly number[],
): boolean {
  const isIn = (list: readonly Network[]) => list.some((one) => holds(one, address));
  return !isIn(deny) && (allow === undefined || isIn(allow));
}

Deno.test("a set keeps out who is denied, and who is not allowed where somebody is", () => {
  fc.assert(
    fc.property(lists, fc.array(network, { maxLength: 6 }), ({ allow, deny }, others) => {
      const compiled = compileAccess({ allow, deny });
      // As another thread has it.
      const sets = compiled === undefined ? [] : [new NetworkSet(compiled.buffer)];
      for (const address of edgesOf([...allow ?? [], ...deny, ...others])) {
        const isOut = isDenied(sets, Uint32Array.from(address), address.length === 1 ? 1 : 4);
        const expected = mayComeIn(allow, deny, address);
        assertEquals([formatIp(address), !isOut], [formatIp(address), expected]);
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("each of several sets may deny; without a list there is none", () => {
  const one = (word: number): Network => ({ words: [word], prefix: 32 });
  assertEquals(compileAccess({ deny: [] }), undefined);
  const sets = [[one(1)], [one(2), one(3)]].map((deny) => compileAccess({ deny }))
    .filter((set) => set !== undefined);
  const out = [0, 1, 2, 3, 4].filter((word) => isDenied(sets, Uint32Array.of(word), 1));
  assertEquals(out, [1, 2, 3]);
  // A list that allows nobody is no lack of a list.
  assertEquals(compileAccess({ allow: [], deny: [] })?.has(Uint32Array.of(7), 1), true);
});
