// Backends as sources write them: a text ("host:port=cores weight=2"), lines of such texts, or JSON.

import { MAX_CORES, MAX_WEIGHT, parseCores, parseWeight } from "../core/pool/backend.ts";
import { isIpv6 } from "../core/values/address.ts";
import { messageOf } from "../core/values/errors.ts";
import { canonicalAddress } from "../core/values/ip.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { shownJson } from "../core/values/shown_json.ts";
import { oneLine } from "../asking/reason.ts";
import { partialAddress } from "../schema/balancer_values.ts";
import type { DiscoveredBackend, DiscoveredList } from "./discovery_source.ts";

/** More than a pool can have; what stands beyond is left out and said. */
export const MOST_ENTRIES = 10_000;

const MOST_CONNECTIONS = 1_000_000;

/** Reads `host[:port][=cores]`, and behind it, each after a space, `cores=N`, `weight=W`, `max_connections=N`. */
export function parseEntry(text: string): Result<DiscoveredBackend> {
  const [place = "", ...words] = text.trim().split(/\s+/);
  const equals = place.startsWith("unix:") ? -1 : place.lastIndexOf("=");
  const figures = equals < 0 ? words : [`cores=${place.slice(equals + 1)}`, ...words];
  const address = partialAddress.read(equals < 0 ? place : place.slice(0, equals));
  if (!address.ok) return address;
  let backend: DiscoveredBackend = { address: address.value };
  for (const word of figures) {
    const [name = "", value = ""] = word.split("=", 2);
    const figure = parseFigure(name, value);
    if (!figure.ok) return figure;
    backend = { ...backend, ...figure.value };
  }
  return success(backend);
}

function parseFigure(name: string, text: string): Result<Partial<DiscoveredBackend>> {
  if (name === "cores") {
    const cores = parseCores(text);
    return cores.ok ? success({ cores: cores.value }) : cores;
  }
  if (name === "weight") {
    const weight = parseWeight(text);
    return weight.ok ? success({ weight: weight.value }) : weight;
  }
  if (name !== "max_connections") {
    return failure(
      `Cannot read "${oneLine(name, 40)}" behind a backend: expected cores=N, weight=W or ` +
        "max_connections=N",
    );
  }
  const count = /^\d{1,7}$/.test(text) ? Number(text) : Infinity;
  return count <= MOST_CONNECTIONS ? success({ maxConnections: count }) : failure(
    `Cannot read "${
      oneLine(text, 40)
    }" as max_connections: expected an integer from 0 to ${MOST_CONNECTIONS}`,
  );
}

/** Reads lines: one backend on each; what stands behind "#" is a comment, and empty lines say nothing. */
export function parseLines(text: string): DiscoveredList {
  const entries = text.split(/\r?\n/).flatMap((line, at) => {
    const entry = line.replace(/(^|\s)#.*/, "").trim();
    return entry === "" ? [] : [{ place: `line ${at + 1}`, entry }];
  });
  return listOf(entries.map(({ place, entry }) => ({ place, backend: parseEntry(entry) })));
}

/** Reads a list as people and programs write it: a JSON array, or lines. */
export function parseText(text: string): Result<DiscoveredList> {
  // A line may begin with "[", too: of an IPv6 address.
  return /^\s*\[\s*(["{\]]|$)/.test(text) ? parseJsonList(text) : success(parseLines(text));
}

/** Reads a JSON array whose items are texts, or objects with address, port, cores, weight, max_connections. */
export function parseJsonList(text: string): Result<DiscoveredList> {
  const document = parseJson(text);
  return document.ok ? listOfJson(document.value) : document;
}

/** Reads JSON, or says what stands there instead. */
export function parseJson(text: string): Result<unknown> {
  try {
    return success(JSON.parse(text));
  } catch (error) {
    return failure(
      `Cannot read "${oneLine(text, 40)}" as JSON: ${oneLine(messageOf(error), 100)}`,
    );
  }
}

/**
 * Reads what a directory has under a name: a text as in a list, or a JSON object. Where nothing stands there,
 * or no address, the name is the address.
 */
export function parseNamed(name: string, value: string): Result<DiscoveredBackend> {
  const text = value.trim();
  if (!text.startsWith("{")) return parseEntry(text === "" ? name : text);
  const object = parseJson(text);
  return object.ok ? parseJsonEntry({ address: name, ...Object(object.value) }) : object;
}

/** The same of what was read as JSON. */
export function listOfJson(document: unknown): Result<DiscoveredList> {
  if (!Array.isArray(document)) {
    return failure(`Cannot use ${oneLine(shownJson(document), 60)}: expected a list of backends`);
  }
  return success(listOf(
    document.map((item, at) => ({ place: `item ${at + 1}`, backend: parseJsonEntry(item) })),
  ));
}

function parseJsonEntry(item: unknown): Result<DiscoveredBackend> {
  if (typeof item === "string") return parseEntry(item);
  if (typeof item !== "object" || item === null || !("address" in item)) {
    return failure(
      `Cannot use ${oneLine(shownJson(item), 60)} as a backend: expected "host:port" or an ` +
        "object with an address",
    );
  }
  if (typeof item.address !== "string") {
    return failure(
      `Cannot use ${oneLine(shownJson(item.address), 60)} as an address: expected a text`,
    );
  }
  const port = "port" in item && item.port !== null ? `:${item.port}` : "";
  const host = port !== "" && isIpv6(item.address) ? `[${item.address}]` : item.address;
  const words = Object.entries(item).flatMap(([name, value]) =>
    isFigure(name) && value !== null && value !== undefined ? [`${name}=${value}`] : []
  );
  return parseEntry([host + port, ...words].join(" "));
}

function isFigure(name: string): boolean {
  return name === "cores" || name === "weight" || name === "max_connections";
}

/** What was read at one place of a list. */
export interface Entry {
  readonly place: string;
  readonly backend: Result<DiscoveredBackend>;
}

/**
 * Makes a list of what was read: what could not be is left out, and a backend that comes twice counts once.
 * @param count how many entries there are, read or not.
 */
export function listOf(entries: readonly Entry[], count = entries.length): DiscoveredList {
  const backends = new Map<string, DiscoveredBackend>();
  const skipped: string[] = [];
  for (const { place, backend } of entries.slice(0, MOST_ENTRIES)) {
    if (!backend.ok) {
      skipped.push(`${place}: ${backend.message}`);
      continue;
    }
    const { address, hasPort } = backend.value.address;
    const id = JSON.stringify([canonicalAddress(address), hasPort]);
    if (!backends.has(id)) backends.set(id, backend.value);
  }
  const left = count - MOST_ENTRIES;
  if (left > 0) skipped.push(`${left} more after the first ${MOST_ENTRIES}: too many`);
  return { backends: [...backends.values()], skipped };
}

/** Brings figures that a protocol has in its own range into that of backends; what cannot be is left out. */
export function figuresWithin(
  { cores, weight, maxConnections }: Omit<DiscoveredBackend, "address">,
): Omit<DiscoveredBackend, "address"> {
  const isCores = cores !== undefined && cores > 0 && cores <= MAX_CORES;
  return {
    ...(isCores ? { cores } : {}),
    ...(weight === undefined || !(weight >= 0) ? {} : { weight: Math.min(weight, MAX_WEIGHT) }),
    ...(maxConnections === undefined || !(maxConnections >= 0)
      ? {}
      : { maxConnections: Math.min(Math.round(maxConnections), MOST_CONNECTIONS) }),
  };
}
