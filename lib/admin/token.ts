// The token that requests over TCP must have to change anything: read from a file that nobody else may read,
// kept as a digest, compared in constant time.

import { messageOf } from "../core/values/errors.ts";
import { failure, type Result, success } from "../core/values/result.ts";

/** Shorter ones can be guessed. */
const LEAST_CHARACTERS = 16;
/** No field of a request is longer. */
const MOST_BYTES = 4096;

export class Token {
  readonly #digest: Uint8Array;

  private constructor(digest: Uint8Array) {
    this.#digest = digest;
  }

  /** @param text any text; whether it is long enough is for {@linkcode readToken} to say. */
  static async of(text: string): Promise<Token> {
    return new Token(await digestOf(text));
  }

  /** Tells whether the text is the token, in a time that tells nothing about where they differ. */
  async matches(text: string): Promise<boolean> {
    const other = await digestOf(text);
    return this.#digest.reduce((all, byte, index) => all | byte ^ (other[index] ?? 0), 0) === 0;
  }
}

/** Of equal length, and of the token nothing can be told from how far two of them agree. */
async function digestOf(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

/**
 * Reads the token in a file, spaces around it aside.
 * @returns what is wrong with the file, and what to type, where it cannot be used.
 */
export async function readToken(path: string): Promise<Result<Token>> {
  const wrong = (why: string): Result<never> =>
    failure(`Cannot use the token in "${path}": ${why}`);
  let text: string;
  try {
    // To open a pipe might take for ever.
    if (!(await Deno.stat(path)).isFile) return wrong("expected a regular file");
    using file = await Deno.open(path);
    const mode = (await file.stat()).mode ?? 0;
    if ((mode & 0o007) !== 0) {
      const found = (mode & 0o777).toString(8).padStart(4, "0");
      return wrong(
        `everybody on this machine can use the file (mode ${found}): type chmod o= ${path}`,
      );
    }
    text = await readStart(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      return wrong(`there is no such file: type (umask 077; openssl rand -hex 24 > ${path})`);
    }
    return wrong(
      error instanceof Deno.errors.PermissionDenied
        ? `this process, uid ${Deno.uid()}, may not read it: type chgrp GROUP ${path}; ` +
          `chmod 640 ${path}, with a group of the user that it runs as`
        : messageOf(error),
    );
  }
  const token = text.trim();
  // What is in it is nobody's to see.
  if (token === "") return wrong("the file is empty");
  if (!/^[!-~]+$/.test(token)) {
    return wrong("expected one line of printable ASCII without spaces");
  }
  if (token.length < LEAST_CHARACTERS) {
    return wrong(`it has ${token.length} characters, expected at least ${LEAST_CHARACTERS}`);
  }
  return token.length < MOST_BYTES
    ? success(await Token.of(token))
    : wrong(`it is longer than ${MOST_BYTES} bytes`);
}

/** At most so many bytes as no token has. */
async function readStart(file: Deno.FsFile): Promise<string> {
  const buffer = new Uint8Array(2 * MOST_BYTES);
  let length = 0;
  for (let count: number | null = 0; count !== null && length < buffer.length;) {
    count = await file.read(buffer.subarray(length));
    length += count ?? 0;
  }
  return new TextDecoder().decode(buffer.subarray(0, length));
}
