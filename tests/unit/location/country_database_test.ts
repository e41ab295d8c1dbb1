import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { UNCLAIMED } from "../../../lib/core/location/address_spans.ts";
import { formatIp, readIp } from "../../../lib/core/values/ip.ts";
import { behind, formatNetwork, type Network } from "../../../lib/core/values/network.ts";
import { type Countries, readCountries } from "../../../lib/location/country_database.ts";
import { type DatabaseRecord, lookUp, writeDatabase } from "../../peers/country_database.ts";
import { network } from "../../support/arbitraries.ts";
import { requirePeer } from "../../support/require_peer.ts";
import { TemporaryDirectory } from "../../support/run_program.ts";

const CODES = ["CH", "DE", "SE"];

function land(code: string): DatabaseRecord {
  return { country: { iso_code: code } };
}

/** The country that was found for an address; undefined for one that nobody asked for. */
function countryOf({ codes, ipv4, ipv6 }: Countries, address: string): string | undefined {
  const words = new Uint32Array(4);
  const count = readIp(address, words);
  assert(count !== 0, address);
  const number = (count === 1 ? ipv4 : ipv6).find(words);
  return number === UNCLAIMED ? undefined : codes[number];
}

function read(file: Uint8Array, codes: readonly string[] = CODES): Countries {
  const result = readCountries(file, codes);
  assert(result.ok, result.ok ? "" : result.message);
  return result.value;
}

/** Why a file is refused. */
function reason(file: Uint8Array): string {
  const result = readCountries(file, CODES);
  return result.ok ? "" : result.message;
}

/** Where the insertion is refused, or where it hides the tree's aliases of IPv4. */
function isPlain({ words, prefix }: Network): boolean {
  const text = formatIp(words);
  const isAlias = /^(::|2001:0?:|2001::|2002:)/.test(text);
  return prefix >= 8 && (words.length === 1 || !isAlias && prefix > 16);
}

for (const recordSize of [24, 28, 32] as const) {
  for (const ipVersion of [4, 6] as const) {
    Deno.test({
      ...requirePeer("mmdblookup", "libmaxmind-db-writer-perl"),
      name: `readCountries() agrees with mmdblookup: IPv${ipVersion}, ${recordSize} bits`,
      fn: async () => {
        await using folder = new TemporaryDirectory();
        const file = `${folder.path}/countries.mmdb`;
        const seed = 31 * recordSize + ipVersion;
        const sample = <T>(what: fc.Arbitrary<T>, count: number): T[] =>
          fc.sample(what, { seed, numRuns: count });
        const networks = sample(
          network.filter((one) => isPlain(one) && (ipVersion === 6 || one.words.length === 1)),
          200,
        );
        const codes = sample(fc.constantFrom(...CODES, "FR", undefined), 400);
        const records = networks.map((_, index): DatabaseRecord => {
          const [own, owner] = [codes[2 * index], codes[2 * index + 1]];
          return {
            label: `r${index}`,
            ...(own === undefined ? {} : { country: { iso_code: own } }),
            ...(owner === undefined ? {} : { registered_country: { iso_code: owner } }),
          };
        });
        const lines = networks.map((one, index) =>
          [formatNetwork(one), records[index] ?? {}] as const
        );
        await writeDatabase(file, lines, { recordSize, ipVersion });
        const ends = networks.flatMap((one) => [one.words, behind(one) ?? one.words]);
        const addresses = [
          ...ends.map(formatIp),
          ...sample(fc.ipV4(), 150),
          // The aliases of IPv4, and anywhere.
          ...(ipVersion === 4 ? [] : [
            ...sample(network, 50).map(({ words }) => formatIp(words)),
            ...ends.flatMap(([word = 0]) => [
              formatIp([0, 0, 0, word]),
              formatIp([0, 0, 0xffff, word]),
              formatIp([0x20020000 + (word >>> 16), word << 16 >>> 0, 0, 1]),
            ]).slice(0, 300),
          ]),
        ];
        const labels = await lookUp(file, addresses, "label");
        const found = read(await Deno.readFile(file));
        let named = 0;
        for (const [index, address] of addresses.entries()) {
          const label = labels[index] ?? "";
          const number = Number(label.slice(1));
          const code = label === "" ? undefined : codes[2 * number] ?? codes[2 * number + 1];
          const wanted = code !== undefined && CODES.includes(code) ? code : undefined;
          if (wanted !== undefined) named++;
          assertEquals([address, countryOf(found, address)], [address, wanted]);
        }
        assert(named > 100, `${named} of ${addresses.length} addresses are in a country`);
      },
    });
  }
}

/** A file by hand: nodes of two 32-bit sides, then records, then metadata. */
function fileOf(nodes: readonly (readonly [number, number])[], records: Uint8Array): Uint8Array {
  const text = (value: string) => [0x40 + value.length, ...new TextEncoder().encode(value)];
  const number = (
    value: number,
  ) => [0xc4, ...new Uint8Array(Uint32Array.of(value).buffer).reverse()];
  const sides = nodes.flat().flatMap((side) =>
    [...new Uint8Array(Uint32Array.of(side).buffer)].reverse()
  );
  return Uint8Array.from([
    ...sides,
    ...new Uint8Array(16),
    ...records,
    ...[0xab, 0xcd, 0xef],
    ...new TextEncoder().encode("MaxMind.com"),
    0xe4,
    ...text("node_count"),
    ...number(nodes.length),
    ...text("record_size"),
    ...number(32),
    ...text("ip_version"),
    ...number(6),
    ...text("database_type"),
    ...text("by hand"),
  ]);
}

/** The record {"country_code": "CH"}. */
const FLAT = Uint8Array.from([0xe1, 0x4c, ...new TextEncoder().encode("country_codeBCH")]);

Deno.test("readCountries() reads a file made by hand, with the country in a flat record", () => {
  // The upper half of all addresses is in Switzerland.
  const found = read(fileOf([[1, 1 + 16]], FLAT));
  assertEquals(countryOf(found, "8000::"), "CH");
  assertEquals([countryOf(found, "7fff::"), countryOf(found, "192.0.2.1")], [undefined, undefined]);
  assertEquals(found.absent, ["DE", "SE"]);
});

Deno.test("readCountries() says what is wrong with a file", () => {
  const sound = fileOf([[1, 1 + 16]], FLAT);
  const large = fileOf(new Array<readonly [number, number]>(100).fill([100, 116]), FLAT);
  const noDatabase = "it is no MaxMind DB file, or a damaged one";
  const wrong: readonly [what: string, file: Uint8Array, message: string][] = [
    ["empty", new Uint8Array(), noDatabase],
    ["text", new TextEncoder().encode("192.0.2.0/24 CH\n".repeat(50)), noDatabase],
    ["cut off at its end", sound.subarray(0, sound.length - 60), noDatabase],
    ["without its tree", large.subarray(800), "its metadata does not fit the rest"],
    ["without countries", fileOf([[1, 1]], FLAT), "it knows no countries"],
    ["of something else", fileOf([[1, 17]], Uint8Array.of(0xe0)), 'its type is "by hand"'],
    ["a record behind the end", fileOf([[1, 4000]], FLAT), "a record lies outside of it"],
    ["a record in the separator", fileOf([[1, 2]], FLAT), "a record lies outside of it"],
    ["a node that is its own child", fileOf([[0, 17]], FLAT), "its tree has no end"],
    ["a cycle", fileOf([[1, 1], [2, 0], [3, 1]], FLAT), "its tree has no end"],
    // 2^100 ways through 100 nodes.
    [
      "nodes that share their children",
      fileOf(
        Array.from({ length: 100 }, (_, node) => [node + 1, node + 1] as const),
        FLAT,
      ),
      "its tree has no end",
    ],
    ["a record that points to itself", fileOf([[1, 17]], Uint8Array.of(0x20, 0)), noDatabase],
  ];
  for (const [what, file, message] of wrong) {
    assertStringIncludes(`${what}: ${reason(file)}`, message);
  }
});

Deno.test("readCountries() reads each of many entangled records once", () => {
  // Forty maps, each of which has the next one twice: 2^40 values in all.
  const maps = Array.from({ length: 40 }, (_, index) => {
    const next = 9 * (index + 1);
    const pointer = [0x20 | next >> 8, next & 255];
    return [0xe2, 0x41, 0x61, ...pointer, 0x41, 0x62, ...pointer];
  });
  const file = fileOf([[1, 1 + 16]], Uint8Array.from([...maps.flat(), ...FLAT]));
  assertStringIncludes(reason(file), "it knows no countries");
});

/** What can happen to a file. */
const damage = fc.oneof(
  fc.record({ kind: fc.constant("cut" as const), at: fc.nat(), byte: fc.nat(255) }),
  fc.record({ kind: fc.constant("set" as const), at: fc.nat(), byte: fc.nat(255) }),
  fc.record({ kind: fc.constant("drop" as const), at: fc.nat(), byte: fc.nat(255) }),
);

Deno.test({
  ...requirePeer("libmaxmind-db-writer-perl"),
  name: "readCountries() comes to an end with any damaged file",
  fn: async () => {
    await using folder = new TemporaryDirectory();
    const file = `${folder.path}/countries.mmdb`;
    const lines = ["10.0.0.0/8", "192.0.2.0/25", "192.0.2.128/25", "2001:db8::/33", "2a00::/20"];
    await writeDatabase(file, lines.map((one, at) => [one, land(CODES[at % 3] ?? "")] as const));
    const sound = await Deno.readFile(file);
    assertEquals(read(sound).absent, []);
    let [accepted, refused] = [0, 0];
    fc.assert(
      fc.property(fc.array(damage, { minLength: 1, maxLength: 4 }), (damages) => {
        let damaged = sound.slice();
        for (const { kind, at, byte } of damages) {
          const place = at % (damaged.length + 1);
          if (kind === "cut") damaged = damaged.slice(0, place);
          else if (kind === "set") damaged.fill(byte, place, place + 1);
          else damaged = Uint8Array.from([...damaged.slice(0, place), ...damaged.slice(place + 1)]);
        }
        const result = readCountries(damaged, CODES);
        if (result.ok) accepted++;
        else {
          refused++;
          assert(result.message.length > 10);
        }
      }),
      { numRuns: 3000 },
    );
    assert(accepted > 0 && refused > 0, `${accepted} accepted, ${refused} refused`);
  },
});
