// Reads lists as refreshers write them: one item on each line, and an empty line where the list is whole.

/** lbtk's own proxies take 128 bytes. */
const MOST_ITEM_BYTES = 1024;
const MOST_ITEMS = 10_000;

const NEWLINE = 10;

export interface ListTaker {
  /** Takes a whole list: its items without the white space around them. */
  readonly took: (items: readonly Uint8Array[]) => void;
  /** Told what was left out of a list, once for each kind of fault. */
  readonly leftOut: (text: string) => void;
}

/** Takes the stream in whatever pieces it comes, any bytes it may hold. */
export class ListReader {
  readonly #taker: ListTaker;
  #items: Uint8Array[] = [];
  /** The line that has begun, and whether it is too long to be kept. */
  #line: number[] = [];
  #isTooLong = false;
  #tooLong = 0;
  #tooMany = 0;

  constructor(taker: ListTaker) {
    this.#taker = taker;
  }

  push(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte === NEWLINE) this.#endLine();
      // White space before an item is none of it; what stands behind is bounded with it.
      else if (this.#line.length < MOST_ITEM_BYTES) {
        if (this.#line.length > 0 || !isSpace(byte)) this.#line.push(byte);
      } else if (!isSpace(byte)) this.#isTooLong = true;
    }
  }

  /** The stream has ended: what has come of a list counts, as after an empty line. */
  end(): void {
    if (this.#line.length > 0) this.#endLine();
    if (this.#items.length > 0) this.#commit();
  }

  #endLine(): void {
    const line = this.#line;
    this.#line = [];
    while (line.length > 0 && isSpace(line.at(-1) ?? 0)) line.pop();
    if (line.length === 0) return this.#commit();
    if (this.#isTooLong) this.#tooLong++;
    else if (this.#items.length >= MOST_ITEMS) this.#tooMany++;
    else this.#items.push(Uint8Array.from(line));
    this.#isTooLong = false;
  }

  #commit(): void {
    const items = this.#items;
    const { took, leftOut } = this.#taker;
    if (this.#tooLong > 0) {
      leftOut(`left out of the list: ${this.#tooLong} longer than ${MOST_ITEM_BYTES} bytes`);
    }
    if (this.#tooMany > 0) {
      leftOut(`left out of the list: ${this.#tooMany} after the first ${MOST_ITEMS}`);
    }
    const isMeant = items.length > 0 || this.#tooLong === 0;
    this.#items = [];
    this.#tooLong = this.#tooMany = 0;
    // One of which nothing can be used is nobody's order to stop.
    if (isMeant) took(items);
  }
}

/** What lbtk's generator takes off: carriage return, newline, tab and blank. */
function isSpace(byte: number): boolean {
  return byte === 13 || byte === NEWLINE || byte === 9 || byte === 32;
}
