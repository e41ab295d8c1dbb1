import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { spansOf } from "../../../../lib/core/location/address_spans.ts";
import { formatIp } from "../../../../lib/core/values/ip.ts";
import { type LocationRule, LocationTable } from "../../../../lib/core/location/location_table.ts";
import { type Network, parseNetwork } from "../../../../lib/core/values/network.ts";
import { network } from "../../../support/arbitraries.ts";
import { edgesOf, holds } from "../../../support/networks.ts";

function networks(...texts: readonly string[]): Network[] {
  return texts.map((text) => {
    const result = parseNetwork(text);
    assert(result.ok, text);
    return result.value;
  });
}

/** What a table must say, found the slow way. */
function expected(rules: readonly LocationRule[], address: readonly number[]): number {
  return rules.find((rule) => rule.networks.some((one) => holds(one, address)))?.pool ?? 0;
}

const rules = fc.array(
  fc.record({
    networks: fc.array(network, { maxLength: 6 }),
    countries: fc.constant<string[]>([]),
    pool: fc.integer({ min: 0, max: 3 }),
  }),
  { maxLength: 6 },
);

function assertFinds(
  table: LocationTable,
  address: readonly number[],
  wanted: number,
): void {
  const found = table.find(Uint32Array.from(address), address.length === 1 ? 1 : 4);
  assertEquals([formatIp(address), found], [formatIp(address), wanted]);
}

Deno.test("a table says of every address what the first rule says that holds", () => {
  fc.assert(
    fc.property(rules, fc.array(network, { maxLength: 10 }), (rules, others) => {
      const table = new LocationTable(LocationTable.compile(rules).buffer);
      for (const address of edgesOf([...rules.flatMap((rule) => rule.networks), ...others])) {
        assertFinds(table, address, expected(rules, address));
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("rules by network and by country come in their one order", () => {
  const code = fc.constantFrom("CH", "DE", "SE");
  const land = fc.record({ code, networks: fc.array(network, { maxLength: 6 }) });
  const lands = fc.uniqueArray(land, { selector: ({ code }) => code });
  const named = fc.array(fc.array(code), { minLength: 6, maxLength: 6 });
  fc.assert(
    fc.property(rules, named, lands, (byNetwork, named, lands) => {
      const rules = byNetwork.map((rule, index) => ({ ...rule, countries: named[index] ?? [] }));
      const claims = lands.flatMap(({ networks }, number) =>
        networks.map((network) => ({ network, number }))
      );
      const spans = (width: number) =>
        spansOf(claims.filter(({ network }) => network.words.length === width), width);
      const codes = lands.map(({ code }) => code);
      const table = LocationTable.compile(rules, { codes, ipv4: spans(1), ipv6: spans(4) });
      for (const address of edgesOf([...rules, ...lands].flatMap(({ networks }) => networks))) {
        // As a database would have it, an address is in one country.
        const own = lands.find(({ networks }) => networks.some((one) => holds(one, address)));
        const rule = rules.find(({ networks, countries }) =>
          networks.some((one) => holds(one, address)) ||
          own !== undefined && countries.includes(own.code)
        );
        assertFinds(table, address, rule?.pool ?? 0);
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("ranges of one pool that touch are one", () => {
  const size = (...rules: Omit<LocationRule, "countries">[]) =>
    LocationTable.compile(rules.map((rule) => ({ ...rule, countries: [] }))).size;
  assertEquals(size(), 2);
  const halves = networks("10.0.0.0/9", "10.128.0.0/9");
  assertEquals(size({ networks: halves, pool: 1 }), 4);
  const [low, high] = halves.map((one) => ({ networks: [one], pool: 1 }));
  assert(low !== undefined && high !== undefined);
  assertEquals(size(low, high), 4);
  assertEquals(size(low, { ...high, pool: 2 }), 5);
  // The frontend's own pool needs no range of its own.
  assertEquals(size({ ...low, pool: 0 }), 2);
});

Deno.test("findHost() reads literals; what is none goes to the frontend's pool", () => {
  const rules = [["192.0.2.7"], ["192.0.2.0/24", "fe80::/10"], ["::/0"]];
  const table = LocationTable.compile(
    rules.map((rule, index) => ({ networks: networks(...rule), countries: [], pool: index + 1 })),
  );
  const hosts = ["192.0.2.7", "192.0.2.8", "198.51.100.1", "fe80::1%eth0", "::1", "", "hoek"];
  assertEquals(hosts.map((host) => table.findHost(host)), [1, 2, 0, 2, 3, 0, 0]);
});
