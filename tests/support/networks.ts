// What networks hold, found the slow way.

import { behind, type Network } from "../../lib/core/values/network.ts";

export function holds({ words, prefix }: Network, address: readonly number[]): boolean {
  const bits = (all: readonly number[]) =>
    all.map((word) => word.toString(2).padStart(32, "0")).join("").slice(0, prefix);
  return words.length === address.length && bits(words) === bits(address);
}

/** The edges of networks, where a table is wrong if it is wrong at all. */
export function edgesOf(all: readonly Network[]): number[][] {
  return all.flatMap((one) => {
    const next = behind(one);
    const last = one.words.map((word, index) =>
      word + 2 ** (32 - Math.min(32, Math.max(0, one.prefix - 32 * index))) - 1
    );
    return [[...one.words], last, ...(next === undefined ? [] : [next])];
  });
}
