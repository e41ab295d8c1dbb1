// Turns a checked draft into the Config: references resolved, missing ports filled in.

import { type Address, formatAddress } from "../core/values/address.ts";
import type { BackendConfig, Config, HealthProbeName, LoadConfig, PoolConfig } from "./config.ts";
import type { PartialAddress } from "./fields.ts";
import { References } from "./references.ts";
import type { Draft } from "./schema.ts";

const SSH_PORT = 22;

/** A pool as the schema leaves it. */
export type PoolDraft = Draft["pools"][string];
/** A rule of a frontend's location as the schema leaves it. */
export type LocationDraft = Draft["frontends"][string]["location"][number];
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
export function buildConfig(draft: Draft): Config {
  const { user, locationDatabase, ...rest } = draft;
  const references = new References(draft);
  return {
    ...rest,
    ...(user === undefined ? {} : { user }),
    ...(locationDatabase === undefined ? {} : { locationDatabase }),
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
  const chosen = probe === "auto" ? probeFor(frontendPorts, backends) : probe;
  return { ...pool, name, backends, health: { ...health, probe: chosen } };
}

/**
 * What `probe: auto` stands for. The kernel completes handshakes for an sshd that hangs, so where ssh is
 * spoken its greeting is waited for. Port 22 tells ssh, on either side: all backends of a pool speak the
 * same protocol.
 */
function probeFor(
  frontendPorts: ReadonlySet<number>,
  backends: readonly BackendConfig[],
): HealthProbeName {
  const isSsh = frontendPorts.has(SSH_PORT) ||
    backends.some(({ address }) => address.transport === "tcp" && address.port === SSH_PORT);
  return isSsh ? "banner" : "tcp";
}

function buildBackend(
  draft: BackendDraft,
  defaultPort: number | undefined,
  pool: PoolDraft,
): BackendConfig {
  const partial = known(draft.address, "a backend's address");
  const address = known(completeAddress(partial, defaultPort), "a backend's port");
  const { loadAddress, cores, weight } = draft;
  const load = loadOf(pool, draft);
  return {
    id: formatAddress(address),
    address,
    maxConnections: draft.maxConnections,
    ...(cores === undefined ? {} : { cores }),
    ...(weight === undefined || weight === 1 ? {} : { weight }),
    ...(loadAddress === undefined ? {} : {
      loadAddress: known(completeAddress(loadAddress, loadPortOf(load, address)), "a load address"),
    }),
    ...(draft.load === undefined ? {} : { load }),
  };
}

/** How a backend is asked for its load: as its pool says, but for what it says itself. */
export function loadOf({ load }: PoolDraft, backend: BackendDraft): LoadConfig {
  const own = backend.load;
  if (own === undefined) return load;
  const { ca, certificate, key, ...nrpe } = load.nrpe;
  const files = {
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(key === undefined ? {} : { key }),
  };
  // Certificates of the pool mean nothing to a backend that is asked without.
  const without = own.nrpe.tls === "off" || own.nrpe.tls === "anonymous";
  return {
    ...load,
    source: own.source ?? load.source,
    nrpe: { ...nrpe, ...(without ? {} : files), ...own.nrpe },
    ssh: {
      ...load.ssh,
      ...own.ssh,
      options: own.ssh.options.length > 0 ? own.ssh.options : load.ssh.options,
    },
    exec: own.exec.command.length > 0 ? own.exec : load.exec,
    agent: { ...load.agent, ...own.agent },
    gmond: { ...load.gmond, ...own.gmond },
    http: {
      ...load.http,
      ...own.http,
      fields: { ...load.http.fields, ...own.http.fields },
      headers: { ...load.http.headers, ...own.http.headers },
    },
  };
}

/** The port of a load address that names none: the load source's, else the backend's, else 22. */
function loadPortOf(load: LoadConfig, backend: Address): number {
  const backendPort = backend.transport === "tcp" ? backend.port : 22;
  if (load.source === "nrpe") return load.nrpe.port;
  if (load.source === "agent") return load.agent.port;
  if (load.source === "ssh") return load.ssh.port ?? backendPort;
  if (load.source === "gmond") return load.gmond.port;
  return backendPort;
}

function known<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`Cannot build the configuration: ${what} is unknown`);
  return value;
}
