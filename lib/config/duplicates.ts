// Keys that stand in a mapping twice. YAML forbids them, and its parser stops at the first; here all of
// them are found and taken out of the text, so that reading goes on with the first value of each.

import type { ConfigPath } from "./config_error.ts";
import { type Place, type PlaceNode, readPlaces } from "./source_positions.ts";

/** A key that its mapping has already. */
interface DuplicateKey {
  /** The way to the key. */
  readonly path: ConfigPath;
  readonly key: string;
  readonly place: Place;
  /** Where the entry stands in the text. */
  readonly start: number;
  readonly end: number;
  /** Where the key stands for the first time. */
  readonly firstLine: number;
}

interface Deduplicated {
  /** The first of them, in the order of the text. */
  readonly duplicates: readonly DuplicateKey[];
  /** The text with blanks in place of all of them: everything else stands where it stood. */
  readonly text: string;
}

/** More are not worth telling. */
const MOST_TOLD = 100;

/** Finds the duplicate keys of a document whose only fault, so far, they are. Never throws. */
export function takeDuplicatesOut(text: string): Deduplicated {
  const found = collect(readPlaces(text).root, []).sort((a, b) => a.start - b.start);
  const pieces: string[] = [];
  let copied = 0;
  for (const { start, end } of found) {
    pieces.push(text.slice(copied, start), text.slice(start, end).replace(/[^\r\n]/g, " "));
    copied = end;
  }
  return {
    duplicates: found.slice(0, MOST_TOLD),
    text: pieces.join("") + text.slice(copied),
  };
}

function collect(node: PlaceNode, path: ConfigPath): DuplicateKey[] {
  const own = node.duplicates.map((duplicate) => ({
    ...duplicate,
    path: [...path, duplicate.key],
    firstLine: (node.entries.get(duplicate.key)?.key ?? node.place).line,
  }));
  const inEntries = [...node.entries].flatMap(([key, { value }]) =>
    value === undefined ? [] : collect(value, [...path, key])
  );
  const inItems = node.items.flatMap((item, index) => collect(item, [...path, index]));
  return [...own, ...inEntries, ...inItems];
}
