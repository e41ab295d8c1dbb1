import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseNetworkList } from "../../../../lib/core/admission/network_list.ts";
import { formatNetwork } from "../../../../lib/core/values/network.ts";
import { network } from "../../../support/arbitraries.ts";

const blank = fc.stringMatching(/^[ \t]{0,3}$/);
const comment = fc.option(fc.stringMatching(/^[^\n\r]{0,20}$/), { nil: undefined });

Deno.test("what is written one a line, with comments and blanks, is read back", () => {
  const line = fc.record({
    network: fc.option(network, { nil: undefined }),
    before: blank,
    behind: blank,
    comment,
    end: fc.constantFrom("\n", "\r\n"),
  });
  fc.assert(
    fc.property(fc.array(line), fc.constantFrom("", "\ufeff"), (lines, mark) => {
      const text = lines.map(({ network, before, behind, comment, end }) =>
        before + (network === undefined ? "" : formatNetwork(network)) + behind +
        (comment === undefined ? "" : `#${comment}`) + end
      ).join("");
      const networks = lines.flatMap(({ network }) => network === undefined ? [] : [network]);
      assertEquals(parseNetworkList(mark + text), { networks, faults: [], moreFaults: 0 });
    }),
    { numRuns: 500 },
  );
});

Deno.test("no text makes it throw, and each line is a network, nothing or a fault", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
      const { networks, faults, moreFaults } = parseNetworkList(text);
      const written = text.replace(/^\ufeff/, "").split("\n").filter((line) =>
        (line.split("#")[0] ?? "").trim() !== ""
      );
      assertEquals(networks.length + faults.length + moreFaults, written.length);
      for (const { message } of faults) assert(!/[\p{Cc}\p{Cs}]/u.test(message), message);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("faults say where they are, what was found and what was expected; of many, the first", () => {
  const expected = 'expected "192.0.2.0/24", "2001:db8::/32" or an address';
  const text = "# head\n10.0.0.0/8\n  hoek # a name\n\n10.0.0.1/8\n10.0.0.0/8 ; SBL1\n";
  assertEquals(parseNetworkList(text).faults, [
    {
      line: 3,
      column: 3,
      message: `Cannot read "hoek" as a network: ${expected}`,
      excerpt: "  hoek # a name",
    },
    {
      line: 5,
      column: 1,
      message:
        'Cannot use "10.0.0.1/8" as a network: bits are set behind the prefix, did you mean ' +
        '"10.0.0.0/8"?',
      excerpt: "10.0.0.1/8",
    },
    {
      line: 6,
      column: 1,
      message: 'Cannot read "8 ; SBL1" as the prefix of "10.0.0.0": expected 0 to 32',
      excerpt: "10.0.0.0/8 ; SBL1",
    },
  ]);
  const { faults, moreFaults } = parseNetworkList("x\n".repeat(1000));
  assertEquals([faults.length, moreFaults], [10, 990]);
  assertEquals(
    parseNetworkList("x".repeat(1e6)).faults[0]?.message,
    "Cannot read 1000000 characters as a network: expected one on each line",
  );
});
