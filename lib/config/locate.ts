// Finds where in the text of a YAML document a key or a value stands, because the parser does not say.
// A second, tolerant reading notes places only. What it found is followed only as far as it agrees
// with the parsed tree, so a place is sometimes coarse (an ancestor's), never another key's.

import type { ConfigPath } from "./config_error.ts";
import { type PlaceNode, readPlaces } from "./places.ts";
import { isList, isMapping, type YamlValue } from "./yaml.ts";

/** A place in a text, both counted from 1; columns in UTF-16 units. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Finds places in one document. */
export class Locator {
  readonly #text: string;
  readonly #tree: YamlValue;
  #root: PlaceNode | undefined;

  /** @param tree what the text was parsed into. */
  constructor(text: string, tree: YamlValue) {
    this.#text = text;
    this.#tree = tree;
  }

  /**
   * Finds the key or the value at a path, or the nearest ancestor that can be found; a value that is
   * empty has its key's place.
   */
  find(path: ConfigPath, part: "key" | "value"): Place {
    this.#root ??= readPlaces(this.#text);
    let node: PlaceNode | undefined = this.#root;
    let value: YamlValue | undefined = this.#tree;
    let offset = node.offset;
    for (const [index, step] of path.entries()) {
      if (node === undefined || value === undefined || !agrees(node, value)) break;
      if (typeof step === "number") {
        if (!isList(value)) break;
        const item: PlaceNode | undefined = node.items[step];
        if (item === undefined) break;
        offset = item.offset;
        node = item;
        value = value[step];
      } else {
        const entry = node.entries.get(step);
        if (entry === undefined || !isMapping(value)) break;
        const last = index === path.length - 1;
        offset = last && part === "key" ? entry.keyOffset : entry.value?.offset ?? entry.keyOffset;
        node = entry.value;
        value = value[step];
      }
    }
    return placeOf(this.#text, offset);
  }
}

/** Turns an offset into a line and a column. */
export function placeOf(text: string, offset: number): Place {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf("\n") + 1;
  const line = before.split("\n").length;
  // A byte order mark is not part of the first line.
  const mark = lineStart === 0 && text.startsWith("\uFEFF") ? 1 : 0;
  return { line, column: Math.max(offset - lineStart - mark, 0) + 1 };
}

/** Tells whether what was noted can be the value, so that its parts can be trusted. */
function agrees(node: PlaceNode, value: YamlValue): boolean {
  if (isList(value)) {
    return node.kind === "list" &&
      (node.complete ? node.items.length === value.length : node.items.length <= value.length);
  }
  if (!isMapping(value) || node.kind !== "mapping") return false;
  const keys = [...node.entries.keys()];
  return keys.every((key) => Object.hasOwn(value, key)) &&
    (!node.complete || keys.length === Object.keys(value).length);
}
