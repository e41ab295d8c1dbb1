// Values that configuration keys take, in two ways: the text as written in, a parsed value or the reason
// out; and the value back into what is written. The schema and the flags share them, so both accept the
// same and complain alike. Those of the balancer's own things are in balancer_values.ts.

import { formatDuration, parseDuration } from "../core/values/duration.ts";
import { didYouMean } from "../core/values/nearest.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { formatSize, parseSize } from "../core/values/size.ts";
import { quote } from "./quote.ts";

/** What a scalar is written as; numbers and booleans read back as their text. */
export type Written = string | number | boolean;

/** A schema of JSON (json-schema.org, draft 2020-12). */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What a key with one scalar takes. */
export interface Value<T, Unit extends string = ""> {
  read(text: string): Result<T>;
  /** Writes a value so that it reads back the same. */
  write(value: T): Written;
  /** What is said to be expected where no scalar stands: "a duration". */
  readonly what: string;
  /** What it accepts, for the example and the manual: "1s to 9h". */
  readonly accepts: string;
  /** What the name of its property ends in: "Ms". */
  readonly unit: Unit;
  /** The words that it knows, if it is made of words. */
  readonly words?: readonly string[];
  /** What it looks like in JSON, where that is not a text. */
  readonly json?: JsonSchema;
}

/** What a value looks like in JSON. */
export function jsonOf({ json, words, accepts }: Value<unknown, string>): JsonSchema {
  if (json !== undefined) return json;
  return words === undefined
    ? { type: "string", description: accepts }
    : { type: "string", enum: words };
}

/** The same, or a word. */
function jsonOr(word: string, inner: Value<unknown, string>): JsonSchema {
  return { anyOf: [{ const: word }, jsonOf(inner)] };
}

/** A value that is written as it is. */
function value<T extends Written>(
  what: string,
  accepts: string,
  read: (text: string) => Result<T>,
): Value<T> {
  return { read, write: (value) => value, what, accepts, unit: "" };
}

/** The same of texts. */
export function text(
  what: string,
  accepts: string,
  read: (text: string) => Result<string>,
): Value<string> {
  return value(what, accepts, read);
}

/** One of a list of words. */
export function oneOf<const T extends string>(words: readonly T[], what: string): Value<T> {
  const read = (text: string): Result<T> => {
    const found = words.find((word) => word === text);
    if (found !== undefined) return success(found);
    const hint = didYouMean(text, words);
    return failure(
      `Cannot read ${quote(text)} as ${what}: expected ${words.join(", ")}` +
        (hint === "" ? "" : `; ${hint}`),
    );
  };
  return { ...value<T>(what, words.join(" | "), read), words };
}

/** A whole number in plain decimal, so that nobody has to guess what 010 or 1_000 mean. */
export function integer(lowest: number, highest: number): Value<number> {
  const read = (text: string): Result<number> => {
    const number = /^-?(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : NaN;
    if (number >= lowest && number <= highest) return success(number);
    const what = Number.isNaN(number) ? " as an integer" : "";
    return failure(`Cannot read ${quote(text)}${what}: expected ${lowest} to ${highest}`);
  };
  return {
    ...value("an integer", `${lowest} to ${highest}`, read),
    json: { type: "integer", minimum: lowest, maximum: highest },
  };
}

/** A TCP port. */
export const port: Value<number> = { ...integer(1, 65535), what: "a port" };

/** The word "auto", or another value. */
export function autoOr(inner: Value<number>): Value<"auto" | number> {
  return {
    ...inner,
    read: (text) => {
      if (text === "auto") return success("auto");
      const result = inner.read(text);
      return result.ok ? result : expecting("auto", result.message);
    },
    write: (value) => value === "auto" ? value : inner.write(value),
    what: `auto or ${inner.what}`,
    accepts: `auto | ${inner.accepts}`,
    json: jsonOr("auto", inner),
  };
}

/** The word "off", which is 0, or another value. */
export function offOr<U extends string>(inner: Value<number, U>): Value<number, U> {
  return {
    ...orOff(inner, 0),
    read: (text) => {
      if (text === "off") return success(0);
      const result = inner.read(text);
      return result.ok ? result : expecting("off", result.message);
    },
  };
}

/** Another value, or the word "off", which stands for a value of its own. */
export function orOff<T, const O, U extends string>(
  inner: Value<T, U>,
  off: O,
): Value<T | O, U> {
  return {
    ...inner,
    read: (text) => {
      if (text === "off") return success(off);
      const result = inner.read(text);
      return result.ok ? result : failure(`${result.message}, or off`);
    },
    write: (value) => isOff(value, off) ? "off" : inner.write(value),
    what: `${inner.what} or off`,
    accepts: `${inner.accepts} | off`,
    json: jsonOr("off", inner),
  };
}

function isOff<T, O>(value: T | O, off: O): value is O {
  return value === off;
}

function expecting(word: string, message: string): Result<never> {
  return failure(message.replace(/: expected /, `: expected ${word} or `));
}

/** The mode of a file, three octal digits or four beginning with 0; or `umask`, which is undefined. */
export const modeOrUmask: Value<number | undefined> = {
  read: (text) => {
    if (text === "umask") return success(undefined);
    return /^0?[0-7]{3}$/.test(text) ? success(Number.parseInt(text, 8)) : failure(
      `Cannot read ${quote(text)} as a mode: expected umask or octal digits such as 0660`,
    );
  },
  write: (mode) => mode?.toString(8).padStart(4, "0") ?? "umask",
  what: "a mode or umask",
  accepts: "umask | 0000 to 0777",
  unit: "",
};

/** `true` or `false`. */
export const boolean: Value<boolean> = {
  ...value(
    "true or false",
    "true | false",
    (text) =>
      text === "true" || text === "false"
        ? success(text === "true")
        : failure(`Cannot read ${quote(text)} as a switch: expected true or false`),
  ),
  json: { type: "boolean" },
};

/** A duration between two bounds, in milliseconds. */
export function duration(lowestMs: number, highestMs: number): Value<number, "Ms"> {
  const accepts = `${formatDuration(lowestMs)} to ${formatDuration(highestMs)}`;
  return {
    read: (text) => {
      const parsed = quoted(parseDuration(text));
      if (!parsed.ok) return parsed;
      if (parsed.value >= lowestMs && parsed.value <= highestMs) return parsed;
      return failure(`Cannot use ${quote(text)} here: expected ${accepts}`);
    },
    write: formatDuration,
    what: "a duration",
    accepts,
    unit: "Ms",
    json: {
      type: "string",
      pattern: "^([0-9]+(\\.[0-9]+)?(ms|s|m|h|d))+$",
      description: `${accepts}, such as "8h" or "1h30m"`,
    },
  };
}

/** A duration between two bounds, or `off`, which is 0. */
export function durationOrOff(lowestMs: number, highestMs: number): Value<number, "Ms"> {
  return orOff(duration(lowestMs, highestMs), 0);
}

/** A moment as ISO 8601 writes it in UTC, in milliseconds since the epoch. */
export const moment: Value<number, "Ms"> = {
  read: (text) => {
    const isWritten = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?Z$/.test(text);
    const ms = isWritten ? Date.parse(text) : NaN;
    // Of a day that its month has not, Date makes one of the next month.
    return Number.isNaN(ms) || !new Date(ms).toISOString().startsWith(text.slice(0, 16))
      ? failure(`Cannot read ${quote(text)} as a time: expected "2026-01-31T18:00:00Z"`)
      : success(ms);
  },
  write: (ms) => new Date(ms).toISOString(),
  what: "a time",
  accepts: "ISO 8601 in UTC",
  unit: "Ms",
  json: { type: "string", format: "date-time", description: "in UTC" },
};

/** A duration as whole seconds, rounded up. */
export function inSeconds(inner: Value<number, "Ms">): Value<number, "Seconds"> {
  return {
    ...inner,
    read: (text) => {
      const ms = inner.read(text);
      return ms.ok ? success(Math.ceil(ms.value / 1000)) : ms;
    },
    write: (seconds) => inner.write(seconds * 1000),
    unit: "Seconds",
  };
}

/** A size between two bounds, in bytes. */
export function size(lowest: number, highest: number): Value<number> {
  const accepts = `${formatSize(lowest)} to ${formatSize(highest)}`;
  return {
    read: (text) => {
      const parsed = quoted(parseSize(text));
      if (!parsed.ok || (parsed.value >= lowest && parsed.value <= highest)) return parsed;
      return failure(`Cannot use ${quote(text)} here: expected ${accepts}`);
    },
    write: formatSize,
    what: "a size",
    accepts,
    unit: "",
  };
}

/** A percentage between two bounds, with at most two decimals, as a share: "60%" is 0.6. */
export function percent(lowest: number, highest: number): Value<number, "Share"> {
  const accepts = `${lowest}% to ${highest}%`;
  return {
    read: (text) => {
      const value = /^\d{1,3}(\.\d{1,2})?%$/.test(text) ? Number(text.slice(0, -1)) : NaN;
      return value >= lowest && value <= highest
        ? success(Math.round(value * 100) / 10_000)
        : failure(`Cannot read ${quote(text)} as a percentage: expected ${accepts}`);
    },
    // Shares have four decimals; more would be what binary fractions add.
    write: (share) => `${Number((share * 100).toFixed(2))}%`,
    what: "a percentage",
    accepts,
    unit: "Share",
  };
}

/** A number from 0 to 1 with at most three decimals. */
export const share: Value<number> = value(
  "a number from 0 to 1",
  "0 to 1",
  (text) =>
    /^(0(\.\d{1,3})?|1(\.0{1,3})?)$/.test(text)
      ? success(Number(text))
      : failure(`Cannot read ${quote(text)}: expected a number from 0 to 1, such as 0.5`),
);

/** Text that is not empty and fits one line. */
export function line(what: string, maxBytes: number): Value<string> {
  const read = (text: string): Result<string> => {
    if (text === "") return failure(`Cannot use "" as ${what}: it is empty`);
    if (/\p{Cc}/u.test(text)) {
      return failure(`Cannot use ${quote(text)} as ${what}: it holds a control character`);
    }
    const bytes = new TextEncoder().encode(text).length;
    return bytes <= maxBytes
      ? success(text)
      : failure(`Cannot use ${quote(text)} as ${what}: expected at most ${maxBytes} bytes`);
  };
  const json = { type: "string", minLength: 1, maxLength: maxBytes };
  return { ...value(what, "text", read), json };
}

/** The same, or nothing at all. */
export function lineOrNothing(what: string, maxBytes: number): Value<string> {
  const inner = line(what, maxBytes);
  return {
    ...inner,
    read: (text) => text === "" ? success("") : inner.read(text),
    what: "text",
    json: { type: "string", maxLength: maxBytes },
  };
}

/** PATH_MAX of linux/limits.h without the final NUL. */
export const PATH_MAX_BYTES = 4095;

/** An absolute path. */
export const absolutePath: Value<string> = value("an absolute path", "/absolute/path", (text) => {
  const read = line("a path", PATH_MAX_BYTES).read(text);
  return !read.ok || text.startsWith("/")
    ? read
    : failure(`Cannot use ${quote(text)} as a path: expected an absolute path`);
});

/** A file to write to: `off`, which is undefined, or an absolute path. */
export const pathOrOff: Value<string | undefined> = {
  ...orOff(absolutePath, undefined),
  read: (text) => {
    if (text === "off") return success(undefined);
    const path = absolutePath.read(text);
    return path.ok ? path : expecting("off", path.message);
  },
  what: "off or an absolute path",
  accepts: "off | /absolute/path",
};

/** A user as useradd(8) takes the name, or a number. */
export const userName: Value<string> = value(
  "a user name",
  "user name or number",
  (text) =>
    /^([A-Za-z_][A-Za-z0-9_.-]{0,30}\$?|0|[1-9]\d{0,9})$/.test(text)
      ? success(text)
      : failure(`Cannot read ${quote(text)} as a user: expected a user name or a number`),
);

/** Names of frontends and pools. */
export const entityName: Value<string> = value(
  "a name",
  "name of a pool",
  (text) =>
    /^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$/.test(text) ? success(text) : failure(
      `Cannot use ${quote(text)} as a name: expected up to 63 letters, digits, "_" or "-"`,
    ),
);

/** The longest message that is shown whole. */
const MESSAGE_MAX = 400;

/** Messages of core/ quote what they were given as it is; here it may be any text from a file. */
export function quoted<T>(result: Result<T>): Result<T> {
  if (result.ok) return result;
  const line = result.message.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, "?");
  // What was found stands first, what was expected last.
  return failure(
    line.length <= MESSAGE_MAX ? line : `${line.slice(0, 120)}...${line.slice(120 - MESSAGE_MAX)}`,
  );
}

export const SECOND = 1000;
export const HOUR = 3600 * SECOND;
export const DAY = 24 * HOUR;
/** Timers count in 32 bits of milliseconds: 24.8 days. */
export const LONGEST = 24 * DAY;

export const interval = duration(100, HOUR);
export const timeout = duration(10, HOUR);
