// The whole space of IPv4 or of IPv6 addresses, cut into spans that each have a number: sorted starts,
// each span reaching to the next one's. Found by binary search over typed arrays, without allocation.
//
// `!` on typed-array reads: indexes are below the count of spans, words below the width.

import { behind, type Network } from "../values/network.ts";

/** The number of a span that nobody speaks for. */
export const UNCLAIMED = 0xffff;

export class AddressSpans {
  /**
   * @param width words of an address: 1 for IPv4, 4 for IPv6.
   * @param starts by span, its first address; ascending, the first one all zeros.
   * @param numbers by span, 0 to {@linkcode UNCLAIMED}; neighbours differ.
   */
  constructor(
    readonly width: number,
    readonly starts: Uint32Array,
    readonly numbers: Uint16Array,
  ) {}

  /** The number of the span that holds an address of `width` words. */
  find(address: Uint32Array): number {
    let low = 0;
    let high = this.numbers.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.#startsBehind(middle, address)) high = middle;
      else low = middle;
    }
    return this.numbers[low]!;
  }

  #startsBehind(span: number, address: Uint32Array): boolean {
    for (let word = 0; word < this.width; word++) {
      const start = this.starts[span * this.width + word]!;
      if (start !== address[word]!) return start > address[word]!;
    }
    return false;
  }
}

/** Puts spans together from the lowest address to the highest; equal neighbours become one. */
export class SpansBuilder {
  #starts: Uint32Array;
  #numbers: Uint16Array;
  #count = 1;

  /** One span over everything, unclaimed. */
  constructor(readonly width: number) {
    this.#starts = new Uint32Array(16 * width);
    this.#numbers = new Uint16Array(16).fill(UNCLAIMED);
  }

  /**
   * From this address on, up to the next one that is added, the number is this.
   * @param starts holds the address at `at`; not below the one that was added before.
   */
  add(starts: ArrayLike<number>, at: number, number: number): void {
    if (this.#isLastStart(starts, at)) {
      // Nothing of the last span is left.
      if (this.#count === 1 || this.#numbers[this.#count - 2]! !== number) {
        this.#numbers[this.#count - 1] = number;
        return;
      }
      this.#count--;
    }
    if (this.#numbers[this.#count - 1]! === number) return;
    if (this.#count === this.#numbers.length) this.#grow();
    for (let word = 0; word < this.width; word++) {
      this.#starts[this.#count * this.width + word] = starts[at + word]!;
    }
    this.#numbers[this.#count++] = number;
  }

  build(): AddressSpans {
    return new AddressSpans(
      this.width,
      this.#starts.slice(0, this.#count * this.width),
      this.#numbers.slice(0, this.#count),
    );
  }

  #isLastStart(starts: ArrayLike<number>, at: number): boolean {
    for (let word = 0; word < this.width; word++) {
      if (this.#starts[(this.#count - 1) * this.width + word]! !== starts[at + word]!) return false;
    }
    return true;
  }

  #grow(): void {
    const [starts, numbers] = [this.#starts, this.#numbers];
    this.#starts = new Uint32Array(2 * starts.length);
    this.#starts.set(starts);
    this.#numbers = new Uint16Array(2 * numbers.length);
    this.#numbers.set(numbers);
  }
}

/** A network that speaks for its addresses. */
export interface Claim {
  readonly network: Network;
  readonly number: number;
}

/** Makes spans of networks, all of one width; where several hold an address, the lowest number counts. */
export function spansOf(claims: readonly Claim[], width: number): AddressSpans {
  const builder = new SpansBuilder(width);
  // Networks lie inside each other or apart, never across: those that are open form a stack.
  const open: { readonly number: number; readonly end: readonly number[] | undefined }[] = [];
  const inside = () => open.at(-1)?.number ?? UNCLAIMED;
  const closeUpTo = (start: readonly number[] | undefined) => {
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const { end } = top;
      if (start !== undefined && (end === undefined || compare(end, 0, start, 0, width) > 0)) {
        return;
      }
      open.pop();
      if (end !== undefined) builder.add(end, 0, inside());
    }
  };
  const sorted = claims.toSorted(({ network: a }, { network: b }) =>
    compare(a.words, 0, b.words, 0, width) || a.prefix - b.prefix
  );
  for (const { network, number } of sorted) {
    closeUpTo(network.words);
    open.push({ number: Math.min(number, inside()), end: behind(network) });
    builder.add(network.words, 0, inside());
  }
  closeUpTo(undefined);
  return builder.build();
}

/** Lays spans of one width over each other: of two numbers for an address, the lower counts. */
export function lowestOf(a: AddressSpans, b: AddressSpans): AddressSpans {
  const { width } = a;
  const builder = new SpansBuilder(width);
  let [inA, inB] = [0, 0];
  let [atA, atB] = [0, 0];
  while (atA < a.numbers.length || atB < b.numbers.length) {
    const order = atA === a.numbers.length
      ? 1
      : atB === b.numbers.length
      ? -1
      : compare(a.starts, atA * width, b.starts, atB * width, width);
    const [starts, at] = order <= 0 ? [a.starts, atA * width] : [b.starts, atB * width];
    if (order <= 0) inA = a.numbers[atA++]!;
    if (order >= 0) inB = b.numbers[atB++]!;
    builder.add(starts, at, Math.min(inA, inB));
  }
  return builder.build();
}

/** Gives spans other numbers; neighbours that come to have the same one become one. */
export function renumber(spans: AddressSpans, numberOf: (number: number) => number): AddressSpans {
  const builder = new SpansBuilder(spans.width);
  for (let span = 0; span < spans.numbers.length; span++) {
    builder.add(spans.starts, span * spans.width, numberOf(spans.numbers[span]!));
  }
  return builder.build();
}

function compare(
  a: ArrayLike<number>,
  atA: number,
  b: ArrayLike<number>,
  atB: number,
  width: number,
): number {
  for (let word = 0; word < width; word++) {
    const difference = a[atA + word]! - b[atB + word]!;
    if (difference !== 0) return difference;
  }
  return 0;
}
