// Reads what a gmond knows of its cluster: hosts with the metrics that are wanted, and how old they are.
// Pure.

import { MAX_CORES } from "../core/pool/backend.ts";
import { describeDuration } from "../core/values/duration.ts";
import { type LoadSample, MOST_LOAD } from "../core/pool/load.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { XmlScanner } from "./gmond_xml.ts";
import { oneLine } from "../asking/reason.ts";

/** Ages as Ganglia has them, in seconds. */
interface Ages {
  /** Since the last report. */
  readonly tn: number;
  /** The longest that is usual between two reports. */
  readonly tmax: number;
  /** Forgotten after so long; 0: never. */
  readonly dmax: number;
}

interface Metric extends Ages {
  readonly value: number;
}

/** A host of the cluster. */
export interface GmondHost extends Ages {
  readonly name: string;
  readonly ip: string;
  readonly metrics: ReadonlyMap<string, Metric>;
}

const WANTED: ReadonlySet<string> = new Set([
  "load_one",
  "cpu_num",
  "mem_available",
  "mem_free",
  "mem_cached",
  "mem_buffers",
  "mem_total",
]);

/**
 * What has not been heard for so many times its TMAX says nothing of now. Ganglia's own programs call such a
 * host down (host_alive in its web front-end, UP and DOWN in gmetad's summaries), but it may as well be its
 * gmond, or a collector that has just started: no load, and no verdict about the backend.
 */
const STALE_AFTER = 4;
/** More than any cluster has. */
const MAX_HOSTS = 20_000;
const KIBIBYTE = 1024;

/** Collects hosts while XML comes in. */
export class GmondReader {
  readonly #scanner: XmlScanner;
  readonly #hosts: GmondHost[] = [];
  #metrics: Map<string, Metric> | undefined;
  #isGanglia = false;

  constructor() {
    this.#scanner = new XmlScanner({
      open: (element, attributes) => this.#open(element, attributes),
      close: (element) => {
        if (element === "HOST") this.#metrics = undefined;
      },
    });
  }

  /** Takes more text in. @returns false when it is no XML of a gmond; `end` says why. */
  feed(text: string): boolean {
    return this.#scanner.feed(text) && this.#hosts.length <= MAX_HOSTS;
  }

  /** Every host, once all is there. */
  end(): Result<readonly GmondHost[]> {
    if (this.#hosts.length > MAX_HOSTS) return failure(`it names more than ${MAX_HOSTS} hosts`);
    const whole = this.#scanner.end();
    if (!whole.ok) return whole;
    return this.#isGanglia
      ? success(this.#hosts)
      : failure("Cannot use the XML: expected GANGLIA_XML, as gmond sends it");
  }

  #open(element: string, attributes: ReadonlyMap<string, string>): void {
    if (element === "GANGLIA_XML") this.#isGanglia = true;
    else if (element === "HOST") {
      this.#metrics = new Map();
      this.#hosts.push({
        name: attributes.get("NAME") ?? "",
        ip: attributes.get("IP") ?? "",
        ...agesOf(attributes),
        metrics: this.#metrics,
      });
    } else if (element === "METRIC" && this.#metrics !== undefined) {
      const name = attributes.get("NAME") ?? "";
      const value = numberOf(attributes.get("VAL"));
      if (WANTED.has(name) && value !== undefined) {
        this.#metrics.set(name, { value, ...agesOf(attributes) });
      }
    }
  }
}

function agesOf(attributes: ReadonlyMap<string, string>): Ages {
  const seconds = (key: string) => numberOf(attributes.get(key)) ?? 0;
  return { tn: seconds("TN"), tmax: seconds("TMAX"), dmax: seconds("DMAX") };
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}(\.\d{1,9})?$/.test(text) ? Number(text) : undefined;
}

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
  const cores = fresh(host, "cpu_num");
  const total = fresh(host, "mem_total");
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
  const told = fresh(host, "mem_available");
  if (told !== undefined) return told;
  const free = fresh(host, "mem_free");
  if (free === undefined) return undefined;
  return free + (fresh(host, "mem_cached") ?? 0) + (fresh(host, "mem_buffers") ?? 0);
}

function fresh(host: GmondHost, name: string): number | undefined {
  const metric = host.metrics.get(name);
  return metric === undefined || isStale(metric) ? undefined : metric.value;
}

function isStale({ tn, tmax, dmax }: Ages): boolean {
  return (tmax > 0 && tn > STALE_AFTER * tmax) || (dmax > 0 && tn > dmax);
}

function span(seconds: number): string {
  return describeDuration(seconds * 1000);
}
