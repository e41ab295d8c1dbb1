// Writes a tree as YAML in random styles and notes where every key and value came to stand: the
// opposite of lib/config/locate.ts, to test it with.

import type { ConfigPath } from "../../lib/config/config_error.ts";
import { isList, isMapping, type YamlMapping, type YamlValue } from "../../lib/config/yaml.ts";

/** A document and where everything stands in it. */
export interface EmittedYaml {
  readonly text: string;
  /** Offsets by path, as JSON. */
  readonly places: ReadonlyMap<string, EmittedPlace>;
}

export interface EmittedPlace {
  /** Absent in lists and at the root. */
  readonly keyOffset?: number;
  readonly valueOffset: number;
}

/** Writes a document; the same seed gives the same styles. */
export function emitYaml(value: YamlValue, seed: number): EmittedYaml {
  const emitter = new Emitter(seed);
  emitter.emitDocument(value);
  return { text: emitter.text, places: emitter.places };
}

/** mulberry32: small and repeatable. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

class Emitter {
  text = "";
  readonly places = new Map<string, EmittedPlace>();
  readonly #random: () => number;
  #anchors = 0;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }

  emitDocument(value: YamlValue): void {
    if (this.#chance(0.1)) this.text += "\uFEFF";
    if (this.#chance(0.2)) this.text += "# a: comment\n";
    if (this.#chance(0.1)) this.text += "%YAML 1.2\n---\n";
    else if (this.#chance(0.2)) this.text += "---\n";
    this.#filler();
    if (this.#canFlow(value) && (isEmpty(value) || this.#chance(0.1))) {
      this.#flow(value, [], 2, {});
      this.text += "\n";
    } else if (isMapping(value)) {
      this.#mapping(value, 0, [], false, {});
    } else if (isList(value)) {
      this.#list(value, 0, [], false, {});
    }
    if (this.#chance(0.1)) this.text += "...\n";
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #note(path: ConfigPath, key: { readonly keyOffset?: number }): void {
    this.places.set(JSON.stringify(path), { ...key, valueOffset: this.text.length });
  }

  /** Empty lines and comments, at any column. */
  #filler(): void {
    while (this.#chance(0.2)) {
      this.text += this.#chance(0.5)
        ? " ".repeat(this.#below(4)) + "\n"
        : " ".repeat(this.#below(9)) + "# note: - x {\n";
    }
  }

  #endLine(): void {
    if (this.#chance(0.15)) this.text += "  # trailing: 'comment";
    this.text += "\n";
    this.#filler();
  }

  #anchor(): void {
    if (this.#chance(0.05)) this.text += `&a${this.#anchors++} `;
  }

  #mapping(
    value: YamlMapping,
    indent: number,
    path: ConfigPath,
    inline: boolean,
    own: { readonly keyOffset?: number },
  ): void {
    for (const [index, [key, inner]] of Object.entries(value).entries()) {
      if (index > 0 || !inline) this.text += " ".repeat(indent);
      if (index === 0) this.#note(path, own);
      const keyOffset = this.text.length;
      this.text += this.#key(key) + (this.#chance(0.05) ? " :" : ":");
      this.#afterKey(inner, indent, [...path, key], keyOffset);
    }
  }

  #afterKey(value: YamlValue, indent: number, path: ConfigPath, keyOffset: number): void {
    if (value === null) {
      this.places.set(JSON.stringify(path), { keyOffset, valueOffset: keyOffset });
      this.#endLine();
    } else if (isMapping(value) && !this.#asFlow(value)) {
      this.#endLine();
      this.#mapping(value, indent + 1 + this.#below(4), path, false, { keyOffset });
    } else if (isList(value) && !this.#asFlow(value)) {
      this.#endLine();
      this.#list(value, indent + this.#below(4), path, false, { keyOffset });
    } else {
      if (this.#chance(0.1)) this.text += "\n" + " ".repeat(indent + 1 + this.#below(3));
      else this.text += " ".repeat(1 + this.#below(3));
      this.#leaf(value, indent, path, { keyOffset });
    }
  }

  #list(
    value: readonly YamlValue[],
    indent: number,
    path: ConfigPath,
    inline: boolean,
    own: { readonly keyOffset?: number },
  ): void {
    for (const [index, item] of value.entries()) {
      if (index > 0 || !inline) this.text += " ".repeat(indent);
      if (index === 0) this.#note(path, own);
      const inner = [...path, index];
      const dash = this.text.length;
      this.text += "-";
      if (item === null) {
        this.places.set(JSON.stringify(inner), { valueOffset: dash });
        this.#endLine();
        continue;
      }
      const block = (isMapping(item) || isList(item)) && !this.#asFlow(item);
      const gap = 1 + this.#below(3);
      if (!block) {
        this.text += " ".repeat(gap);
        this.#leaf(item, indent, inner, {});
        continue;
      }
      const compact = this.#chance(0.7);
      if (compact) this.text += " ".repeat(gap);
      else this.#endLine();
      const column = indent + 1 + gap;
      if (isMapping(item)) this.#mapping(item, column, inner, compact, {});
      else if (isList(item)) this.#list(item, column, inner, compact, {});
    }
  }

  #leaf(
    value: YamlValue,
    indent: number,
    path: ConfigPath,
    own: { readonly keyOffset?: number },
  ): void {
    this.#anchor();
    if (typeof value !== "string") {
      this.#flow(value, path, indent + 1, own);
      this.#endLine();
      return;
    }
    this.#note(path, own);
    if (/^[a-z]+( [a-z]+)*(\n[a-z]+)*\n?$/.test(value) && this.#chance(0.3)) {
      const pad = "\n" + " ".repeat(indent + 1 + this.#below(3));
      const lines = value.replace(/\n$/, "").split("\n");
      this.text += (value.endsWith("\n") ? "|" : "|-") + pad + lines.join(pad) + "\n";
      return;
    }
    const fold = "\n" + " ".repeat(indent + 1 + this.#below(3));
    this.text += this.#scalar(value, false, fold);
    this.#endLine();
  }

  #scalar(value: string, inFlow: boolean, fold: string): string {
    const plain = inFlow ? /^[a-z0-9:/.]*[a-z0-9]$/ : /^[a-z0-9:/.,[\]{}#'"= -]*[a-z0-9]$/;
    const safe = plain.test(value) && !/^[[\]{}#'",= -]|: | #| {2}|^[.-]{3}/.test(value);
    if (safe && this.#chance(0.7)) {
      return this.#chance(0.2) ? value.replaceAll(/(?<=[a-z0-9]) (?=[a-z0-9])/g, fold) : value;
    }
    const quotable = !/[\p{Cc}\p{Cs}\u2028\u2029\uFEFF\uFFFE\uFFFF\u0085]/u.test(value);
    if (quotable && this.#chance(0.5)) return `'${value.replaceAll("'", "''")}'`;
    return JSON.stringify(value).replaceAll(/[\u007f-\uffff]/g, (character) => {
      return "\\u" + character.charCodeAt(0).toString(16).padStart(4, "0");
    });
  }

  #key(key: string): string {
    if (/^[a-z0-9_-]*[a-z0-9_]$/.test(key) && !/^-/.test(key) && this.#chance(0.8)) return key;
    if (!/[^ -~]/.test(key) && this.#chance(0.5)) return `'${key.replaceAll("'", "''")}'`;
    return this.#scalar(key, true, " ").replace(/^[^"'].*$/, JSON.stringify(key));
  }

  #asFlow(value: YamlValue): boolean {
    return isEmpty(value) || (this.#canFlow(value) && this.#chance(0.25));
  }

  /** Nothing can stand in a flow list as nothing, so such trees are written as blocks. */
  #canFlow(value: YamlValue): boolean {
    if (isList(value)) return value.every((item) => item !== null && this.#canFlow(item));
    return !isMapping(value) || Object.values(value).every((item) => this.#canFlow(item));
  }

  #flow(
    value: YamlValue,
    path: ConfigPath,
    indent: number,
    own: { readonly keyOffset?: number },
  ): void {
    if (value !== null && typeof value !== "string") this.#note(path, own);
    if (isList(value)) {
      this.text += "[";
      for (const [index, item] of value.entries()) {
        this.#flowGap(indent);
        this.#flow(item, [...path, index], indent, {});
        this.#flowGap(indent);
        if (index < value.length - 1 || this.#chance(0.2)) this.text += ",";
      }
      this.#flowGap(indent);
      this.text += "]";
    } else if (isMapping(value)) {
      const entries = Object.entries(value);
      this.text += "{";
      for (const [index, [key, item]] of entries.entries()) {
        this.#flowGap(indent);
        const keyOffset = this.text.length;
        this.text += this.#key(key) + ":";
        if (item === null) {
          this.places.set(JSON.stringify([...path, key]), { keyOffset, valueOffset: keyOffset });
        } else {
          this.text += " ";
          this.#flowGap(indent);
          this.#flow(item, [...path, key], indent, { keyOffset });
        }
        this.#flowGap(indent);
        if (index < entries.length - 1 || this.#chance(0.2)) this.text += ",";
      }
      this.#flowGap(indent);
      this.text += "}";
    } else if (value !== null) {
      this.#note(path, own);
      this.text += this.#scalar(value, true, " ");
    }
  }

  #flowGap(indent: number): void {
    if (this.#chance(0.3)) this.text += " ";
    if (!this.#chance(0.1)) return;
    if (this.#chance(0.3)) this.text += " # in: [flow";
    this.text += "\n" + " ".repeat(indent + this.#below(3));
  }
}

function isEmpty(value: YamlValue): boolean {
  if (isList(value)) return value.length === 0;
  return isMapping(value) && Object.keys(value).length === 0;
}
