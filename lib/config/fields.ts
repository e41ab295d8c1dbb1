// Readers of single values: the text as written in, a parsed value or the reason out. The schema and
// the flags share them, so both accept the same and complain alike.

import {
  type Address,
  parseBackendAddress,
  parseListenAddress,
  sameAddress,
} from "../core/values/address.ts";
import { parseBackendSpec, parseCores } from "../core/pool/backend.ts";
import { formatDuration, parseDuration } from "../core/values/duration.ts";
import { didYouMean } from "../core/values/nearest.ts";
import { type Network, parseNetwork } from "../core/values/network.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import type { MemoryFloor } from "../core/watch/shortages.ts";
import { formatSize, parseSize } from "../core/values/size.ts";
import { quote } from "./config_error.ts";

/** Reads one scalar. */
export type Reader<T> = (text: string) => Result<T>;

/** One of a list of words. */
export function oneOf<const T extends string>(words: readonly T[], what: string): Reader<T> {
  return (text) => {
    const found = words.find((word) => word === text);
    if (found !== undefined) return success(found);
    const hint = didYouMean(text, words);
    return failure(
      `Cannot read ${quote(text)} as ${what}: expected ${words.join(", ")}` +
        (hint === "" ? "" : `; ${hint}`),
    );
  };
}

/** A whole number in plain decimal, so that nobody has to guess what 010 or 1_000 mean. */
export function integer(lowest: number, highest: number): Reader<number> {
  return (text) => {
    const value = /^-?(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : NaN;
    if (value >= lowest && value <= highest) return success(value);
    const what = Number.isNaN(value) ? " as an integer" : "";
    return failure(`Cannot read ${quote(text)}${what}: expected ${lowest} to ${highest}`);
  };
}

/** The word "auto", or what another reader reads. */
export function autoOr<T>(read: Reader<T>): Reader<"auto" | T> {
  return (text) => {
    if (text === "auto") return success("auto");
    const result = read(text);
    return result.ok
      ? result
      : failure(result.message.replace(/: expected /, ": expected auto or "));
  };
}

/** The word "off", which is 0, or what another reader reads. */
export function offOr(read: Reader<number>): Reader<number> {
  return (text) => {
    if (text === "off") return success(0);
    const result = read(text);
    return result.ok
      ? result
      : failure(result.message.replace(/: expected /, ": expected off or "));
  };
}

/** The mode of a file, three octal digits or four beginning with 0; or `umask`, which is undefined. */
export function modeOrUmask(text: string): Result<number | undefined> {
  if (text === "umask") return success(undefined);
  return /^0?[0-7]{3}$/.test(text)
    ? success(Number.parseInt(text, 8))
    : failure(`Cannot read ${quote(text)} as a mode: expected umask or octal digits such as 0660`);
}

/** `true` or `false`. */
export function boolean(text: string): Result<boolean> {
  return text === "true" || text === "false"
    ? success(text === "true")
    : failure(`Cannot read ${quote(text)} as a switch: expected true or false`);
}

/** A duration between two bounds, in milliseconds. */
export function duration(lowestMs: number, highestMs: number): Reader<number> {
  return (text) => {
    const parsed = quoted(parseDuration(text));
    if (!parsed.ok) return parsed;
    if (parsed.value >= lowestMs && parsed.value <= highestMs) return parsed;
    const range = `expected ${formatDuration(lowestMs)} to ${formatDuration(highestMs)}`;
    return failure(`Cannot use ${quote(text)} here: ${range}`);
  };
}

/** A duration between two bounds, or `off`, which is 0. */
export function durationOrOff(lowestMs: number, highestMs: number): Reader<number> {
  const read = duration(lowestMs, highestMs);
  return (text) => {
    if (text === "off") return success(0);
    const result = read(text);
    return result.ok ? result : failure(`${result.message}, or off`);
  };
}

/** A size between two bounds, in bytes. */
export function size(lowest: number, highest: number): Reader<number> {
  return (text) => {
    const parsed = quoted(parseSize(text));
    if (!parsed.ok || (parsed.value >= lowest && parsed.value <= highest)) return parsed;
    const range = `expected ${formatSize(lowest)} to ${formatSize(highest)}`;
    return failure(`Cannot use ${quote(text)} here: ${range}`);
  };
}

/** The word "off", which is undefined, or what another reader reads. */
export function orOff<T>(read: Reader<T>): Reader<T | undefined> {
  return (text) => {
    if (text === "off") return success(undefined);
    const result = read(text);
    return result.ok ? result : failure(`${result.message}, or off`);
  };
}

/** A percentage between two bounds, with at most two decimals, as a share: "60%" is 0.6. */
export function percent(lowest: number, highest: number): Reader<number> {
  return (text) => {
    const value = /^\d{1,3}(\.\d{1,2})?%$/.test(text) ? Number(text.slice(0, -1)) : NaN;
    return value >= lowest && value <= highest
      ? success(Math.round(value * 100) / 10_000)
      : failure(
        `Cannot read ${quote(text)} as a percentage: expected ${lowest}% to ${highest}%`,
      );
  };
}

/** A number from 0 to 1 with at most three decimals. */
export function share(text: string): Result<number> {
  return /^(0(\.\d{1,3})?|1(\.0{1,3})?)$/.test(text)
    ? success(Number(text))
    : failure(`Cannot read ${quote(text)}: expected a number from 0 to 1, such as 0.5`);
}

/** An amount of memory, as a size or as a percentage of all there is. */
export function memoryFloor(text: string): Result<MemoryFloor> {
  if (text.endsWith("%")) {
    // A server that was short comes back with a tenth more, which must be there.
    const read = percent(0, 90)(text);
    if (!read.ok) return failure(`${read.message} (a server that was short needs a tenth more)`);
    return success(read.value === 0 ? { bytes: 0 } : { share: read.value });
  }
  const read = size(0, 1024 ** 5)(text);
  return read.ok
    ? success({ bytes: read.value })
    : failure(`${read.message}, or a percentage such as "10%"`);
}

/** Text that is not empty and fits one line. */
export function line(what: string, maxBytes: number): Reader<string> {
  return (text) => {
    if (text === "") return failure(`Cannot use "" as ${what}: it is empty`);
    if (/\p{Cc}/u.test(text)) {
      return failure(`Cannot use ${quote(text)} as ${what}: it holds a control character`);
    }
    const bytes = new TextEncoder().encode(text).length;
    return bytes <= maxBytes
      ? success(text)
      : failure(`Cannot use ${quote(text)} as ${what}: expected at most ${maxBytes} bytes`);
  };
}

/** The same, or nothing at all. */
export function lineOrNothing(what: string, maxBytes: number): Reader<string> {
  const read = line(what, maxBytes);
  return (text) => text === "" ? success("") : read(text);
}

/** PATH_MAX of linux/limits.h without the final NUL. */
const PATH_MAX_BYTES = 4095;

/** An absolute path. */
export function absolutePath(text: string): Result<string> {
  const read = line("a path", PATH_MAX_BYTES)(text);
  return !read.ok || text.startsWith("/")
    ? read
    : failure(`Cannot use ${quote(text)} as a path: expected an absolute path`);
}

/** A file to write to: `off`, which is undefined, or an absolute path. */
export function pathOrOff(text: string): Result<string | undefined> {
  if (text === "off") return success(undefined);
  const path = absolutePath(text);
  return path.ok ? path : failure(path.message.replace(/: expected /, ": expected off or "));
}

/** The admin socket: `auto`, `off` or an absolute path. */
export function adminSocket(text: string): Result<"auto" | "off" | { readonly path: string }> {
  if (text === "auto" || text === "off") return success(text);
  if (!text.startsWith("/")) {
    return failure(
      `Cannot read ${quote(text)} as a socket: expected auto, off or an absolute path`,
    );
  }
  const printable = absolutePath(text);
  if (!printable.ok) return printable;
  const address = parseListenAddress(`unix:${text}`);
  return address.ok ? success({ path: text }) : quoted(address);
}

/** A user as useradd(8) takes the name, or a number. */
export function userName(text: string): Result<string> {
  return /^([A-Za-z_][A-Za-z0-9_.-]{0,30}\$?|0|[1-9]\d{0,9})$/.test(text)
    ? success(text)
    : failure(`Cannot read ${quote(text)} as a user: expected a user name or a number`);
}

/** An address to listen on. */
export function listenAddress(text: string): Result<Address> {
  return quoted(parseListenAddress(text));
}

/** A network, or one address. */
export function network(text: string): Result<Network> {
  return quoted(parseNetwork(text));
}

/** A country as ISO 3166-1 alpha-2 codes it. */
export function country(text: string): Result<string> {
  if (/^[A-Z]{2}$/.test(text)) return success(text);
  const meant = text.toUpperCase();
  const hint = /^[A-Z]{2}$/.test(meant)
    ? `did you mean "${meant}"?`
    : "expected two capital letters, such as CH (ISO 3166-1)";
  return failure(`Cannot read ${quote(text)} as a country: ${hint}`);
}

/** An option for `ssh -o`, as Name=value. */
export function sshOption(text: string): Result<string> {
  const read = line("an ssh option", 1024)(text);
  return !read.ok || /^[A-Za-z]+=./s.test(text)
    ? read
    : failure(`Cannot read ${quote(text)} as an ssh option: expected "Name=value"`);
}

/** The URL of a JSON document, in which {host}, {port} and {backend} may stand. */
export function urlTemplate(text: string): Result<string> {
  const read = line("a URL", 2048)(text);
  if (!read.ok) return read;
  const unknown = /\{(?!(?:host|port|backend)\})[^}]*\}?/.exec(text)?.[0];
  if (unknown !== undefined) {
    return failure(
      `Cannot use ${quote(unknown)} in a URL: expected {host}, {port} or {backend}`,
    );
  }
  const url = URL.parse(text.replace("{port}", "1").replace(/\{(host|backend)\}/g, "x"));
  const isSound = url !== null && /^https?:$/.test(url.protocol) && url.username === "" &&
    url.password === "" && url.hash === "" && /^https?:\/\//.test(text);
  return isSound
    ? success(text)
    : failure(`Cannot use ${quote(text)} as a URL: expected http:// or https://, and a host`);
}

/** Where a figure stands in a JSON document: names and list indices with dots between, or off. */
export function jsonPath(text: string): Result<string> {
  const read = line("a path", 255)(text);
  return !read.ok || text.split(".").every((step) => step !== "")
    ? read
    : failure(`Cannot use ${quote(text)} as a path: expected names with one dot between`);
}

/** The value of a header field: printable ASCII (RFC 9110 section 5.5). */
export function headerValue(text: string): Result<string> {
  return /^[!-~]([ -~]{0,2046}[!-~])?$/.test(text)
    ? success(text)
    : failure(`Cannot use ${quote(text)} in a header: expected printable ASCII`);
}

/** An address whose port may still be missing. */
export interface PartialAddress {
  /** Port 1 stands for a missing one. */
  readonly address: Address;
  readonly hasPort: boolean;
}

/** The address of a backend, with or without a port. */
export function partialAddress(text: string): Result<PartialAddress> {
  const one = parseBackendAddress(text, 1);
  if (!one.ok) return quoted(one);
  const two = parseBackendAddress(text, 2);
  return success({
    address: one.value,
    hasPort: two.ok && sameAddress(one.value, two.value),
  });
}

/** A backend as one text: `host[:port][=cores]`. */
export function backendSpec(text: string): Result<PartialAddress & { readonly cores?: number }> {
  const words = text.split(",").map((word) => word.trim()).filter((word) => word !== "");
  if (words.length > 1 && !text.startsWith("unix:")) {
    const more = words.length > 3 ? ", ..." : "";
    const list = `[${words.slice(0, 3).join(", ")}${more}]`;
    const message = `Cannot read ${quote(text)} as one backend: several are a list, write ${list}`;
    return quoted(failure(message));
  }
  const one = parseBackendSpec(text, 1);
  if (!one.ok) return quoted(one);
  const two = parseBackendSpec(text, 2);
  return success({
    address: one.value.address,
    hasPort: two.ok && sameAddress(one.value.address, two.value.address),
    ...(one.value.cores === undefined ? {} : { cores: one.value.cores }),
  });
}

/** A number of CPU cores. */
export function cores(text: string): Result<number> {
  return quoted(parseCores(text));
}

/** A program and its arguments as one text, split on spaces. */
export function commandLine(text: string): Result<readonly string[]> {
  const read = line("a command", PATH_MAX_BYTES)(text);
  if (!read.ok) return read;
  const words = text.split(" ").filter((word) => word !== "");
  return words.length > 0 ? success(words) : failure(`Cannot use ${quote(text)} as a command`);
}

/** Names of frontends and pools. */
export function entityName(text: string): Result<string> {
  return /^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$/.test(text) ? success(text) : failure(
    `Cannot use ${quote(text)} as a name: expected up to 63 letters, digits, "_" or "-"`,
  );
}

/** The longest message that is shown whole. */
const MESSAGE_MAX = 400;

/** Messages of core/ quote what they were given as it is; here it may be any text from a file. */
function quoted<T>(result: Result<T>): Result<T> {
  if (result.ok) return result;
  const line = result.message.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, "?");
  // What was found stands first, what was expected last.
  return failure(
    line.length <= MESSAGE_MAX ? line : `${line.slice(0, 120)}...${line.slice(120 - MESSAGE_MAX)}`,
  );
}
