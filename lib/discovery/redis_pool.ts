// The pool as it stands in Redis, in two keys: the servers in use, as l4loadbalancer has them, and those that are
// retired. Pure: texts in, texts out.

import { oneLine } from "../asking/reason.ts";
import { formatAddress, formatHost } from "../core/values/address.ts";
import { messageOf } from "../core/values/errors.ts";
import { canonicalAddress } from "../core/values/ip.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { shownJson } from "../core/values/shown_json.ts";
import type { DiscoveredBackend, DiscoveredList, ReportedBackend } from "./discovery_source.ts";
import { MOST_ENTRIES, parseEntry } from "./entries.ts";

/** A server as the keys and the channels name it. */
export interface Server {
  /** As it was written. */
  readonly text: string;
  /** Its address in one spelling: two servers with the same one are the same. */
  readonly id: string;
  readonly backend: DiscoveredBackend;
}

export interface RedisPool {
  readonly inUse: readonly Server[];
  readonly retired: readonly Server[];
  /** What could not be read as a server. */
  readonly skipped: readonly string[];
}

/** What somebody published. */
export interface Change {
  readonly kind: "add" | "remove";
  readonly server: Server;
  readonly heardAtMs: number;
}

export const NO_POOL: RedisPool = { inUse: [], retired: [], skipped: [] };

/** No address with its figures is longer. */
const LONGEST = 400;
const EXPECTED = 'expected a JSON list such as ["127.0.0.1:6000"]';

/** Reads `host[:port]`; behind it may stand figures, as in all lists of backends. */
export function parseServer(text: string): Result<Server> {
  if (text.length > LONGEST) {
    return failure(`Cannot use a text of ${text.length} characters: expected a server`);
  }
  const read = parseEntry(text);
  if (!read.ok) return read;
  const { hasPort } = read.value.address;
  const address = canonicalAddress(read.value.address.address);
  const place = address.transport === "tcp" && !hasPort
    ? formatHost(address.host)
    : formatAddress(address);
  return success({ text: text.trim(), id: idOf(place), backend: read.value });
}

/** Names of hosts are the same in capital letters, paths are not. */
function idOf(place: string): string {
  return place.startsWith("unix:") ? place : place.toLowerCase();
}

/** Reads both keys. A server that stands in them twice counts once, where it stands first. */
export function readPool(inUse: string, retired: string): Result<RedisPool> {
  const seen = new Set<string>();
  const first = readServers(inUse, seen);
  if (!first.ok) return first;
  const second = retired === ""
    ? success({ servers: [], skipped: [] })
    : readServers(retired, seen);
  if (!second.ok) return failure(`${second.message} in the key of those retired`);
  if (seen.size > MOST_ENTRIES) {
    return failure(`Cannot use ${seen.size} servers: expected at most ${MOST_ENTRIES}`);
  }
  return success({
    inUse: first.value.servers,
    retired: second.value.servers,
    skipped: [...first.value.skipped, ...second.value.skipped],
  });
}

function readServers(
  text: string,
  seen: Set<string>,
): Result<{ readonly servers: readonly Server[]; readonly skipped: readonly string[] }> {
  let items: unknown;
  try {
    items = JSON.parse(text);
  } catch (error) {
    const reason = oneLine(messageOf(error), 100);
    return failure(`Cannot read "${oneLine(text, 40)}" (${reason}): ${EXPECTED}`);
  }
  if (!Array.isArray(items)) {
    return failure(`Cannot use ${oneLine(shownJson(items), 60)}: ${EXPECTED}`);
  }
  if (items.length > MOST_ENTRIES) {
    return failure(
      `Cannot use a list of ${items.length}: expected at most ${MOST_ENTRIES} servers`,
    );
  }
  const servers: Server[] = [];
  const skipped: string[] = [];
  for (const [at, item] of items.entries()) {
    const server = typeof item === "string"
      ? parseServer(item)
      : failure<Server>(`Cannot use ${oneLine(shownJson(item), 60)}: expected "host:port"`);
    if (!server.ok) {
      skipped.push(`item ${at + 1}: ${server.message}`);
    } else if (!seen.has(server.value.id)) {
      seen.add(server.value.id);
      servers.push(server.value);
    }
  }
  return success({ servers, skipped });
}

/** What a key says of these servers: compact JSON, as l4loadbalancer writes it. */
export function writtenServers(servers: readonly Server[]): string {
  return JSON.stringify(servers.map(({ text }) => text));
}

/**
 * The pool after these changes, in their order. Each may come again and does no more then. A pool that has as
 * many servers as can be read takes no more.
 */
export function changedPool(pool: RedisPool, changes: readonly Change[]): RedisPool {
  if (changes.length === 0) return pool;
  const inUse = new Map(pool.inUse.map((server) => [server.id, server]));
  const retired = new Map(pool.retired.map((server) => [server.id, server]));
  for (const { kind, server } of changes) {
    const isNew = !inUse.has(server.id) && !retired.has(server.id);
    if (kind === "add" && isNew && inUse.size + retired.size >= MOST_ENTRIES) continue;
    if (kind === "add") (retired.has(server.id) ? retired : inUse).set(server.id, server);
    else if (!inUse.delete(server.id)) retired.delete(server.id);
  }
  return { inUse: [...inUse.values()], retired: [...retired.values()], skipped: pool.skipped };
}

/** How the balancer's backends do, by the ids of servers. */
export class Usability {
  readonly #byId = new Map<string, boolean>();
  readonly #byHost = new Map<string, boolean>();

  constructor(backends: readonly ReportedBackend[]) {
    for (const { id, isUsable } of backends) {
      const place = idOf(id);
      this.#byId.set(place, isUsable);
      const host = place.slice(0, place.lastIndexOf(":"));
      this.#byHost.set(host, isUsable || this.#byHost.get(host) === true);
    }
  }

  /** Undefined of a server that is not known: it stays where it is. A server without a port has the pool's. */
  of({ id, backend }: Server): boolean | undefined {
    return (backend.address.hasPort ? this.#byId : this.#byHost).get(id);
  }
}

/** Retires what cannot be used, and puts at the end of the others what can be used again. */
export function placedPool(
  { inUse, retired, skipped }: RedisPool,
  usability: Usability,
): RedisPool {
  return {
    inUse: [
      ...inUse.filter((server) => usability.of(server) !== false),
      ...retired.filter((server) => usability.of(server) === true),
    ],
    retired: [
      ...retired.filter((server) => usability.of(server) !== true),
      ...inUse.filter((server) => usability.of(server) === false),
    ],
    skipped,
  };
}

/** All servers: the retired ones may come back. An empty list stands there because somebody wrote it so. */
export function listOfPool({ inUse, retired, skipped }: RedisPool): DiscoveredList {
  const backends = [...inUse, ...retired].map(({ backend }) => backend);
  const isMeant = backends.length === 0 && skipped.length === 0;
  return { backends, skipped, ...(isMeant ? { isMeant } : {}) };
}

/** A change as the balancers tell each other that it is written. */
export function changeWord({ kind, server }: Change): string {
  return `${kind === "add" ? "+" : "-"}${server.id}`;
}

/**
 * What is still to be written when another balancer has written these: for each, the first change with its
 * word and all before it about the same server.
 */
export function unwrittenChanges(
  changes: readonly Change[],
  written: readonly string[],
): readonly Change[] {
  let rest = changes;
  for (const word of written) {
    const at = rest.findIndex((change) => changeWord(change) === word);
    if (at < 0) continue;
    rest = rest.filter(({ server }, index) => index > at || server.id !== word.slice(1));
  }
  return rest;
}
