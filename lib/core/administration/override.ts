// What an administrator has ordered of one backend, each thing with who, when and why; and what a pool's
// backends become under it. Pure.

import { parseBackendAddress } from "../values/address.ts";
import type { Backend } from "../pool/backend.ts";
import type { AdminState } from "../pool/health.ts";

/** Who ordered something, when and why. */
export interface Said {
  readonly by: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly reason?: string;
}

/** Whether new sessions may go there. */
export interface StateOrder extends Said {
  readonly state: AdminState;
  /** Of `draining`: when the sessions that are left are ended, milliseconds since the epoch. */
  readonly deadlineMs?: number;
  /** Of `enabled`: what the backend's own side says against it, which counts no more until it says otherwise. */
  readonly overrules?: string;
}

/** Its share beside others, instead of the configured one. */
export interface WeightOrder extends Said {
  readonly weight: number;
}

/** It is in the pool whether the configuration names it or not, and these of its values count. */
export interface Addition extends Said {
  readonly cores?: number;
  readonly weight?: number;
  readonly maxConnections?: number;
}

/** All that is ordered of one backend. */
export interface Override {
  readonly state?: StateOrder;
  readonly weight?: WeightOrder;
  readonly added?: Addition;
  /** It is not in the pool, whatever names it. */
  readonly removed?: Said;
}

/** Orders by the id of the backend. */
export type Overrides = ReadonlyMap<string, Override>;

/** A pool without any. */
export const NO_OVERRIDES: Overrides = new Map();

/**
 * What the backends that a configuration names become: those that remain first, in their order.
 * @param defaults what holds for added ones where the order does not say it.
 */
export function administered<B extends Backend>(
  backends: readonly B[],
  overrides: Overrides,
  defaults: Pick<Backend, "cores" | "weight" | "maxConnections"> = { maxConnections: 0 },
): (B | Backend)[] {
  if (overrides.size === 0) return [...backends];
  const named = new Set(backends.map(({ id }) => id));
  const remaining = backends.flatMap((backend) => {
    const override = overrides.get(backend.id);
    if (override === undefined) return [backend];
    return override.removed === undefined ? [{ ...backend, ...changesBy(override) }] : [];
  });
  const others = [...overrides].flatMap(([id, override]) => {
    if (named.has(id) || override.added === undefined || override.removed !== undefined) return [];
    const address = parseBackendAddress(id);
    if (!address.ok) return [];
    return [{ id, address: address.value, ...defaults, ...changesBy(override) }];
  });
  return [...remaining, ...others];
}

function changesBy({ state, weight: ordered, added }: Override): Partial<Backend> {
  const { cores, maxConnections } = added ?? {};
  const weight = ordered?.weight ?? added?.weight;
  return {
    ...(cores === undefined ? {} : { cores }),
    ...(maxConnections === undefined ? {} : { maxConnections }),
    ...(weight === undefined ? {} : { weight }),
    ...(state === undefined || state.state === "enabled" ? {} : { admin: state.state }),
    ...(state?.overrules === undefined ? {} : { overrules: state.overrules }),
  };
}
