// What SRV records make of a service's targets (RFC 2782): which of them are backends, and with which weights.
// Pure.

import { MAX_WEIGHT } from "../core/pool/backend.ts";
import type { DiscoveredBackend } from "./discovery_source.ts";
import type { DnsRecord } from "./dns_message.ts";

type Target = Extract<DnsRecord, { type: "SRV" }>;

/** The smallest weight that is not 0. */
const LEAST_WEIGHT = 0.001;

/** Targets by priority: those of the lowest number are to be used, the others when there is none of them. */
export function byPriority(targets: readonly Target[]): Target[][] {
  const groups = Map.groupBy(targets, ({ priority }) => priority);
  return [...groups].sort(([a], [b]) => a - b).map(([, group]) => group);
}

/**
 * Makes backends of targets that have addresses, in an order that stays. Weights above 256 are brought below by
 * one factor; a target's addresses share its weight; 0 beside others is a very small weight, as the RFC has
 * it; where all are 0, none is said.
 */
export function weighted(
  targets: readonly Target[],
  addresses: ReadonlyMap<string, readonly string[]>,
): DiscoveredBackend[] {
  const highest = Math.max(...targets.map(({ weight }) => weight));
  const factor = Math.min(1, MAX_WEIGHT / Math.max(1, highest));
  const ordered = targets.toSorted((a, b) =>
    a.target < b.target ? -1 : a.target > b.target ? 1 : a.port - b.port
  );
  return ordered.flatMap(({ target, port, weight }) => {
    const hosts = addresses.get(target) ?? [];
    const each = Math.round(1000 * weight * factor / hosts.length) / 1000;
    const figures = highest === 0 ? {} : { weight: Math.max(LEAST_WEIGHT, each) };
    return hosts.map((host) => ({ ...backendAt(host, port), ...figures }));
  });
}

/** A backend at an address; without a port, at the frontend's. */
export function backendAt(host: string, port: number | undefined): DiscoveredBackend {
  return {
    address: {
      address: { transport: "tcp", host, port: port ?? 1 },
      hasPort: port !== undefined,
    },
  };
}
