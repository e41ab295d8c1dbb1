// Keys that stand in a mapping twice. YAML forbids them, and its parser stops at the first; here all of
// them are found and taken out of the text, so that reading goes on with the first value of each.

import type { ConfigPath } from "./config_error.ts";
import { Lines, type Place } from "./locate.ts";
import { type PlaceNode, readPlaces } from "./source_positions.ts";

/** A key that its mapping has already. */
export interface DuplicateKey extends Place {
  /** The way to the key. */
  readonly path: ConfigPath;
  readonly key: string;
  /** Where it stands for the first time. */
  readonly firstLine: number;
}

export interface Deduplicated {
  /** The first of them, in the order of the text. */
  readonly duplicates: readonly DuplicateKey[];
  /** The text with blanks in place of all of them: everything else stands where it stood. */
  readonly text: string;
}

/** More are not worth telling. */
const MOST_TOLD = 100;

/** Finds the duplicate keys of a document whose only fault, so far, they are. Never throws. */
export function takeDuplicatesOut(text: string): Deduplicated {
  const duplicates: DuplicateKey[] = [];
  const pieces: string[] = [];
  const lines = new Lines(text);
  let copied = 0;
  const found = collect(readPlaces(text), []).sort((a, b) => a.keyOffset - b.keyOffset);
  for (const { path, key, keyOffset, end, firstOffset } of found) {
    pieces.push(text.slice(copied, keyOffset), text.slice(keyOffset, end).replace(/[^\r\n]/g, " "));
    copied = end;
    if (duplicates.length >= MOST_TOLD) continue;
    const firstLine = lines.placeOf(firstOffset).line;
    duplicates.push({ path, key, firstLine, ...lines.placeOf(keyOffset) });
  }
  return { duplicates, text: pieces.join("") + text.slice(copied) };
}

interface Found {
  readonly path: ConfigPath;
  readonly key: string;
  readonly keyOffset: number;
  readonly end: number;
  readonly firstOffset: number;
}

function collect(node: PlaceNode, path: ConfigPath): Found[] {
  const own = node.duplicates.map((duplicate) => ({
    ...duplicate,
    path: [...path, duplicate.key],
    firstOffset: node.entries.get(duplicate.key)?.keyOffset ?? node.offset,
  }));
  const inEntries = [...node.entries].flatMap(([key, { value }]) =>
    value === undefined ? [] : collect(value, [...path, key])
  );
  const inItems = node.items.flatMap((item, index) => collect(item, [...path, index]));
  return [...own, ...inEntries, ...inItems];
}
