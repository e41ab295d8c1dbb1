// Tokens and passwords stand in files, never in lb.conf: the first line is the secret.

import { messageOf } from "../core/values/errors.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { oneLine } from "./reason.ts";
import { readRegularFile } from "./regular_file.ts";

/** More than a secret with what people write behind it. */
const MOST_BYTES = 65_536;

/**
 * Reads the secret in a file.
 * @param what what it is, for complaints: "token".
 * @returns printable ASCII without spaces, or why there is none; never what the file says.
 */
export async function readSecret(path: string, what: string): Promise<Result<string>> {
  let text: string;
  try {
    text = new TextDecoder().decode(await readRegularFile(path, MOST_BYTES, `a ${what}`));
  } catch (error) {
    return failure(`Cannot read a ${what} in "${path}": ${oneLine(messageOf(error))}`);
  }
  const secret = (text.split(/\r?\n/)[0] ?? "").trim();
  // Headers would say what is wrong with it by showing it.
  if (/^[!-~]+$/.test(secret)) return success(secret);
  const found = secret === "" ? "is empty" : "holds more than printable ASCII";
  return failure(`Cannot use the ${what} in "${path}": its first line ${found}`);
}
