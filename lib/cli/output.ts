// Writing to the terminal, and what it can do.

import { messageOf } from "../core/values/errors.ts";
import { printable } from "../core/values/printable.ts";

const encoder = new TextEncoder();

/** Why stdout did not take what was printed; a reader that has left is no trouble. */
let trouble: string | undefined;

/** Writes text to stdout. What is lost there is {@linkcode outputTrouble}. */
export function print(text: string): void {
  const failed = writeAll(Deno.stdout, text);
  if (failed !== undefined && !(failed instanceof Deno.errors.BrokenPipe)) {
    trouble ??= messageOf(failed);
  }
}

/** Why something that was printed is lost, such as "No space left on device"; undefined: nothing is. */
export function outputTrouble(): string | undefined {
  return trouble;
}

/** Writes text to stderr, without what a terminal would obey. */
export function complain(text: string): void {
  const plain = text.split("\n").map(printable).join("\n");
  writeAll(Deno.stderr, plain.endsWith("\n") ? plain : `${plain}\n`);
}

/** Writes all of it, and returns what was thrown where that cannot be done. */
function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): unknown {
  const bytes = encoder.encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
    return undefined;
  } catch (error) {
    return error;
  }
}

/** The same value with {@linkcode printable} applied to every text in it, keys included. */
export function deepPrintable(value: unknown): unknown {
  if (typeof value === "string") return printable(value);
  if (Array.isArray(value)) return value.map(deepPrintable);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [printable(key), deepPrintable(inner)]),
  );
}

/** Columns of the terminal that stdout is; undefined when it is none. */
export function terminalWidth(): number | undefined {
  if (!Deno.stdout.isTerminal()) return undefined;
  try {
    return Deno.consoleSize().columns || undefined;
  } catch {
    return undefined;
  }
}

/**
 * Cuts a line off at a number of columns, one a character; the codes of {@linkcode paint} take none, and
 * none of them is left open. Without a width, the line stays as it is.
 */
export function clip(line: string, width: number | undefined): string {
  if (width === undefined) return line;
  let clipped = "";
  let columns = 0;
  // deno-lint-ignore no-control-regex -- the codes that paint() writes
  for (const [piece] of line.matchAll(/\x1b\[\d*m|[^]/gu)) {
    const isCode = piece.startsWith("\x1b[");
    if (!isCode) columns++;
    if (isCode || columns <= width) clipped += piece;
  }
  return clipped;
}

/**
 * Breaks a line between words where it is wider than a number of columns; what follows is indented. A word
 * that is wider by itself stays whole. Without a width, the line stays as it is.
 */
export function wrap(line: string, width: number | undefined): string {
  if (width === undefined) return line;
  const margin = Math.min(/^ */.exec(line)?.[0].length ?? 0, width / 2) + 2;
  let wrapped = "";
  let columns = 0;
  for (const [word] of line.matchAll(/ *[^ ]+/g)) {
    const seen = columnsOf(word);
    if (columns > 0 && columns + seen > width) {
      const bare = word.trimStart();
      wrapped += `\n${" ".repeat(margin)}${bare}`;
      columns = margin + columnsOf(bare);
    } else {
      wrapped += word;
      columns += seen;
    }
  }
  return wrapped;
}

/** Columns that text takes, one a character; the codes of {@linkcode paint} take none. */
function columnsOf(text: string): number {
  // deno-lint-ignore no-control-regex -- the codes that paint() writes
  return [...text.replace(/\x1b\[\d*m/g, "")].length;
}

/** Writes text to stdout, lines that are wider than the terminal broken between words. */
export function printWrapped(text: string): void {
  const width = terminalWidth();
  print(text.split("\n").map((line) => wrap(line, width)).join("\n"));
}

/** Whether colours are welcome: a terminal that knows some, and no NO_COLOR (no-color.org). */
export function colourful(): boolean {
  return Deno.stdout.isTerminal() && (Deno.env.get("NO_COLOR") ?? "") === "" &&
    Deno.env.get("TERM") !== "dumb";
}

/** Puts an SGR code around text where colours are welcome. */
export function paint(text: string, code: number, colours: boolean): string {
  return colours ? `\x1b[${code}m${text}\x1b[0m` : text;
}

export const RED = 31;
export const GREEN = 32;
export const YELLOW = 33;
export const BOLD = 1;
export const DIM = 2;
