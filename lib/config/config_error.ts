// What is wrong with a configuration: where, what was found, what was expected. All of them are
// collected in one run and written the way editors and people read them.

import { quote } from "../schema/quote.ts";

/** A way into the document: keys of mappings and indexes of lists. */
export type ConfigPath = readonly (string | number)[];

/** One fault in the configuration file or in a flag. */
export interface ConfigError {
  /** The file as it was named; absent when the fault is in a flag, or there is no file. */
  readonly file?: string;
  /** Counted from 1; with `file` only. */
  readonly line?: number;
  /** Counted from 1, in UTF-16 units; with `line` only. */
  readonly column?: number;
  /** Such as `pools.web.health.rise`, or the flag, such as `--backends`; "" for the whole. */
  readonly path: string;
  /** One sentence: what was found, a colon, what was expected. Includes the suggestion. */
  readonly message: string;
  /** The known name that was probably meant. */
  readonly suggestion?: string;
  /** The line of the file, when there is one. */
  readonly excerpt?: string;
}

/** The longest part of a line that is worth showing. */
const EXCERPT_MAX = 160;

/** Writes a path the way messages show it: `pools.web.backends[2].cores`. */
export function formatPath(path: ConfigPath): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else {
      const name = /^[A-Za-z0-9_-]{1,64}$/.test(step) ? step : quote(step);
      text += text === "" ? name : `.${name}`;
    }
  }
  return text;
}

/** So many names of a list are written out. */
const MOST_NAMES = 20;

/** Writes names with commas between, the first of very many. */
export function someOf(names: readonly string[]): string {
  const more = names.length - MOST_NAMES;
  const written = names.slice(0, MOST_NAMES).join(", ");
  return more > 0 ? `${written} and ${more} more` : written;
}

/** Sorts errors by where they are: those of flags and of the whole first, then down the file. */
export function sortConfigErrors(errors: readonly ConfigError[]): ConfigError[] {
  return errors.toSorted((a, b) =>
    (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)
  );
}

/** So many errors are told in full; one fault that is repeated must not fill a terminal or a log. */
const MOST_TOLD = 100;
const MOST_TOLD_ON_ONE_LINE = 10;

/**
 * Writes errors for people and editors: `file:line:column: path: message`, then the line itself with
 * a caret under the place. A fault in a flag starts with the flag. Of more than 100, the first.
 * @returns lines that end in a newline; "" for no errors.
 */
export function formatConfigErrors(errors: readonly ConfigError[]): string {
  const more = errors.length - MOST_TOLD;
  const told = errors.slice(0, MOST_TOLD).map(formatConfigError).join("");
  return more > 0 ? `${told}... and ${more} more\n` : told;
}

/** The same on one line, for a log: `file:line:column: path: message; ...`. Of more than 10, the first. */
export function summarizeConfigErrors(errors: readonly ConfigError[]): string {
  const more = errors.length - MOST_TOLD_ON_ONE_LINE;
  const told = errors.slice(0, MOST_TOLD_ON_ONE_LINE).map(headlineOf).join("; ");
  return more > 0 ? `${told}; and ${more} more` : told;
}

function formatConfigError(error: ConfigError): string {
  return `${headlineOf(error)}\n${formatExcerpt(error)}`;
}

function headlineOf({ file, line, column, path: where, message }: ConfigError): string {
  const place = file === undefined
    ? ""
    : line === undefined
    ? `${file}: `
    : `${file}:${line}:${column ?? 1}: `;
  const path = where === "" ? "" : `${where}: `;
  return `${place}${path}${message}`;
}

function formatExcerpt({ excerpt, line, column }: ConfigError): string {
  if (excerpt === undefined || line === undefined || column === undefined) return "";
  if (column > EXCERPT_MAX) return "";
  const shown = excerpt.slice(0, EXCERPT_MAX).replace(/\p{Cc}/gu, " ");
  const number = String(line).padStart(5);
  return `${number} | ${shown}\n${" ".repeat(5)} | ${" ".repeat(column - 1)}^\n`;
}
