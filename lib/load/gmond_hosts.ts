// Which of the hosts that a gmond knows is a backend, and what its metrics say of its load. Pure.

import { MAX_CORES } from "../core/pool/backend.ts";
import { describeDuration } from "../core/values/duration.ts";
import { type LoadSample, MOST_LOAD } from "../core/pool/load.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { freshValue, type GmondHost, isStale, STALE_AFTER } from "../asking/gmond.ts";
import { oneLine } from "../asking/reason.ts";

const KIBIBYTE = 1024;

/**
 * Finds a backend among hosts: by one of its names or addresses as NAME or IP, else by the first label
 * of a name if only one host has it. A gmond that knows one host alone speaks of its own.
 * @param wanted what the backend is called, the best first.
 * @param isOwn whether the backend's own gmond was asked.
 */
export function findHost(
  hosts: readonly GmondHost[],
  wanted: readonly string[],
  isOwn: boolean,
): Result<GmondHost> {
  for (const name of wanted) {
    const lower = name.toLowerCase();
    const found = hosts.find((host) =>
      host.name.toLowerCase() === lower || host.ip.toLowerCase() === lower
    );
    if (found !== undefined) return success(found);
  }
  for (const name of wanted) {
    if (!/[A-Za-z]/.test(name) || name.includes(":")) continue;
    const short = firstLabel(name);
    const [found, ...others] = hosts.filter((host) =>
      firstLabel(host.name) === short && (!host.name.includes(".") || !name.includes("."))
    );
    if (found !== undefined && others.length === 0) return success(found);
  }
  const [only] = hosts;
  if (isOwn && only !== undefined && hosts.length === 1) return success(only);
  const names = hosts.slice(0, 5).map(({ name }) => name).join(", ");
  const known = hosts.length === 0
    ? "gmond knows no host"
    : `gmond knows ${hosts.length}: ${oneLine(names, 120)}${hosts.length > 5 ? ", ..." : ""}`;
  return failure(`Cannot find ${wanted.join(" or ")}: ${known}`);
}

function firstLabel(name: string): string {
  return (name.split(".")[0] ?? "").toLowerCase();
}

/**
 * What a host's metrics say of its load.
 * @param answeredMs when gmond answered; the sample was taken as much earlier as load_one is old.
 */
export function sampleOf(host: GmondHost, answeredMs: number): Result<LoadSample> {
  if (isStale(host)) {
    return failure(
      `gmond has not heard of ${oneLine(host.name, 80)} for ${span(host.tn)}, more than ` +
        `${STALE_AFTER} times its ${span(host.tmax)}: no load is taken from it`,
    );
  }
  const load = host.metrics.get("load_one");
  if (load === undefined) {
    return failure(`gmond knows no load_one of ${oneLine(host.name, 80)}: does it collect it?`);
  }
  if (isStale(load)) {
    return failure(`load_one of ${oneLine(host.name, 80)} is ${span(load.tn)} old`);
  }
  if (load.value > MOST_LOAD) {
    return failure(
      `Cannot use ${load.value} as the load_one of ${oneLine(host.name, 80)}: expected up to ` +
        `${MOST_LOAD}`,
    );
  }
  const cores = freshValue(host, "cpu_num");
  const total = freshValue(host, "mem_total");
  const available = memoryAvailable(host);
  return success({
    load1: load.value,
    takenAtMs: answeredMs - load.tn * 1000,
    ...(cores !== undefined && cores >= 1 && cores <= MAX_CORES ? { cores } : {}),
    ...(available === undefined ? {} : { memoryAvailableBytes: available * KIBIBYTE }),
    ...(total === undefined ? {} : { memoryTotalBytes: total * KIBIBYTE }),
  });
}

/** What Ganglia has of MemAvailable: free memory, and what caches and buffers would give back. */
function memoryAvailable(host: GmondHost): number | undefined {
  const told = freshValue(host, "mem_available");
  if (told !== undefined) return told;
  const free = freshValue(host, "mem_free");
  if (free === undefined) return undefined;
  return free + (freshValue(host, "mem_cached") ?? 0) + (freshValue(host, "mem_buffers") ?? 0);
}

function span(seconds: number): string {
  return describeDuration(seconds * 1000);
}
