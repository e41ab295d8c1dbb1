// Turns a checked draft into the Config: references resolved, missing ports filled in.

import type { Backend } from "../core/pool/backend.ts";
import { type Address, formatAddress } from "../core/values/address.ts";
import { automaticProbe } from "../health/registry.ts";
import { LOAD_SOURCE_KINDS, loadSourceKindOf } from "../load/registry.ts";
import { type DraftMapping, mappingIn, overlaid } from "../schema/declarations.ts";
import type { PartialAddress } from "../schema/balancer_values.ts";
import type { BackendConfig, Config, LoadConfig, PoolConfig } from "./config.ts";
import type { ConfigDraft } from "./document.ts";
import { load as loadSection } from "./load_sections.ts";
import { References } from "./references.ts";

/** A pool as the schema leaves it. */
export type PoolDraft = ConfigDraft["pools"][string];
/** A rule of a frontend's location as the schema leaves it. */
export type LocationDraft = ConfigDraft["frontends"][string]["location"][number];
/** What holds for backends that do not say it themselves. */
type BackendDefaults = PoolDraft["backendDefaults"];
/** A backend as the schema leaves it. */
export type BackendDraft = PoolDraft["backends"][number];

/** A backend's address, or undefined when neither it nor its frontends say the port. */
export function completeAddress(
  partial: PartialAddress,
  defaultPort: number | undefined,
): Address | undefined {
  const { address, hasPort } = partial;
  if (hasPort || address.transport === "unix") return address;
  return defaultPort === undefined ? undefined : { ...address, port: defaultPort };
}

/**
 * Builds the configuration from a draft in which checks.ts has found no fault.
 * @throws {Error} when the draft has a fault after all.
 */
export function buildConfig(draft: ConfigDraft): Config {
  const references = new References(draft);
  return {
    ...draft,
    frontends: Object.entries(draft.frontends).map(([name, frontend]) => ({
      ...frontend,
      name,
      pool: known(references.poolOf(name), `the pool of frontend ${name}`),
      location: frontend.location.map((rule) => ({
        ...rule,
        pool: known(rule.pool, `the pool of a location of frontend ${name}`),
      })),
    })),
    pools: Object.entries(draft.pools).map(([name, pool]) =>
      buildPool(name, pool, references.defaultPortOf(name), references.portsOf(name))
    ),
  };
}

function buildPool(
  name: string,
  pool: PoolDraft,
  port: number | undefined,
  frontendPorts: ReadonlySet<number>,
): PoolConfig {
  const backends = pool.backends.map((backend) => buildBackend(backend, port, pool));
  const { probe, ...health } = pool.health;
  const ports = backends.flatMap(({ address }) =>
    address.transport === "tcp" ? [address.port] : []
  );
  const chosen = probe === "auto" ? automaticProbe(new Set([...frontendPorts, ...ports])) : probe;
  return { ...pool, name, backends, health: { ...health, probe: chosen } };
}

function buildBackend(
  draft: BackendDraft,
  defaultPort: number | undefined,
  pool: PoolDraft,
): BackendConfig {
  const partial = known(draft.address, "a backend's address");
  const address = known(completeAddress(partial, defaultPort), "a backend's port");
  const { loadAddress } = draft;
  const load = loadOf(pool, draft);
  return {
    id: formatAddress(address),
    address,
    ...withDefaults(draft, pool.backendDefaults),
    ...(loadAddress === undefined ? {} : {
      loadAddress: known(completeAddress(loadAddress, loadPortOf(load, address)), "a load address"),
    }),
    ...(draft.load === undefined ? {} : { load }),
  };
}

/** The figures of a backend that says some of them itself. */
export function withDefaults(
  own: Partial<BackendDefaults>,
  defaults: BackendDefaults,
): Pick<Backend, "cores" | "weight" | "maxConnections"> {
  const { cores = defaults.cores, weight = defaults.weight } = own;
  return {
    maxConnections: own.maxConnections ?? defaults.maxConnections,
    ...(cores === undefined ? {} : { cores }),
    ...(weight === 1 ? {} : { weight }),
  };
}

/** What backends that say something themselves came to; checks and the build ask alike. */
const ownLoads = new WeakMap<BackendDraft, LoadConfig>();

/** How a backend is asked for its load: as its pool says, but for what it says itself. */
export function loadOf({ load }: PoolDraft, backend: BackendDraft): LoadConfig {
  const { load: own } = backend;
  if (own === undefined) return load;
  let known = ownLoads.get(backend);
  if (known === undefined) {
    known = overlaid(loadSection, inherited(loadSection.write(load), own), own);
    ownLoads.set(backend, known);
  }
  return known;
}

/** What counts of a pool's load section for a backend that says this. */
function inherited(pool: DraftMapping, own: DraftMapping): DraftMapping {
  const sections = LOAD_SOURCE_KINDS.map(({ name, about }) => {
    const dropped = about.drops?.(mappingIn(own, name)) ?? [];
    const kept = Object.entries(mappingIn(pool, name)).filter(([key]) => !dropped.includes(key));
    return [name, Object.fromEntries(kept)] as const;
  });
  return { ...pool, ...Object.fromEntries(sections) };
}

/** The port of a load address that names none: the load source's, else the backend's, else 22. */
function loadPortOf(load: LoadConfig, backend: Address): number {
  return loadSourceKindOf(load.source)?.portOf(load) ??
    (backend.transport === "tcp" ? backend.port : 22);
}

function known<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`Cannot build the configuration: ${what} is unknown`);
  return value;
}
