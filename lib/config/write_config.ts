// A configuration as the text of an lb.conf that says all of it: what the declarations make of it.

import type { DraftMapping } from "../schema/declarations.ts";
import type { BackendConfig, Config, PoolConfig } from "./config.ts";
import { type ConfigDraft, document } from "./document.ts";
import { load } from "./load_sections.ts";
import { backendSection } from "./pool_section.ts";
import { stringifyYaml } from "./yaml.ts";

/** Writes a configuration as YAML with every key; read back, it is the same configuration. */
export function formatConfig(config: Config): string {
  return stringifyYaml(draftConfig(config));
}

/** Every key of a configuration as {@linkcode formatConfig} writes it. */
export function draftConfig(config: Config): DraftMapping {
  const { frontends, pools } = config;
  return document.write({
    ...config,
    frontends: Object.fromEntries(frontends.map((frontend) => [frontend.name, frontend])),
    pools: Object.fromEntries(
      pools.map((
        pool,
      ) => [pool.name, { ...pool, backends: pool.backends.map((one) => draftOf(one, pool)) }]),
    ),
  });
}

/** Every key of a pool's backend that its pool's defaults do not say. */
export function draftBackend(backend: BackendConfig, pool: PoolConfig): DraftMapping {
  return backendSection.write(draftOf(backend, pool));
}

/** A backend as it would be read. */
function draftOf(
  { address, maxConnections, cores, weight = 1, loadAddress, load: own }: BackendConfig,
  { backendDefaults: defaults }: PoolConfig,
): ConfigDraft["pools"][string]["backends"][number] {
  return {
    address: { address, hasPort: true },
    ...(maxConnections === defaults.maxConnections ? {} : { maxConnections }),
    ...(cores === undefined || cores === defaults.cores ? {} : { cores }),
    ...(weight === defaults.weight ? {} : { weight }),
    ...(loadAddress === undefined ? {} : { loadAddress: { address: loadAddress, hasPort: true } }),
    ...(own === undefined ? {} : { load: withoutTimes(load.write(own)) }),
  };
}

/** Only pools say when backends are asked. */
function withoutTimes(
  { interval: _interval, timeout: _timeout, max_age: _maxAge, ...rest }: DraftMapping,
): DraftMapping {
  return rest;
}
