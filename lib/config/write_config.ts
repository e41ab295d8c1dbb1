// A configuration as the text of an lb.conf that says all of it: what the declarations make of it.

import type { DraftMapping } from "../schema/declarations.ts";
import type { BackendConfig, Config } from "./config.ts";
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
      pools.map((pool) => [pool.name, { ...pool, backends: pool.backends.map(undone) }]),
    ),
  });
}

/** Every key that is set of a backend. */
export function draftBackend(backend: BackendConfig): DraftMapping {
  return backendSection.write(undone(backend));
}

/** A backend as it would be read. */
function undone(
  { address, maxConnections, cores, weight, loadAddress, load: own }: BackendConfig,
): ConfigDraft["pools"][string]["backends"][number] {
  return {
    address: { address, hasPort: true },
    maxConnections,
    ...(cores === undefined ? {} : { cores }),
    ...(weight === undefined ? {} : { weight }),
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
