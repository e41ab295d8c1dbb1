// Which backends a word of a command line means: the id as it stands in lb.conf and status, or a host, which
// means all backends there; and what is wrong with a word that means none. Pure.

import type { PoolReport } from "../admin/report.ts";
import { parseBackendAddress } from "../core/values/address.ts";
import { didYouMean } from "../core/values/nearest.ts";
import { failure, type Result, success } from "../core/values/result.ts";

/** A backend of a pool. */
export interface MatchedBackend {
  readonly pool: string;
  readonly id: string;
}

type Known = Pick<PoolReport, "name"> & {
  readonly backends: readonly { readonly id: string; readonly state?: string }[];
  readonly removed?: readonly { readonly id: string }[];
};

/** So many are named where none was meant. */
const MOST_NAMED = 5;

/**
 * All backends that the words mean, those that were removed included, each once.
 * @param pool only of this pool.
 * @returns a failure that names the first word that means none.
 */
export function matchBackends(
  pools: readonly Known[],
  words: readonly string[],
  pool?: string,
): Result<readonly MatchedBackend[]> {
  const meant = pool === undefined ? pools : pools.filter(({ name }) => name === pool);
  if (meant.length === 0) {
    const names = pools.map(({ name }) => name);
    const hint = didYouMean(pool ?? "", names) || `expected one of ${names.join(", ")}`;
    return failure(`Unknown pool "${pool}": ${hint}`);
  }
  const all = meant.flatMap(({ name, backends, removed = [] }) => {
    // What has left and was not removed by order can be ordered nothing.
    const there = backends.filter(({ state }) => state !== "leaving");
    const ids = new Set([...there, ...removed].map(({ id }) => id));
    return [...ids].map((id) => ({ pool: name, id }));
  });
  const matched = new Map<string, MatchedBackend>();
  for (const word of words) {
    const exact = all.filter(({ id }) => id === word);
    const found = exact.length > 0 ? exact : all.filter(({ id }) => isAt(id, word));
    if (found.length === 0) return failure(describeUnknown(word, all.map(({ id }) => id)));
    for (const one of found) matched.set(`${one.pool} ${one.id}`, one);
  }
  return success([...matched.values()]);
}

/** What is wrong with the name of a frontend; undefined: nothing. */
export function unknownFrontend(
  name: string,
  frontends: readonly { readonly name: string }[],
): string | undefined {
  const all = frontends.map((frontend) => frontend.name);
  if (all.includes(name)) return undefined;
  const hint = didYouMean(name, all) || `expected one of ${all.join(", ")}`;
  return `Unknown frontend "${name}": ${hint}`;
}

/** Whether a backend is on a host, letter case aside; a word with a port must have the backend's. */
function isAt(id: string, word: string): boolean {
  const [backend, meant] = [parseBackendAddress(id), parseBackendAddress(word, 0)];
  if (!backend.ok || !meant.ok) return false;
  const [one, other] = [backend.value, meant.value];
  if (one.transport === "unix" || other.transport === "unix") return false;
  const isHost = one.host.toLowerCase() === other.host.toLowerCase();
  return isHost && (other.port === 0 || other.port === one.port);
}

function describeUnknown(word: string, ids: readonly string[]): string {
  const hosts = ids.flatMap((id) => {
    const parsed = parseBackendAddress(id);
    return parsed.ok && parsed.value.transport === "tcp" ? [parsed.value.host] : [];
  });
  const known = [...new Set(ids)];
  const more = known.length > MOST_NAMED ? ` and ${known.length - MOST_NAMED} more` : "";
  const hint = didYouMean(word, [...new Set([...ids, ...hosts])]) ||
    (known.length === 0
      ? "there is none"
      : `expected one of ${known.slice(0, MOST_NAMED).join(", ")}${more}`);
  return `Unknown backend "${word}": ${hint}`;
}
