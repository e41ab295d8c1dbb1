// Scans the XML that Ganglia's gmond sends: elements with attributes, no text, piece by piece. Pure.
//
// gmond (3.7.2) escapes nothing: the name of a cluster may hold quotes, "<" and "&" as they are. So a
// value ends at a quote behind which the tag goes on or ends, not at the first quote.

import { failure, type Result, success } from "../core/values/result.ts";
import { oneLine } from "./reason.ts";

/** Told what is found, in order. */
export interface XmlHandler {
  readonly open: (element: string, attributes: ReadonlyMap<string, string>) => void;
  readonly close: (element: string) => void;
}

/** gmetad nests grids in grids; this is deeper than anybody does. */
const MAX_DEPTH = 32;
/** The declaration of gmond's document type is the longest, with 3 kB. */
const MAX_TAG_CHARACTERS = 65_536;

const SPACES = /[ \n\r\t]*/y;
/** Names as Ganglia has them: letters, digits and "_". */
const NAME = /\w*/y;

/** Where a tag ends and what it is; undefined while its end has not come yet. */
type Tag =
  | { readonly kind: "open" | "empty"; readonly name: string; readonly end: number }
  | { readonly kind: "close"; readonly name: string; readonly end: number }
  | { readonly kind: "skipped"; readonly end: number };

class Broken extends Error {}

export class XmlScanner {
  readonly #handler: XmlHandler;
  readonly #stack: string[] = [];
  #text = "";
  /** Characters before `#text`. */
  #passed = 0;
  #seen = false;
  #fault: string | undefined;
  #attributes = new Map<string, string>();

  constructor(handler: XmlHandler) {
    this.#handler = handler;
  }

  /** Takes more text in. @returns false when it is no such XML: `end` says why. */
  feed(piece: string): boolean {
    if (this.#fault !== undefined) return false;
    this.#text += piece;
    try {
      this.#scan();
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      this.#fault = error.message;
    }
    return this.#fault === undefined;
  }

  /** Says whether all of it was one whole document. */
  end(): Result<undefined> {
    if (this.#fault !== undefined) return failure(this.#fault);
    const isOpen = this.#stack.length > 0 || this.#text !== "";
    if (isOpen || !this.#seen) {
      const what = isOpen ? "it ends in the middle" : "there is no element";
      return failure(`Cannot read the XML of ${this.#passed + this.#text.length} bytes: ${what}`);
    }
    return success(undefined);
  }

  #scan(): void {
    const text = this.#text;
    let at = 0;
    for (;;) {
      at = this.#skipSpaces(at);
      if (at >= text.length) break;
      if (text[at] !== "<") this.#break(at, 'expected "<"');
      const tag = this.#tagAt(at);
      if (tag === undefined) {
        if (text.length - at > MAX_TAG_CHARACTERS) this.#break(at, "a tag is too long");
        break;
      }
      this.#take(tag, at);
      at = tag.end;
    }
    this.#text = text.slice(at);
    this.#passed += at;
  }

  #take(tag: Tag, at: number): void {
    if (tag.kind === "skipped") return;
    const { name } = tag;
    if (tag.kind === "close") {
      if (this.#stack.pop() !== name) this.#break(at, "nothing of that name is open");
      this.#handler.close(name);
      return;
    }
    if (this.#stack.length === 0 && this.#seen) this.#break(at, "expected the end");
    if (this.#stack.length >= MAX_DEPTH) this.#break(at, "it is nested too deep");
    this.#seen = true;
    this.#handler.open(name, this.#attributes);
    if (tag.kind === "empty") this.#handler.close(name);
    else this.#stack.push(name);
  }

  #tagAt(at: number): Tag | undefined {
    const text = this.#text;
    const next = text[at + 1];
    if (next === undefined) return undefined;
    if (next === "?") return this.#skipTo("?>", at);
    if (next === "!") {
      // "<!-" may become a comment with the next piece.
      if (text.length < at + 4) return undefined;
      if (text.startsWith("--", at + 2)) return this.#skipTo("-->", at + 4);
      const bracket = text.indexOf("[", at);
      const end = text.indexOf(">", at);
      return bracket !== -1 && bracket < end || end === -1
        ? this.#skipTo("]>", at)
        : { kind: "skipped", end: end + 1 };
    }
    if (next === "/") {
      const nameEnd = this.#nameEnd(at + 2);
      const end = this.#skipSpaces(nameEnd);
      if (end >= text.length) return undefined;
      if (nameEnd === at + 2 || text[end] !== ">") this.#break(at, "expected a closing tag");
      return { kind: "close", name: text.slice(at + 2, nameEnd), end: end + 1 };
    }
    const nameEnd = this.#nameEnd(at + 1);
    if (nameEnd === at + 1) this.#break(at, "expected an element");
    return this.#attributesAt(at, nameEnd);
  }

  #attributesAt(start: number, nameEnd: number): Tag | undefined {
    const text = this.#text;
    const name = text.slice(start + 1, nameEnd);
    this.#attributes = new Map();
    for (let at = nameEnd;;) {
      const from = this.#skipSpaces(at);
      if (from >= text.length) return undefined;
      if (text[from] === ">") return { kind: "open", name, end: from + 1 };
      if (text[from] === "/") {
        if (from + 1 >= text.length) return undefined;
        if (text[from + 1] !== ">") this.#break(start, 'expected "/>"');
        return { kind: "empty", name, end: from + 2 };
      }
      const keyEnd = this.#nameEnd(from);
      if (keyEnd + 1 >= text.length) return undefined;
      if (from === at || keyEnd === from || text[keyEnd] !== "=" || text[keyEnd + 1] !== '"') {
        this.#break(start, 'expected attributes NAME="value"');
      }
      const valueEnd = this.#valueEnd(keyEnd + 2);
      if (valueEnd === undefined) return undefined;
      const key = text.slice(from, keyEnd);
      if (this.#attributes.has(key)) this.#break(start, `${key} stands twice`);
      this.#attributes.set(key, decodeEntities(text.slice(keyEnd + 2, valueEnd)));
      at = valueEnd + 1;
    }
  }

  /** The quote that ends a value: behind it stands another attribute or the tag's end. */
  #valueEnd(from: number): number | undefined {
    const text = this.#text;
    for (let quote = text.indexOf('"', from); quote !== -1; quote = text.indexOf('"', quote + 1)) {
      const next = this.#skipSpaces(quote + 1);
      if (next + 1 >= text.length && text[next] !== ">") return undefined;
      if (text[next] === ">" || (text[next] === "/" && text[next + 1] === ">")) return quote;
      const keyEnd = this.#nameEnd(next);
      if (keyEnd + 1 >= text.length) return undefined;
      const isKey = next > quote + 1 && keyEnd > next;
      if (isKey && text[keyEnd] === "=" && text[keyEnd + 1] === '"') return quote;
    }
    return undefined;
  }

  #skipTo(mark: string, from: number): Tag | undefined {
    const found = this.#text.indexOf(mark, from);
    return found === -1 ? undefined : { kind: "skipped", end: found + mark.length };
  }

  #skipSpaces(from: number): number {
    return this.#past(SPACES, from);
  }

  #nameEnd(from: number): number {
    return this.#past(NAME, from);
  }

  /** Where that which matches from here on ends. */
  #past(pattern: RegExp, from: number): number {
    pattern.lastIndex = from;
    pattern.test(this.#text);
    return pattern.lastIndex;
  }

  #break(at: number, what: string): never {
    const found = oneLine(this.#text.slice(at, at + 40));
    throw new Broken(`Cannot read "${found}" at byte ${this.#passed + at} of the XML: ${what}`);
  }
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  amp: "&",
  quot: '"',
  apos: "'",
};

/** Replaces the five entities and character references; any other "&" is one. */
function decodeEntities(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(/&(?:(lt|gt|amp|quot|apos)|#(\d{1,7})|#x([0-9a-fA-F]{1,6}));/g, (
    whole,
    name: string | undefined,
    decimal: string | undefined,
    hexadecimal: string | undefined,
  ) => {
    if (name !== undefined) return ENTITIES[name] ?? whole;
    const code = decimal === undefined ? parseInt(hexadecimal ?? "", 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
