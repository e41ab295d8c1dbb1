// The configuration of one pool, for tests of what keeps pools.

import type { PoolConfig } from "../../lib/config/config.ts";
import { readConfig } from "../../lib/config/read_config.ts";

/** What lb.conf would make of a pool with these keys, all others at their defaults. */
export function poolConfig(keys: Readonly<Record<string, unknown>>): PoolConfig {
  const text = JSON.stringify({ frontends: { f: { listen: ":22" } }, pools: { p: keys } });
  const read = readConfig({ file: { path: "lb.conf", text } });
  const [config] = read.ok ? read.config.pools : [];
  if (config === undefined) throw new Error(read.ok ? "no pool" : read.errors[0]?.message);
  return config;
}
