// A tolerant reading of YAML that notes where things stand and ignores what they mean: tokens first, then
// the tree that they make. It follows block and flow style, quotes, comments, block scalars, tags and
// anchors; at what it does not follow (explicit "? " keys, pairs in lists) it stops and keeps what it has.

/** A place in a text, both counted from 1; columns in UTF-16 units. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Where a value stands. Of `entries` and `items`, one is used, by kind. */
export class PlaceNode {
  readonly entries: Map<string, PlaceEntry>;
  readonly items: PlaceNode[];
  /** Keys that stand in a mapping again; `entries` holds the first of each. */
  readonly duplicates: DuplicateEntry[];

  constructor(readonly kind: "scalar" | "mapping" | "list", readonly place: Place) {
    const isMapping = kind === "mapping";
    // There may be a hundred thousand scalars.
    this.entries = isMapping ? new Map() : NO_ENTRIES;
    this.duplicates = isMapping ? [] : NOTHING;
    this.items = kind === "list" ? [] : NOTHING;
  }
}

const NO_ENTRIES = new Map<never, never>();
const NOTHING: never[] = [];

interface PlaceEntry {
  readonly key: Place;
  /** Absent: empty. */
  value: PlaceNode | undefined;
}

/** An entry whose key the mapping has already. */
interface DuplicateEntry {
  readonly key: string;
  readonly place: Place;
  readonly start: number;
  /** Where the next thing begins, behind its comma in a flow mapping. */
  readonly end: number;
}

/** What was noted of a document. */
export interface Places {
  readonly root: PlaceNode;
  /** False when the reading stopped early: then parts of the tree are missing. */
  readonly complete: boolean;
}

/** A scalar, "name:", or an indicator. */
interface Token extends Place {
  readonly kind: "plain" | "scalar" | "key" | "-" | "{" | "[" | "}" | "]" | ",";
  readonly offset: number;
  /** Of a scalar on one line: what it says. */
  readonly name?: string | undefined;
}

/** The most levels that are followed; the parser accepts no more. */
const MAX_DEPTH = 40;

const QUOTED = `"(?:\\\\[^]|[^"\\\\])*"|'(?:''|[^'])*'`;
const BLOCK_WORD = "(?:[^ \\t\\r\\n:]|:(?![ \\t\\r\\n]|$))+";
const FLOW_WORD = "(?:[^ \\t\\r\\n:,[\\]{}]|:(?![ \\t\\r\\n,[\\]{}]|$))+";
const words = (word: string) => `${word}(?:[ \\t]+(?!#)${word})*`;
const SPACE = /(?:[ \t\r\n]|(?<![^ \t\r\n\uFEFF])#[^\n]*)*/y;
const MARKER = /(?:---|\.\.\.)(?=[ \t\r\n]|$)/y;
const REST_OF_LINE = /[^\n]*/y;
const PROPERTY = /[&!][^ \t\r\n]*/y;
const DASH = /-(?=[ \t\r\n]|$)/y;
const EXPLICIT_KEY = /\?(?=[ \t\r\n]|$)/y;
const CONTINUATION = new RegExp(words("[^ \\t\\r\\n]+"), "y");
const BLOCK_SCALAR_LINE = /\n( *)([^\n]*)/y;
/** The second group: it is a key. */
const IN_BLOCK = new RegExp(`(${QUOTED}|${words(BLOCK_WORD)})([ \\t]*:(?=[ \\t\\r\\n]|$))?`, "y");
const IN_FLOW = new RegExp(
  `(?:(${QUOTED})(\\s*:)?|(${words(FLOW_WORD)})(\\s*:(?=[ \\t\\r\\n,[\\]{}]|$))?)`,
  "y",
);

/** Reads the places of a document. Never throws. */
export function readPlaces(text: string): Places {
  const tokens: Token[] = [];
  const scanned = scan(text, tokens);
  const builder = new TreeBuilder(tokens, scanned.end);
  const root = builder.block(1, 0) ?? new PlaceNode("scalar", { line: 1, column: 1 });
  return { root, complete: scanned.complete && !builder.stopped };
}

/** Cuts a text into tokens. @returns where it ended, and whether that is the document's end. */
function scan(text: string, tokens: Token[]): { end: number; complete: boolean } {
  let at = text.startsWith("\uFEFF") ? 1 : 0;
  let line = 1;
  let lineStart = at;
  let lineEnd = text.indexOf("\n");
  /** Of brackets that are open. */
  let depth = 0;
  /** The column of the last key or dash: what belongs to it stands further right. */
  let parent = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found !== null) at = pattern.lastIndex;
    return found;
  };
  for (;;) {
    match(SPACE);
    if (at >= text.length) return { end: at, complete: true };
    for (; lineEnd !== -1 && lineEnd < at; lineEnd = text.indexOf("\n", lineStart)) {
      line++;
      lineStart = lineEnd + 1;
    }
    const offset = at;
    const character = text.charAt(at);
    const column = at - lineStart + 1;
    const push = (kind: Token["kind"], name?: string) =>
      tokens.push({ kind, offset, line, column, name });
    if (column === 1 && tokens.length === 0 && character === "%") match(REST_OF_LINE);
    else if (column === 1 && match(MARKER) !== null) {
      if (character === "." || tokens.length > 0) return { end: offset, complete: true };
    } else if (depth === 0 && tokens.at(-1)?.kind === "plain" && column > parent) {
      match(CONTINUATION);
    } else if (match(PROPERTY) !== null) continue;
    else if (match(EXPLICIT_KEY) !== null) return { end: offset, complete: false };
    else if (depth === 0 && match(DASH) !== null) {
      push("-");
      parent = column;
    } else if (depth === 0 && (character === "|" || character === ">")) {
      push("scalar");
      match(REST_OF_LINE);
      for (let before = at;; before = at) {
        const [, indent = "", rest = ""] = match(BLOCK_SCALAR_LINE) ?? [];
        if (rest.trim() !== "" && indent.length < parent) at = before;
        if (at === before) break;
      }
    } else if (character === "{" || character === "[") {
      push(character);
      depth++;
      at++;
    } else if (depth > 0 && (character === "}" || character === "]" || character === ",")) {
      push(character);
      if (character !== ",") depth--;
      at++;
    } else {
      const found = match(depth === 0 ? IN_BLOCK : IN_FLOW);
      if (found === null) return { end: offset, complete: false };
      const written = found[1] ?? found[3] ?? "";
      const isQuoted = /^["']/.test(written);
      const isKey = (found[2] ?? found[4]) !== undefined;
      const name = isQuoted ? unquote(written) : written;
      if (isKey && (name === undefined || written.includes("\n"))) {
        return { end: offset, complete: false };
      }
      push(isKey ? "key" : isQuoted ? "scalar" : "plain", name);
      if (isKey && depth === 0) parent = column;
    }
  }
}

/** Makes the tree of the tokens. */
class TreeBuilder {
  readonly #tokens: readonly Token[];
  /** Where the tokens end. */
  readonly #end: number;
  #at = 0;
  /** Set for good at the first thing that is not understood. */
  stopped = false;

  constructor(tokens: readonly Token[], end: number) {
    this.#tokens = tokens;
    this.#end = end;
  }

  /** Reads what begins at column `lowest` or further right. @returns undefined: an empty value. */
  block(lowest: number, depth: number): PlaceNode | undefined {
    const token = this.#peek();
    if (token === undefined || token.column < lowest) return undefined;
    if (depth > MAX_DEPTH) {
      this.stopped = true;
      return undefined;
    }
    if (token.kind !== "-" && token.kind !== "key") return this.#flow(depth);
    const node = new PlaceNode(token.kind === "-" ? "list" : "mapping", token);
    for (
      let next = this.#peek();
      next?.kind === token.kind && next.column === token.column;
      next = this.#peek()
    ) {
      this.#at++;
      if (token.kind === "-") {
        node.items.push(this.block(token.column + 1, depth + 1) ?? new PlaceNode("scalar", next));
        continue;
      }
      // A list may stand at the column of its key.
      const isList = this.#peek()?.kind === "-";
      const column = isList ? token.column : token.column + 1;
      this.#add(node, next, () => this.block(column, depth + 1));
    }
    if ((this.#peek()?.column ?? 0) > token.column) this.stopped = true;
    return node;
  }

  #peek(): Token | undefined {
    return this.stopped ? undefined : this.#tokens[this.#at];
  }

  /** Reads a scalar, or what stands in brackets. */
  #flow(depth: number): PlaceNode | undefined {
    const open = this.#peek();
    if (open === undefined) return undefined;
    this.#at++;
    if (open.kind !== "{" && open.kind !== "[") return new PlaceNode("scalar", open);
    const node = new PlaceNode(open.kind === "{" ? "mapping" : "list", open);
    const close = open.kind === "{" ? "}" : "]";
    for (let token = this.#peek(); token?.kind !== close; token = this.#peek()) {
      if (token === undefined || depth > MAX_DEPTH) {
        this.stopped = true;
        return node;
      }
      if (token.kind === ",") this.#at++;
      else if (node.kind === "list") {
        const item = this.#flow(depth + 1);
        if (item !== undefined) node.items.push(item);
        // A pair inside a list.
        if (token.kind === "key") this.stopped = true;
      } else {
        this.#at++;
        if (token.name === undefined) this.stopped = true;
        this.#add(node, token, () => {
          const next = this.#peek()?.kind;
          return next === "," || next === close ? undefined : this.#flow(depth + 1);
        });
      }
      // Plain text may go on in the next lines.
      while (this.#peek()?.kind === "plain" && this.#tokens[this.#at - 1]?.kind === "plain") {
        this.#at++;
      }
    }
    this.#at++;
    return node;
  }

  /** Adds an entry and reads its value; of equal keys, the first counts. */
  #add(node: PlaceNode, key: Token, read: () => PlaceNode | undefined): void {
    const { name = "" } = key;
    const entry: PlaceEntry = { key, value: undefined };
    const isFirst = !node.entries.has(name);
    if (isFirst) node.entries.set(name, entry);
    entry.value = read();
    if (isFirst) return;
    const next = this.#tokens[this.#at + (this.#peek()?.kind === "," ? 1 : 0)];
    const end = next?.offset ?? this.#end;
    node.duplicates.push({ key: name, place: key, start: key.offset, end });
  }
}

/** The text inside quotes, or undefined when it holds an escape that is not followed. */
function unquote(written: string): string | undefined {
  const inside = written.slice(1, -1);
  if (written.startsWith("'")) return inside.replaceAll("''", "'");
  if (!inside.includes("\\")) return inside;
  try {
    const value: unknown = JSON.parse(written);
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}
