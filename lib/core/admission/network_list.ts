// Files of networks: one a line, "#" and what follows it is a comment. Text in, networks or what is wrong with
// each line out.

import { printable } from "../values/printable.ts";
import { type Network, parseNetwork } from "../values/network.ts";

/** A line that is no network. */
export interface ListFault {
  /** Both counted from 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly excerpt: string;
}

export interface NetworkList {
  readonly networks: readonly Network[];
  /** The first of them. */
  readonly faults: readonly ListFault[];
  /** How many more there are. */
  readonly moreFaults: number;
}

/** The most faults that are told of one file: it may be something else altogether. */
const MOST_FAULTS = 10;
/** No network is longer. */
const MOST_CHARACTERS = 100;

/** Reads a list of networks. A mark of byte order at its beginning, and spaces, do not matter. */
export function parseNetworkList(text: string): NetworkList {
  const networks: Network[] = [];
  const faults: ListFault[] = [];
  let found = 0;
  for (const [index, excerpt] of text.replace(/^\ufeff/, "").split("\n").entries()) {
    const written = excerpt.split("#", 1)[0] ?? "";
    const name = written.trim();
    if (name === "") continue;
    const parsed = name.length > MOST_CHARACTERS
      ? { ok: false, message: tooLong(name) } as const
      : parseNetwork(name);
    if (parsed.ok) networks.push(parsed.value);
    else if (++found <= MOST_FAULTS) {
      const column = written.search(/\S/) + 1;
      faults.push({ line: index + 1, column, message: printable(parsed.message), excerpt });
    }
  }
  return { networks, faults, moreFaults: found - faults.length };
}

function tooLong(text: string): string {
  return `Cannot read ${text.length} characters as a network: expected one on each line`;
}
