// The configuration as the program uses it: every default filled in, every text parsed. What each key means is
// said where it is declared (document.ts, pool_section.ts and what they name).

import type { Backend } from "../core/pool/backend.ts";
import type { HealthProbeName } from "../health/registry.ts";
import type { ConfigDraft } from "./document.ts";

export * from "./names.ts";
export { HEALTH_PROBES, type HealthProbeName } from "../health/registry.ts";
export { LOAD_SOURCES, type LoadSourceName } from "../load/registry.ts";

type FrontendDraft = ConfigDraft["frontends"][string];
type LocationDraft = FrontendDraft["location"][number];
export type { DiscoverySourceConfig } from "../discovery/registry.ts";

type PoolDraft = ConfigDraft["pools"][string];

export interface Config extends Omit<ConfigDraft, "frontends" | "pools"> {
  readonly frontends: readonly FrontendConfig[];
  readonly pools: readonly PoolConfig[];
}

export type LogConfig = ConfigDraft["log"];
export type EngineConfig = ConfigDraft["engine"];

export interface FrontendConfig extends Omit<FrontendDraft, "location" | "pool"> {
  readonly name: string;
  readonly pool: string;
  /** Where clients go instead by where they come from: the first rule that holds counts. */
  readonly location: readonly LocationConfig[];
}

/** Clients of these networks and countries, and the pool that they go to. */
export interface LocationConfig extends Omit<LocationDraft, "pool"> {
  readonly pool: string;
}

export interface PoolConfig extends Omit<PoolDraft, "backends" | "health"> {
  readonly name: string;
  /** Every address has its port: written, or taken from the frontend. */
  readonly backends: readonly BackendConfig[];
  readonly health: HealthConfig;
}

export interface HealthConfig extends Omit<PoolDraft["health"], "probe"> {
  readonly probe: HealthProbeName;
}

export interface BackendConfig extends Backend {
  /** How this one is asked for its load, where that differs from its pool: all of it. */
  readonly load?: LoadConfig;
}

/** Who names the backend of each client; without a primary one, a strategy does. */
export type FeedConfig = PoolDraft["feed"];

/** Whether the clients of a pool go by tokens. */
export function isFed({ feed }: { readonly feed?: FeedConfig }): boolean {
  return feed !== undefined && feed.primary.length > 0;
}

export type LoadConfig = PoolDraft["load"];
export type MemoryConfig = PoolDraft["memory"];
export type PressureConfig = PoolDraft["pressure"];
