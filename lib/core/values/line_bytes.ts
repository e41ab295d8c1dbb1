// Text as bytes in one growing buffer, written piece by piece. A log that pays for every connection
// writes this way: no string, no object and nothing to collect per record.
//
// `!` on typed-array reads: indices are below the buffer's length, which `#room` has made.

const ZERO = 48;
const MINUS = 45;
const DOT = 46;
const SPACE = 32;
const QUOTE = 34;
const COMMA = 44;
const BACKSLASH = 92;
const LAST_PRINTABLE = 126;

export class LineBytes {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  constructor(capacity: number = 4096) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** Bytes written since the last `clear`. */
  get length(): number {
    return this.#length;
  }

  /** What was written; good until more is. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  /** Takes back what was written beyond a length. */
  truncate(length: number): void {
    if (length < this.#length) this.#length = length;
  }

  text(text: string): void {
    const { length } = text;
    this.#room(length);
    const bytes = this.#bytes;
    const start = this.#length;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) return this.#unicode(text);
      bytes[start + i] = code;
    }
    this.#length = start + length;
  }

  /** Bytes that were made before. */
  put(from: Uint8Array): void {
    const { length } = from;
    this.#room(length);
    const bytes = this.#bytes;
    const start = this.#length;
    for (let i = 0; i < length; i++) bytes[start + i] = from[i]!;
    this.#length = start + length;
  }

  /** One ASCII character. */
  char(code: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = code;
  }

  /** A whole number within ±2^53. */
  integer(value: number): void {
    this.#room(17);
    if (value < 0) this.#bytes[this.#length++] = MINUS;
    const size = Math.abs(value);
    if (size < 0x4000_0000) return this.#digits(size | 0, 1);
    const high = Math.floor(size / 1e9);
    if (high > 0) this.#digits(high, 1);
    this.#digits(size - high * 1e9, high > 0 ? 9 : 1);
  }

  /** A whole number with at least so many digits, zeros before it. */
  padded(value: number, least: number): void {
    this.#room(17);
    this.#digits(value, least);
  }

  /** So many thousandths, as JavaScript writes the number: 1500 is 1.5, 2000 is 2. */
  thousandths(value: number): void {
    this.#room(18);
    if (value < 0) this.#bytes[this.#length++] = MINUS;
    const size = Math.abs(value);
    const whole = Math.floor(size / 1000);
    this.integer(whole);
    // An integer: V8 calls a function of C for `%` on doubles, up to three times a record.
    let rest = (size - whole * 1000) | 0;
    if (rest === 0) return;
    this.#bytes[this.#length++] = DOT;
    let digits = 3;
    while (rest % 10 === 0) {
      rest /= 10;
      digits--;
    }
    this.#digits(rest, digits);
  }

  /** Copies what was written, as far as there is room. @returns how many bytes. */
  copyTo(into: Uint8Array): number {
    const length = Math.min(this.#length, into.length);
    for (let i = 0; i < length; i++) into[i] = this.#bytes[i]!;
    return length;
  }

  /**
   * Tells whether the bytes from `start` on can stand in a log as they are, in a word of text or in JSON:
   * printable ASCII without space, comma, quotation mark and backslash.
   */
  isWord(start: number): boolean {
    for (let i = start; i < this.#length; i++) {
      const byte = this.#bytes[i]!;
      if (byte <= SPACE || byte > LAST_PRINTABLE) return false;
      if (byte === QUOTE || byte === BACKSLASH || byte === COMMA) return false;
    }
    return true;
  }

  /** The text from a byte on. */
  textFrom(start: number): string {
    return DECODER.decode(this.#bytes.subarray(start, this.#length));
  }

  /** @param value below 2^31. @param least digits to write at least. */
  #digits(value: number, least: number): void {
    let count = least;
    while (count < 10 && value >= POWERS[count]!) count++;
    const bytes = this.#bytes;
    let at = this.#length + count;
    this.#length = at;
    // Integers alone: with Math.floor on doubles this took twice as long.
    let left = value | 0;
    for (let i = 0; i < count; i++) {
      const rest = (left / 10) | 0;
      bytes[--at] = ZERO + (left - rest * 10);
      left = rest;
    }
  }

  #unicode(text: string): void {
    this.#room(3 * text.length);
    this.#length += ENCODER.encodeInto(text, this.#bytes.subarray(this.#length)).written;
  }

  #room(needed: number): void {
    if (this.#length + needed <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + needed));
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bytes;
  }
}

/** Powers of ten, by their exponent. */
const POWERS = Array.from({ length: 11 }, (_, exponent) => 10 ** exponent);
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();
