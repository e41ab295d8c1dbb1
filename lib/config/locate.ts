// Finds where in the text of a YAML document a key or a value stands, because the parser does not say.
// A second, tolerant reading notes places only. What it found is followed only as far as it agrees
// with the parsed tree, so a place is sometimes coarse (an ancestor's), never another key's.

import type { ConfigPath } from "./config_error.ts";
import { type PlaceNode, readPlaces } from "./source_positions.ts";
import { isList, isMapping, type YamlValue } from "./yaml.ts";

/** A place in a text, both counted from 1; columns in UTF-16 units. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Turns offsets in a text into lines and columns; the text is gone through once. */
export class Lines {
  readonly #starts: number[] = [0];
  /** A byte order mark is not part of the first line. */
  readonly #mark: number;

  constructor(text: string) {
    this.#mark = text.startsWith("\uFEFF") ? 1 : 0;
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", end + 1)) {
      this.#starts.push(end + 1);
    }
  }

  placeOf(offset: number): Place {
    let low = 0;
    let high = this.#starts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    const start = low === 0 ? this.#mark : this.#starts[low] ?? 0;
    return { line: low + 1, column: Math.max(offset - start, 0) + 1 };
  }
}

/** Finds places in one document. */
export class Locator {
  readonly #text: string;
  readonly #tree: YamlValue;
  #root: PlaceNode | undefined;
  #lines: Lines | undefined;
  /** Whether a node can be the value that the tree has in its place, for those that were asked for. */
  readonly #agreeing = new Map<PlaceNode, boolean>();

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
      if (node === undefined || value === undefined || !this.#agrees(node, value)) break;
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
    this.#lines ??= new Lines(this.#text);
    return this.#lines.placeOf(offset);
  }

  #agrees(node: PlaceNode, value: YamlValue): boolean {
    const known = this.#agreeing.get(node) ?? agrees(node, value);
    this.#agreeing.set(node, known);
    return known;
  }
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
