// A tolerant reading of YAML that notes where things stand and ignores what they mean. It follows
// block and flow style, quotes, comments, block scalars, tags and anchors; at what it does not follow
// (explicit "? " keys, flow collections as keys) it stops and keeps what it has.

/** Where a value stands. Of `entries` and `items`, one is used, by kind. */
export interface PlaceNode {
  readonly kind: "scalar" | "mapping" | "list";
  readonly offset: number;
  readonly entries: Map<string, PlaceEntry>;
  readonly items: PlaceNode[];
  /** Keys that stand in a mapping again; `entries` holds the first of each. */
  readonly duplicates: DuplicateEntry[];
  /** False when the reading stopped inside. */
  complete: boolean;
}

export interface PlaceEntry {
  readonly keyOffset: number;
  /** Absent: empty. */
  value: PlaceNode | undefined;
}

/** An entry whose key the mapping has already. */
export interface DuplicateEntry {
  readonly key: string;
  readonly keyOffset: number;
  /** Behind its value, and behind its comma in a flow mapping. */
  readonly end: number;
}

/** Reads the places of a document that the YAML parser has accepted. Never throws. */
export function readPlaces(text: string): PlaceNode {
  const reader = new PlaceReader(text);
  return reader.readDocument();
}

function newNode(kind: PlaceNode["kind"], offset: number): PlaceNode {
  return {
    kind,
    offset,
    entries: new Map(),
    items: [],
    duplicates: [],
    complete: kind === "scalar",
  };
}

/** Adds an entry unless there is one of that name. @returns whether it was added. */
function addEntry(node: PlaceNode, name: string, entry: PlaceEntry): boolean {
  if (node.entries.has(name)) return false;
  node.entries.set(name, entry);
  return true;
}

/** The most levels that are followed; the parser accepts no more. */
const MAX_DEPTH = 40;

class PlaceReader {
  readonly #text: string;
  #at = 0;
  /** Set for good at the first thing that is not understood. */
  #stopped = false;

  constructor(text: string) {
    this.#text = text;
  }

  readDocument(): PlaceNode {
    if (this.#text.startsWith("\uFEFF")) this.#at = 1;
    this.#skipSpace();
    while (this.#peek() === "%" && this.#column() === 0) {
      this.#skipLine();
      this.#skipSpace();
    }
    if (this.#isMarker("---")) {
      this.#at += 3;
      this.#skipSpace();
    }
    const root = this.#readBlock(0, -1, 0);
    return root ?? newNode("scalar", Math.min(this.#at, this.#text.length));
  }

  #peek(ahead = 0): string {
    return this.#text[this.#at + ahead] ?? "";
  }

  #column(): number {
    const lineStart = this.#text.lastIndexOf("\n", this.#at - 1) + 1;
    const mark = lineStart === 0 && this.#text.startsWith("\uFEFF") ? 1 : 0;
    return this.#at - lineStart - mark;
  }

  #isMarker(marker: string): boolean {
    return this.#column() === 0 && this.#text.startsWith(marker, this.#at) &&
      isBlank(this.#peek(marker.length));
  }

  #atEnd(): boolean {
    return this.#at >= this.#text.length || this.#isMarker("---") || this.#isMarker("...");
  }

  #skipLine(): void {
    const end = this.#text.indexOf("\n", this.#at);
    this.#at = end === -1 ? this.#text.length : end + 1;
  }

  /** Skips blanks, line ends and comments. */
  #skipSpace(): void {
    for (;;) {
      const character = this.#peek();
      if (character !== "" && isBlank(character)) this.#at++;
      else if (character === "#" && this.#startsComment()) this.#skipLine();
      else return;
    }
  }

  #startsComment(): boolean {
    return this.#at === 0 || isBlank(this.#text[this.#at - 1] ?? "") ||
      (this.#at === 1 && this.#text.startsWith("\uFEFF"));
  }

  /**
   * Reads a block node whose first character stands at least at `lowest`.
   * @param parent the column of the mapping or list it belongs to, -1 for none.
   * @returns undefined when there is nothing: an empty value.
   */
  #readBlock(lowest: number, parent: number, depth: number): PlaceNode | undefined {
    this.#skipSpace();
    if (depth > MAX_DEPTH) this.#stopped = true;
    if (this.#stopped || this.#atEnd() || this.#column() < lowest) return undefined;
    if (this.#skipProperties()) {
      this.#skipSpace();
      if (this.#atEnd() || this.#column() < lowest) return undefined;
    }
    const character = this.#peek();
    if (character === "-" && isBlank(this.#peek(1))) return this.#readList(depth);
    if (character === "?" && isBlank(this.#peek(1))) {
      this.#stopped = true;
      return undefined;
    }
    if (character === "|" || character === ">") return this.#readBlockScalar(parent);
    if (character === "{" || character === "[") return this.#readFlow(depth);
    const key = this.#readKey();
    if (key !== undefined) return this.#readMapping(depth);
    return this.#readScalar(parent);
  }

  /** Skips anchors and tags. */
  #skipProperties(): boolean {
    let found = false;
    while (this.#peek() === "&" || this.#peek() === "!") {
      found = true;
      while (!isBlank(this.#peek())) this.#at++;
      while (this.#peek() === " ") this.#at++;
    }
    return found;
  }

  #readList(depth: number): PlaceNode {
    const column = this.#column();
    const node = newNode("list", this.#at);
    while (
      !this.#stopped && !this.#atEnd() && this.#column() === column &&
      this.#peek() === "-" && isBlank(this.#peek(1))
    ) {
      const dash = this.#at;
      this.#at++;
      const item = this.#readBlock(column + 1, column, depth + 1);
      node.items.push(item ?? newNode("scalar", dash));
      this.#skipSpace();
    }
    return this.#close(node, column);
  }

  #readMapping(depth: number): PlaceNode {
    const column = this.#column();
    const node = newNode("mapping", this.#at);
    while (!this.#stopped && !this.#atEnd() && this.#column() === column) {
      const keyOffset = this.#at;
      this.#skipProperties();
      const key = this.#readKey();
      if (key === undefined) {
        // Not a key: the end of this mapping, when it is a list around it, else something unknown.
        this.#at = keyOffset;
        if (this.#peek() !== "-") this.#stopped = true;
        break;
      }
      this.#at = key.end;
      const entry: PlaceEntry = { keyOffset, value: undefined };
      const isFirst = addEntry(node, key.name, entry);
      entry.value = this.#readValue(column, depth);
      this.#skipSpace();
      if (!isFirst) node.duplicates.push({ key: key.name, keyOffset, end: this.#at });
    }
    return this.#close(node, column);
  }

  /** Reads what stands behind a key: more indented, or a list at the key's own column. */
  #readValue(column: number, depth: number): PlaceNode | undefined {
    const lineEnd = this.#lineEnd();
    this.#skipSpace();
    const sameColumnList = this.#at > lineEnd && this.#column() === column &&
      this.#peek() === "-" && isBlank(this.#peek(1)) && !this.#atEnd();
    return this.#readBlock(sameColumnList ? column : column + 1, column, depth + 1);
  }

  #lineEnd(): number {
    const end = this.#text.indexOf("\n", this.#at);
    return end === -1 ? this.#text.length : end;
  }

  #close(node: PlaceNode, column: number): PlaceNode {
    if (!this.#atEnd() && this.#column() > column) this.#stopped = true;
    node.complete = !this.#stopped;
    return node;
  }

  /** Looks for an implicit key here; does not move. `end` is behind its colon. */
  #readKey(): { readonly name: string; readonly end: number } | undefined {
    const start = this.#at;
    const character = this.#peek();
    let name: string | undefined;
    let end: number;
    if (character === '"' || character === "'") {
      end = this.#quotedEnd(start);
      name = unquote(this.#text.slice(start, end));
      if (this.#text.slice(start, end).includes("\n")) return undefined;
      while (this.#text[end] === " ") end++;
      if (this.#text[end] !== ":") return undefined;
    } else {
      end = this.#plainKeyEnd(start);
      if (end === -1) return undefined;
      name = this.#text.slice(start, end).trim();
    }
    if (!isBlank(this.#text[end + 1] ?? "")) return undefined;
    if (name === undefined) {
      this.#stopped = true;
      return undefined;
    }
    return { name, end: end + 1 };
  }

  /** The colon that ends a plain key on this line, or -1. */
  #plainKeyEnd(start: number): number {
    for (let at = start; at < this.#text.length; at++) {
      const character = this.#text[at] ?? "";
      if (character === "\n") return -1;
      if (character === "#" && at > start && isBlank(this.#text[at - 1] ?? "")) return -1;
      if (character === ":" && isBlank(this.#text[at + 1] ?? "")) return at;
    }
    return -1;
  }

  /** Where a quoted scalar ends, behind its closing quote. */
  #quotedEnd(start: number): number {
    const quote = this.#text[start];
    for (let at = start + 1; at < this.#text.length; at++) {
      const character = this.#text[at];
      if (character === "\\" && quote === '"') at++;
      else if (character === quote) {
        if (quote === "'" && this.#text[at + 1] === "'") at++;
        else return at + 1;
      }
    }
    return this.#text.length;
  }

  #readScalar(parent: number): PlaceNode {
    const node = newNode("scalar", this.#at);
    const character = this.#peek();
    if (character === '"' || character === "'") {
      this.#at = this.#quotedEnd(this.#at);
      return node;
    }
    // Plain text goes on over all following lines that are more indented, up to a comment.
    for (;;) {
      const rest = this.#text.slice(this.#at, this.#lineEnd());
      const comment = /[ \t]#/.exec(rest);
      this.#at += comment?.index ?? rest.length;
      if (comment !== null) return node;
      const before = this.#at;
      while (this.#at < this.#text.length && isBlank(this.#peek())) this.#at++;
      if (this.#atEnd() || this.#column() <= parent || this.#peek() === "#") {
        this.#at = before;
        return node;
      }
    }
  }

  #readBlockScalar(parent: number): PlaceNode {
    const node = newNode("scalar", this.#at);
    this.#skipLine();
    while (this.#at < this.#text.length) {
      const rest = this.#text.slice(this.#at, this.#lineEnd());
      const indent = /^ */.exec(rest)?.[0].length ?? 0;
      if (rest.trim() !== "" && (indent <= parent || this.#atEnd())) break;
      this.#skipLine();
    }
    return node;
  }

  #readFlow(depth: number): PlaceNode {
    const isMapping = this.#peek() === "{";
    const close = isMapping ? "}" : "]";
    const node = newNode(isMapping ? "mapping" : "list", this.#at);
    if (depth > MAX_DEPTH) this.#stopped = true;
    this.#at++;
    while (!this.#stopped) {
      this.#skipSpace();
      const character = this.#peek();
      if (character === "") this.#stopped = true;
      else if (character === close) {
        this.#at++;
        node.complete = true;
        break;
      } else if (character === ",") this.#at++;
      else if (isMapping) this.#readFlowEntry(node, depth);
      else {
        node.items.push(this.#readFlowNode(depth));
        this.#skipSpace();
        // A single pair inside a list, or something unknown.
        if (this.#peek() !== "," && this.#peek() !== close) this.#stopped = true;
      }
    }
    return node;
  }

  #readFlowEntry(node: PlaceNode, depth: number): void {
    const keyOffset = this.#at;
    this.#skipProperties();
    const start = this.#at;
    const first = this.#peek();
    if (first === "{" || first === "[" || (first === "?" && isBlank(this.#peek(1)))) {
      this.#stopped = true;
      return;
    }
    this.#readFlowNode(depth);
    const written = this.#text.slice(start, this.#at).trim();
    const name = first === '"' || first === "'" ? unquote(written) : written;
    if (name === undefined || written.includes("\n")) {
      this.#stopped = true;
      return;
    }
    const entry: PlaceEntry = { keyOffset, value: undefined };
    const isFirst = addEntry(node, name, entry);
    this.#skipSpace();
    if (this.#peek() === ":") {
      this.#at++;
      this.#skipSpace();
      if (this.#peek() !== "," && this.#peek() !== "}") entry.value = this.#readFlowNode(depth);
      this.#skipSpace();
    }
    const hasComma = this.#peek() === ",";
    if (!hasComma && this.#peek() !== "}") this.#stopped = true;
    const end = hasComma ? this.#at + 1 : this.#at;
    if (!isFirst) node.duplicates.push({ key: name, keyOffset, end });
  }

  #readFlowNode(depth: number): PlaceNode {
    if (this.#skipProperties()) this.#skipSpace();
    const character = this.#peek();
    if (character === "{" || character === "[") return this.#readFlow(depth + 1);
    const node = newNode("scalar", this.#at);
    if (character === '"' || character === "'") {
      this.#at = this.#quotedEnd(this.#at);
      return node;
    }
    const start = this.#at;
    while (this.#at < this.#text.length) {
      const next = this.#peek();
      if (",[]{}".includes(next)) break;
      if (next === ":" && (isBlank(this.#peek(1)) || ",[]{}".includes(this.#peek(1)))) break;
      if (next === "#" && this.#at > start && isBlank(this.#text[this.#at - 1] ?? "")) break;
      this.#at++;
    }
    if (this.#at === start) this.#stopped = true;
    return node;
  }
}

/** Space, tab, line end or the end of the text. */
function isBlank(character: string): boolean {
  return character === "" || character === " " || character === "\t" || character === "\n" ||
    character === "\r";
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
