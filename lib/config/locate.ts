// Finds where in the text of a YAML document a key or a value stands, because the parser does not say.
// A second, tolerant reading notes places only. What it found is followed only as far as it agrees
// with the parsed tree, so a place is sometimes coarse (an ancestor's), never another key's.

import type { ConfigPath } from "./config_error.ts";
import { type Place, type PlaceNode, type Places, readPlaces } from "./source_positions.ts";
import { isList, isMapping, type YamlValue } from "./yaml.ts";

/** Finds places in one document. */
export class Locator {
  readonly #text: string;
  readonly #tree: YamlValue;
  #places: Places | undefined;
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
    const { root, complete } = this.#places ??= readPlaces(this.#text);
    let node: PlaceNode | undefined = root;
    let value: YamlValue | undefined = this.#tree;
    let { place } = root;
    for (const [index, step] of path.entries()) {
      if (node === undefined || value === undefined || !this.#agrees(node, value, complete)) break;
      if (typeof step === "number") {
        const item: PlaceNode | undefined = node.items[step];
        if (item === undefined || !isList(value)) break;
        place = item.place;
        node = item;
        value = value[step];
      } else {
        const entry = node.entries.get(step);
        if (entry === undefined || !isMapping(value)) break;
        const last = index === path.length - 1;
        place = last && part === "key" ? entry.key : entry.value?.place ?? entry.key;
        node = entry.value;
        value = value[step];
      }
    }
    return { line: place.line, column: place.column };
  }

  #agrees(node: PlaceNode, value: YamlValue, complete: boolean): boolean {
    const known = this.#agreeing.get(node) ?? agrees(node, value, complete);
    this.#agreeing.set(node, known);
    return known;
  }
}

/** Tells whether what was noted can be the value, so that its parts can be trusted. */
function agrees({ kind, items, entries }: PlaceNode, value: YamlValue, complete: boolean): boolean {
  if (isList(value)) {
    return kind === "list" &&
      (complete ? items.length === value.length : items.length <= value.length);
  }
  if (!isMapping(value) || kind !== "mapping") return false;
  const keys = [...entries.keys()];
  return keys.every((key) => Object.hasOwn(value, key)) &&
    (!complete || keys.length === Object.keys(value).length);
}
