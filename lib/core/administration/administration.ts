// What administrators have ordered while the balancer runs: overrides of backends, by pool, and networks that
// frontends turn away. Apart from configuration and health; it outlives a reload and a restart. Pure: an
// order makes a new Administration of an old one.

import type { AdminState } from "../pool/health.ts";
import type { Override, Said } from "./override.ts";

/** A network that a frontend turns away by order. */
export interface Denial extends Said {
  /** When it ends by itself, milliseconds since the epoch; absent: never. */
  readonly untilMs?: number;
}

export interface Administration {
  /** By pool, then by the id of the backend; nothing empty. */
  readonly backends: ReadonlyMap<string, ReadonlyMap<string, Override>>;
  /** By frontend, then by network as it is written; nothing empty. */
  readonly denials: ReadonlyMap<string, ReadonlyMap<string, Denial>>;
}

/** Nothing is ordered. */
export const NO_ADMINISTRATION: Administration = { backends: new Map(), denials: new Map() };

/** One order about a backend or a frontend. */
export type Order =
  | BackendOrder & {
    readonly kind: "set";
    /** null takes away what was ordered of it, a removal included; absent: stays as it is. */
    readonly state?: AdminState | null;
    /** When the sessions that are left are ended, for a drain; null: never; absent: stays as it is. */
    readonly deadlineMs?: number | null;
    /** With `enabled`: what the backend's own side says against it, which is overruled. */
    readonly overrules?: string;
    /** null: the configured one. */
    readonly weight?: number | null;
  }
  | BackendOrder & {
    readonly kind: "add";
    readonly cores?: number;
    readonly weight?: number;
    readonly maxConnections?: number;
  }
  | BackendOrder & {
    readonly kind: "remove";
    /** Whether the configuration names it, or a source may: of one that was only added, nothing is remembered. */
    readonly isConfigured: boolean;
  }
  | FrontendOrder & { readonly kind: "deny"; readonly untilMs?: number }
  | FrontendOrder & { readonly kind: "undeny" };

interface BackendOrder {
  readonly pool: string;
  readonly backend: string;
  readonly said: Said;
}

interface FrontendOrder {
  readonly frontend: string;
  readonly network: string;
  readonly said: Said;
}

/**
 * Carries an order out. To order again what stands changes nothing: who ordered it first, and when, stays.
 * @returns the same object when nothing changes.
 */
export function ordered(before: Administration, order: Order): Administration {
  if (order.kind === "deny" || order.kind === "undeny") {
    const { frontend, network } = order;
    const was = before.denials.get(frontend)?.get(network);
    const is = order.kind === "undeny" ? undefined : denialOf(was, order);
    if (is === was) return before;
    return { ...before, denials: replaced(before.denials, frontend, network, is) };
  }
  const { pool, backend } = order;
  const was = overrideOf(before, pool, backend);
  const is = overridden(was, order);
  if (is === was) return before;
  const left = Object.keys(is).length === 0 ? undefined : is;
  return { ...before, backends: replaced(before.backends, pool, backend, left) };
}

const NOTHING: Override = {};

/** What is ordered of a backend; empty where nothing is. */
export function overrideOf(
  { backends }: Administration,
  pool: string,
  backend: string,
): Override {
  return backends.get(pool)?.get(backend) ?? NOTHING;
}

function overridden(was: Override, order: Exclude<Order, FrontendOrder>): Override {
  const { said } = order;
  switch (order.kind) {
    case "add": {
      const { cores, weight, maxConnections } = order;
      const { removed: _, ...rest } = was;
      const added = {
        ...(cores === undefined ? {} : { cores }),
        ...(weight === undefined ? {} : { weight }),
        ...(maxConnections === undefined ? {} : { maxConnections }),
      };
      const same = was.added !== undefined && isSame(was.added, { ...was.added, ...added }, said);
      if (same && was.removed === undefined) return was;
      return { ...rest, added: same ? was.added : { ...was.added, ...added, ...said } };
    }
    case "remove":
      if (!order.isConfigured && (was === NOTHING || was.added !== undefined)) return NOTHING;
      if (was.removed !== undefined && isSame(was.removed, was.removed, said)) return was;
      return { ...was, removed: said };
    case "set":
      return withWeight(withState(was, order), order);
  }
}

type SetOrder = Order & { readonly kind: "set" };

function withState(was: Override, order: SetOrder): Override {
  const { state = was.state?.state, said, overrules } = order;
  if (order.state === undefined && order.deadlineMs === undefined) return was;
  // A deadline alone is for a drain that stands.
  if (order.state === undefined && state !== "draining") return was;
  if (state === null || state === undefined || (state === "enabled" && overrules === undefined)) {
    // To enable takes away a removal, too.
    if (was.state === undefined && was.removed === undefined) return was;
    const { state: _, removed: __, ...rest } = was;
    return rest;
  }
  const deadlineMs = order.deadlineMs === undefined ? was.state?.deadlineMs : order.deadlineMs;
  const value = {
    state,
    ...(state !== "draining" || deadlineMs === undefined || deadlineMs === null
      ? {}
      : { deadlineMs }),
    ...(state === "enabled" && overrules !== undefined ? { overrules } : {}),
  };
  const isEnabled = state === "enabled";
  const stays = was.state !== undefined && isSame(was.state, value, said);
  if (stays && !(isEnabled && was.removed !== undefined)) return was;
  const { removed, ...rest } = was;
  return {
    ...rest,
    ...(removed === undefined || isEnabled ? {} : { removed }),
    state: stays && was.state !== undefined ? was.state : { ...value, ...said },
  };
}

function withWeight(was: Override, { weight, said }: SetOrder): Override {
  if (weight === undefined) return was;
  if (weight === null) {
    if (was.weight === undefined) return was;
    const { weight: _, ...rest } = was;
    return rest;
  }
  if (was.weight !== undefined && isSame(was.weight, { weight }, said)) return was;
  return { ...was, weight: { weight, ...said } };
}

function denialOf(
  was: Denial | undefined,
  { untilMs, said }: Order & { readonly kind: "deny" },
): Denial {
  const value = untilMs === undefined ? {} : { untilMs };
  return was !== undefined && isSame(was, value, said) ? was : { ...value, ...said };
}

/** Whether an order says the same again, whoever says it and when; without a reason, for the old one. */
function isSame(was: Said, value: object, { reason }: Said): boolean {
  if (reason !== undefined && reason !== was.reason) return false;
  const bare = ({ by: _, atMs: __, reason: ___, ...rest }: Partial<Said>) =>
    JSON.stringify(Object.entries(rest).sort(([a], [b]) => a < b ? -1 : 1));
  return bare(was) === bare(value);
}

/** A copy with the inner value replaced, or left out where it is undefined, and nothing left empty. */
function replaced<T>(
  maps: ReadonlyMap<string, ReadonlyMap<string, T>>,
  outer: string,
  inner: string,
  value: T | undefined,
): ReadonlyMap<string, ReadonlyMap<string, T>> {
  const copy = new Map(maps);
  const one = new Map(copy.get(outer));
  if (value === undefined) one.delete(inner);
  else one.set(inner, value);
  if (one.size === 0) copy.delete(outer);
  else copy.set(outer, one);
  return copy;
}

/** The same without denials whose time is over; the same object when none is. */
export function withoutExpired(before: Administration, nowMs: number): Administration {
  let denials = before.denials;
  for (const [frontend, networks] of before.denials) {
    for (const [network, { untilMs = Infinity }] of networks) {
      if (untilMs <= nowMs) denials = replaced(denials, frontend, network, undefined);
    }
  }
  return denials === before.denials ? before : { ...before, denials };
}
