// What a PULL socket of ours says to the PUSH socket, one SP message each. The protocol has no such thing: libnanomsg,
// mangos and nng do not look at what a PUSH socket receives, and their own PULL sockets never say anything.

import { printable } from "../core/values/printable.ts";
import { failure, type Result, success } from "../core/values/result.ts";

/** The most bytes of a message: more than the longest token takes. */
export const MOST_WORD_BYTES = 1280;

/** The most tokens that a peer can ask for, or sessions that it can have, in one word. */
const MOST = 10_000_000;

export type Word =
  /** So many more tokens may be sent. */
  | { readonly kind: "want"; readonly count: number }
  /** So many sessions stand at the backend that the token names. */
  | { readonly kind: "have"; readonly token: string; readonly count: number }
  /** A session at it has ended, or the token was not used. */
  | { readonly kind: "end"; readonly token: string };

/** Writes a word as {@linkcode parseWord} reads it. */
export function formatWord(word: Word): string {
  switch (word.kind) {
    case "want":
      return `want ${word.count}`;
    case "have":
      return `have ${word.token} ${word.count}`;
    case "end":
      return `end ${word.token}`;
  }
}

/** Reads a word. Tokens may hold spaces. */
export function parseWord(text: string): Result<Word> {
  const kind = text.slice(0, 5).split(" ", 1)[0];
  const last = text.lastIndexOf(" ");
  const count = readCount(text.slice(last + 1));
  if (kind === "want" && last === 4 && count !== undefined) return success({ kind, count });
  if (kind === "have" && last > 5 && count !== undefined) {
    return success({ kind, token: text.slice(5, last), count });
  }
  if (kind === "end" && text.length > 4) return success({ kind, token: text.slice(4) });
  return failure(
    `said "${printable(text.slice(0, 60))}": expected "want N", "have ADDRESS N" or "end ADDRESS"`,
  );
}

function readCount(text: string): number | undefined {
  const count = /^\d{1,8}$/.test(text) ? Number(text) : Infinity;
  return count <= MOST ? count : undefined;
}
