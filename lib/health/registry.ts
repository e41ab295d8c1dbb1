// The health probes, in the order in which messages list them.

import type { Clock } from "../core/timing/clock.ts";
import { banner } from "./banner_probe.ts";
import type { HealthProbe, ProbeSettings } from "./health_probe.ts";
import { tcp } from "./tcp_probe.ts";

/** One line for each. */
export const HEALTH_PROBE_KINDS = [
  tcp,
  banner,
] as const;

/** As `health.probe` names them; with "none" nothing is probed. */
export type HealthProbeName = typeof HEALTH_PROBE_KINDS[number]["name"] | "none";
export const HEALTH_PROBES: readonly HealthProbeName[] = [
  ...HEALTH_PROBE_KINDS.map(({ name }) => name),
  "none",
];

export interface HealthProbeOptions extends ProbeSettings {
  readonly probe: HealthProbeName;
}

/** What `auto` stands for in a pool whose frontends and backends use these ports. */
export function automaticProbe(ports: ReadonlySet<number>): HealthProbeName {
  return HEALTH_PROBE_KINDS.find((kind) => kind.suits?.(ports))?.name ?? "tcp";
}

/** Makes the probe of that name; undefined for `none`. */
export function createHealthProbe(
  options: HealthProbeOptions,
  clock: Clock,
): HealthProbe | undefined {
  return HEALTH_PROBE_KINDS.find(({ name }) => name === options.probe)?.create(options, clock);
}
