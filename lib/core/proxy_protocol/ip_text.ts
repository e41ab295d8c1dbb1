// IP literals in bytes of text, read without a string: what a PROXY header v1 is made of.
//
// `!` on typed-array reads: indices are within the bounds that the caller gives.

const DOT = 46;
const ZERO = 48;
const COLON = 58;

/**
 * Reads a number in decimal without leading zeros from the bytes of [from, to), which it must fill.
 * @returns 0 to `most`, or -1.
 */
export function readDecimal(bytes: Uint8Array, from: number, to: number, most: number): number {
  if (from >= to || to - from > 5 || (bytes[from] === ZERO && to - from > 1)) return -1;
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = bytes[i]! - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = 10 * value + digit;
  }
  return value > most ? -1 : value;
}

/** Reads dotted decimal from the bytes of [from, to), which it must fill, into the first word. */
export function readIpv4Text(
  bytes: Uint8Array,
  from: number,
  to: number,
  words: Uint32Array,
): boolean {
  let word = 0;
  let start = from;
  for (let part = 0; part < 4; part++) {
    let end = start;
    while (end < to && bytes[end] !== DOT) end++;
    const value = readDecimal(bytes, start, end, 255);
    // The last part ends with the text, the others with a dot.
    if (value < 0 || (part === 3) !== (end === to)) return false;
    word = word << 8 | value;
    start = end + 1;
  }
  words[0] = word;
  return true;
}

const tail = new Uint32Array(1);

/** Reads an IPv6 literal (RFC 4291 section 2.2, no zone) from the bytes of [from, to), which it must fill. */
export function readIpv6Text(
  bytes: Uint8Array,
  from: number,
  to: number,
  words: Uint32Array,
): boolean {
  words.fill(0, 0, 4);
  /** Groups of 16 bits so far, and how many of them stand before "::". */
  let groups = 0;
  let before = -1;
  let at = from;
  if (to - from >= 2 && bytes[from] === COLON && bytes[from + 1] === COLON) {
    before = 0;
    at += 2;
  }
  while (at < to) {
    if (groups === 8) return false;
    let end = at;
    let group = 0;
    while (end < to && bytes[end] !== COLON && bytes[end] !== DOT) {
      const digit = hexDigit(bytes[end]!);
      if (digit < 0 || end - at === 4) return false;
      group = group << 4 | digit;
      end++;
    }
    if (end < to && bytes[end] === DOT) {
      if (groups > 6 || !readIpv4Text(bytes, at, to, tail)) return false;
      setGroup(words, groups++, tail[0]! >>> 16);
      setGroup(words, groups++, tail[0]! & 0xffff);
      break;
    }
    if (end === at) return false;
    setGroup(words, groups++, group);
    if (end === to) break;
    at = end + 1;
    // A colon stands before a group, or before another colon.
    if (at === to) return false;
    if (bytes[at] !== COLON) continue;
    if (before >= 0) return false;
    before = groups;
    at++;
  }
  if (before < 0) return groups === 8;
  if (groups === 8) return false;
  // What stands behind "::" belongs at the end.
  for (let i = groups - 1; i >= before; i--) {
    const group = groupAt(words, i);
    setGroup(words, i, 0);
    setGroup(words, i + 8 - groups, group);
  }
  return true;
}

function groupAt(words: Uint32Array, index: number): number {
  return (words[index >> 1]! >>> ((index & 1) === 0 ? 16 : 0)) & 0xffff;
}

function setGroup(words: Uint32Array, index: number, group: number): void {
  const word = words[index >> 1]!;
  words[index >> 1] = (index & 1) === 0
    ? (word & 0xffff) | group << 16
    : (word & 0xffff_0000) | group;
}

/** @returns 0 to 15, or -1. */
function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
