// Generators of values that are right by construction, for property tests.

import fc from "fast-check";
import type { Address, TcpAddress } from "../../lib/core/values/address.ts";
import type { Network } from "../../lib/core/values/network.ts";

const label = fc.stringMatching(/^[A-Za-z0-9_]([A-Za-z0-9_-]{0,10}[A-Za-z0-9_])?$/);

/** Host names that cannot be taken for an IPv4 literal. */
export const hostName: fc.Arbitrary<string> = fc.array(label, { minLength: 1, maxLength: 4 })
  .map((labels) => labels.join("."))
  .filter((name) => !/^[0-9.]+$/.test(name));

/** Host names, IPv4 and IPv6 literals. */
export const host: fc.Arbitrary<string> = fc.oneof(hostName, fc.ipV4(), fc.ipV6());

/** Absolute paths that fit a unix socket. */
export const socketPath: fc.Arbitrary<string> = fc.stringMatching(/^\/[ -~]{1,60}$/);

/** Addresses with ports from `lowestPort` on. */
export function address(lowestPort: number): fc.Arbitrary<Address> {
  return fc.oneof(
    { weight: 3, arbitrary: tcpAddress(lowestPort) },
    {
      weight: 1,
      arbitrary: socketPath.map((path): Address => ({ transport: "unix", path })),
    },
  );
}

/** TCP addresses with ports from `lowestPort` on. */
export function tcpAddress(lowestPort: number): fc.Arbitrary<TcpAddress> {
  return fc.tuple(host, fc.integer({ min: lowestPort, max: 65535 }))
    .map(([name, port]): TcpAddress => ({ transport: "tcp", host: name, port }));
}

/** Numbers of cores that have a plain decimal form. */
export const cores: fc.Arbitrary<number> = fc.integer({ min: 1, max: 8_192_000 })
  .map((milliCores) => milliCores / 1000);

/** Networks of both families, no bits set behind the prefix; IPv4-mapped ones are left out. */
export const network: fc.Arbitrary<Network> = fc.oneof(networkOf(1), networkOf(4))
  .filter(({ words: [first, second, third] }) => first !== 0 || second !== 0 || third !== 0xffff);

function networkOf(count: number): fc.Arbitrary<Network> {
  // Few values, so that networks often lie inside each other.
  const word = fc.oneof(
    fc.constantFrom(0, 0x0a00_0000, 0xffff_ffff),
    fc.integer({ min: 0, max: 0xffff_ffff }),
  );
  const words = fc.array(word, { minLength: count, maxLength: count });
  return fc.tuple(words, fc.integer({ min: 0, max: 32 * count })).map(([words, prefix]) => ({
    words: words.map((word, index) => {
      const kept = Math.min(32, Math.max(0, prefix - 32 * index));
      return word - word % 2 ** (32 - kept);
    }),
    prefix,
  }));
}
