// Health probes by the name that lb.conf gives them.

import type { Clock } from "../core/timing/clock.ts";
import { BannerProbe } from "./banner_probe.ts";
import type { HealthProbe } from "./health_probe.ts";
import { TcpProbe } from "./tcp_probe.ts";

export interface HealthProbeOptions {
  readonly probe: "tcp" | "banner" | "none";
  /** What the probe `banner` waits for. */
  readonly expect: string;
  /** How long a probe may take. */
  readonly timeoutMs: number;
}

/** Makes the probe of that name; undefined for `none`. */
export function createHealthProbe(
  options: HealthProbeOptions,
  clock: Clock,
): HealthProbe | undefined {
  switch (options.probe) {
    case "tcp":
      return new TcpProbe(clock, options.timeoutMs);
    case "banner":
      return new BannerProbe(clock, options.expect, options.timeoutMs);
    case "none":
      return undefined;
  }
}
