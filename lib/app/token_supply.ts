// Where a generator takes its tokens from: the lines of the last list, one after the other or by chance.

import type { Random } from "../core/timing/clock.ts";
import type { Word } from "../sp/back_channel.ts";
import type { Peer } from "../sp/pusher.ts";

export interface TokenSupply extends AsyncDisposable {
  /** Makes these lines the list, once the one before is. Never rejects. */
  take(lines: readonly Uint8Array[]): Promise<void>;
  /** A token for this peer, which is under way to it then; undefined: there is none. */
  next(peer: Peer): Uint8Array | undefined;
  /** Takes in what a peer says of its sessions. */
  heard(peer: Peer, word: Exclude<Word, { kind: "want" }>): void;
  /** A peer is gone, and with it its tokens and sessions. */
  left(peer: Peer): void;
}

/** Hands the lines out as they are, without knowing what they mean. */
export class PlainSupply implements TokenSupply {
  readonly #random: Random | undefined;
  #lines: readonly Uint8Array[] = [];
  /** Where the last token stood; lists that follow go on there, as lbtk's do. */
  #at = 0;

  /** @param random draws each token; absent: they take turns, beginning with the second. */
  constructor(random?: Random) {
    this.#random = random;
  }

  take(lines: readonly Uint8Array[]): Promise<void> {
    this.#lines = lines;
    return Promise.resolve();
  }

  next(): Uint8Array | undefined {
    const count = this.#lines.length;
    if (count === 0) return undefined;
    this.#at = this.#random === undefined
      ? (this.#at + 1) % count
      : Math.floor(this.#random() * count);
    return this.#lines[this.#at];
  }

  heard(): void {}

  left(): void {}

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
