// The discovery sources, in the order in which messages list them.

import { oneLine } from "../asking/reason.ts";
import { chosen, type ValueOf } from "../schema/declarations.ts";
import { absolutePath } from "../schema/values.ts";
import type { DiscoverySource, DiscoverySurroundings } from "./discovery_source.ts";
import { consul } from "./consul.ts";
import { containers } from "./containers.ts";
import { dns } from "./dns.ts";
import { etcd } from "./etcd.ts";
import { exec } from "./exec.ts";
import { file } from "./file.ts";
import { http } from "./http.ts";
import { redis } from "./redis.ts";
import { gmond } from "./gmond.ts";
import { oioCluster, oioProxy } from "./oio.ts";
import { staticList } from "./static.ts";
import { zk } from "./zookeeper.ts";

/** One line for each. */
export const DISCOVERY_SOURCE_KINDS = [
  staticList,
  file,
  exec,
  http,
  dns,
  redis,
  etcd,
  zk,
  consul,
  gmond,
  containers,
  oioProxy,
  oioCluster,
] as const;

type Kind = typeof DISCOVERY_SOURCE_KINDS[number];

/** As `source` names them, and `refresh`. */
type DiscoverySourceName = Kind["name"];

/** One discovery source, as lb.conf has it: a text, or a mapping with `source`. */
export const discoverySource = chosen(
  { doc: "who names the backends", accepts: DISCOVERY_SOURCE_KINDS.map(formOf).join(" | ") },
  "source",
  "discovery source",
  DISCOVERY_SOURCE_KINDS,
);

/** A discovery source as it is configured: its name, and what its section says. */
export type DiscoverySourceConfig = ValueOf<typeof discoverySource>;

/** The kind of that name. */
function discoverySourceKindOf(name: DiscoverySourceName): Kind | undefined {
  return DISCOVERY_SOURCE_KINDS.find((kind) => kind.name === name);
}

/** Makes the discovery source that is configured. */
export function createDiscoverySource(
  { name, own }: DiscoverySourceConfig,
  surroundings: DiscoverySurroundings,
): DiscoverySource {
  const kind = discoverySourceKindOf(name);
  if (kind === undefined) throw new Error(`Unknown discovery source "${name}"`);
  // The section of that name has read it.
  return kind.create(own as never, surroundings);
}

/** What people call a discovery source: its name, and what its first key says unless that may be a secret. */
export function nameOfSource(config: DiscoverySourceConfig): string {
  const { name } = config;
  const section = discoverySourceKindOf(name)?.section;
  const [key, value] = Object.entries(discoverySource.write(config) ?? {})
    .find(([key]) => key !== "source") ?? [];
  const isUntold = section?.below[key ?? ""]?.about.isUntold === true;
  // Secret are arguments of a program, not its path; in a URL what stands behind "?".
  const said = Array.isArray(value)
    ? isUntold ? String(value[0] ?? "") : value.join(",")
    : isUntold
    ? ""
    : String(value ?? "").split("?")[0] ?? "";
  return said === "" ? name : `${name} ${oneLine(said, 60)}`;
}

/** The files that a discovery source names, each with its key. */
export function filesOfSource(config: DiscoverySourceConfig): (readonly [string, string])[] {
  const below = discoverySourceKindOf(config.name)?.section.below ?? {};
  return Object.entries(discoverySource.write(config) ?? {}).flatMap(([key, value]) =>
    below[key]?.value === absolutePath && typeof value === "string" ? [[key, value] as const] : []
  );
}

function formOf({ about }: Kind): string {
  return about.form;
}
