// What an order is about: finds the backend that a request names, tells its state by a tag, and why it cannot
// join its pool.

import { type Administration, overrideOf } from "../core/administration/administration.ts";
import { administered, NO_OVERRIDES, type Said } from "../core/administration/override.ts";
import { MAX_BACKENDS } from "../core/pool/backend.ts";
import type { Clock } from "../core/timing/clock.ts";
import { identityOf } from "../core/pick/source.ts";
import {
  type Address,
  formatAddress,
  parseBackendAddress,
  sameAddress,
} from "../core/values/address.ts";
import { canonicalAddress } from "../core/values/ip.ts";
import { didYouMean } from "../core/values/nearest.ts";
import { formatNetwork, parseNetwork } from "../core/values/network.ts";
import { printable } from "../core/values/printable.ts";
import type { Config, PoolConfig } from "../config/config.ts";
import { someOf } from "../config/config_error.ts";
import { describeLoop, describeReturn } from "../config/loops.ts";
import { withDefaults } from "../config/build.ts";
import { defaultPortOf } from "../config/references.ts";
import { quote } from "../schema/quote.ts";
import type { Caller, Refusal, When } from "../admin/orders.ts";
import { timeOf } from "./administration_words.ts";
import type { FoundNames } from "./backend_names.ts";
import type { PoolController } from "./pool_controller.ts";
import type { Pools } from "./pools.ts";

/** A backend that a request names. */
export interface OrderTarget {
  readonly id: string;
  /** Its pool as the configuration has it, and who keeps it. */
  readonly configured: PoolConfig;
  readonly controller: PoolController;
  /** Whether the configuration or an order names it. */
  readonly isKnown: boolean;
}

/**
 * Finds the backend that is meant by its id, or without its port.
 * @param mayBeNew whether one that nothing names is found, too.
 */
export function findTarget(
  config: Config,
  pools: Pools,
  administration: Administration,
  pool: string,
  name: string,
  mayBeNew: boolean,
): OrderTarget | Refusal {
  const controller = pools.get(pool);
  const configured = config.pools.find((one) => one.name === pool);
  if (controller === undefined || configured === undefined) {
    const names = config.pools.map((one) => one.name);
    const hint = didYouMean(pool, names) || `expected one of ${someOf(names)}`;
    return refusal(404, `Unknown pool ${quote(pool)}: ${hint}`);
  }
  const known = new Set(configured.backends.map(({ id }) => id));
  for (const id of administration.backends.get(pool)?.keys() ?? []) known.add(id);
  const found = (id: string) => ({ id, configured, controller, isKnown: known.has(id) });
  if (known.has(name)) return found(name);
  const address = parseBackendAddress(name, defaultPortOf(config, pool));
  if (!address.ok && mayBeNew) return refusal(400, address.message);
  const id = address.ok ? spelled(address.value) : "";
  const other = [...known].find((other) => {
    const read = parseBackendAddress(other);
    return read.ok && spelled(read.value) === id;
  });
  if (other !== undefined || mayBeNew) return found(other ?? id);
  const hint = didYouMean(name, [...known]) || `expected one of ${someOf([...known])}`;
  return refusal(404, `Unknown backend ${quote(name)}: ${hint}`);
}

/** A backend's id in the one spelling that sources' backends have, too. */
function spelled(address: Address): string {
  return formatAddress(canonicalAddress(address));
}

/** A tag that changes with orders about the backend, and with its configuration. */
export function tagOf({ id, configured }: OrderTarget, administration: Administration): string {
  const backend = configured.backends.find((one) => one.id === id) ?? null;
  return hashOf([overrideOf(administration, configured.name, id), backend]);
}

/** What a frontend is to turn away. */
export interface DenialTarget {
  readonly frontend: string;
  /** As parsers write it. */
  readonly network: string;
}

/** Finds the frontend and the network that are meant. */
export function findDenial(
  { frontends }: Config,
  { denials }: Administration,
  frontend: string,
  network: string,
): DenialTarget | Refusal {
  if (!frontends.some(({ name }) => name === frontend) && !denials.has(frontend)) {
    const names = frontends.map(({ name }) => name);
    const hint = didYouMean(frontend, names) || `expected one of ${someOf(names)}`;
    return refusal(404, `Unknown frontend ${quote(frontend)}: ${hint}`);
  }
  const parsed = parseNetwork(network);
  return parsed.ok
    ? { frontend, network: formatNetwork(parsed.value) }
    : refusal(400, printable(parsed.message));
}

/** A tag that changes with what is ordered of a frontend, and with its configuration. */
export function frontendTagOf(
  { frontends }: Config,
  { denials }: Administration,
  name: string,
): string | undefined {
  const configured = frontends.find((frontend) => frontend.name === name);
  return configured && hashOf([configured, [...denials.get(name) ?? []]]);
}

/** Why a condition of a request does not hold. @param tag what stands; undefined: nothing does. */
export function conditionFault(
  what: string,
  tag: string | undefined,
  ifMatch: Caller["ifMatch"],
): Refusal | undefined {
  if (ifMatch === undefined) return undefined;
  if (tag === undefined) return refusal(412, `${what} is not there yet`);
  if (ifMatch === "*" || ifMatch.includes(tag)) return undefined;
  return refusal(412, `${what} has changed meanwhile: its tag is "${tag}"`);
}

function hashOf(value: unknown): string {
  const text = JSON.stringify(value);
  const hash = (text: string) => (identityOf(text) >>> 0).toString(16).padStart(8, "0");
  return hash(text) + hash(`${text} `);
}

/** A pool's configuration with what is ordered of its backends. */
export function withOrders(configured: PoolConfig, { backends }: Administration): PoolConfig {
  const overrides = backends.get(configured.name) ?? NO_OVERRIDES;
  const defaults = withDefaults({}, configured.backendDefaults);
  return { ...configured, backends: administered(configured.backends, overrides, defaults) };
}

/** Why a backend cannot join its pool, which would be this one; undefined: it can. */
export function joinFault(
  { id }: OrderTarget,
  { name: pool, backends }: PoolConfig,
  names: FoundNames,
  pools: Pools,
): Refusal | undefined {
  if (backends.length > MAX_BACKENDS) {
    return refusal(409, `Pool ${pool} has ${MAX_BACKENDS} backends already, as many as it can`);
  }
  const full = pools.whyFull(pool, backends);
  if (full !== undefined) return refusal(409, full);
  const backend = backends.find((one) => one.id === id);
  const found = names.get(id);
  const addresses = found?.ok === true ? found.value : backend ? [backend.address] : [];
  for (const address of addresses) {
    const frontend = pools.frontendReached(pool, address);
    if (frontend === undefined) continue;
    const isLiteral = backend !== undefined && sameAddress(address, backend.address);
    const error = isLiteral ? describeLoop(id, frontend) : describeReturn(address, frontend);
    return refusal(409, error);
  }
  return undefined;
}

/** Who orders, when and why. */
export function saidBy(clock: Clock, { by }: Caller, reason: string | undefined): Said {
  return { by, atMs: clock.wall(), ...(reason === undefined ? {} : { reason }) };
}

/** A time that is given, by the wall clock; it must be to come. */
export function timeGiven(
  clock: Clock,
  field: string,
  when: When | null | undefined,
): { readonly atMs: number | null | undefined } | Refusal {
  if (when === null || when === undefined) return { atMs: when };
  const nowMs = clock.wall();
  const atMs = "atMs" in when ? when.atMs : nowMs + when.afterMs;
  if (atMs > nowMs) return { atMs };
  const error = `Cannot use ${timeOf(atMs)}: expected a time to come, it is ${timeOf(nowMs)}`;
  return { ...refusal(400, error), field };
}

/** Says why an order is not carried out. */
export function refusal(status: Refusal["status"], error: string): Refusal {
  return { ok: false, status, error };
}

/** Whether something is a reason not to go on. */
export function isRefusal(value: object): value is Refusal {
  return "ok" in value && value.ok === false;
}
