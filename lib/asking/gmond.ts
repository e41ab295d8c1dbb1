// Asks a gmond, or a gmetad, what it knows: hosts with the metrics that are wanted, and how old they are. It
// sends all of it as XML to whoever connects.

import { closeQuietly } from "../core/serving/accept_loop.ts";
import { closeOnAbort } from "../core/serving/close_on_abort.ts";
import { formatAddress, type TcpAddress } from "../core/values/address.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { XmlScanner } from "./gmond_xml.ts";
import { abortReason, connectReason } from "./reason.ts";

export const GMOND_PORT = 8649;

/** 16 MiB: more than ten thousand hosts. */
const MOST_BYTES = 16 * 1_048_576;
const PIECE_BYTES = 65_536;

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
  /** The name of its cluster. */
  readonly cluster: string;
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
export const STALE_AFTER = 4;
/** More than any cluster has. */
const MAX_HOSTS = 20_000;

/** Collects hosts while XML comes in. */
export class GmondReader {
  readonly #scanner: XmlScanner;
  readonly #hosts: GmondHost[] = [];
  #metrics: Map<string, Metric> | undefined;
  #isGanglia = false;
  #cluster = "";

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
    else if (element === "CLUSTER") this.#cluster = attributes.get("NAME") ?? "";
    else if (element === "HOST") {
      this.#metrics = new Map();
      this.#hosts.push({
        name: attributes.get("NAME") ?? "",
        ip: attributes.get("IP") ?? "",
        cluster: this.#cluster,
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

/** Connects and reads to the end. Never rejects. */
export async function askGmond(
  place: TcpAddress,
  signal: AbortSignal,
): Promise<Result<readonly GmondHost[]>> {
  const text = formatAddress(place);
  let connection: Deno.TcpConn;
  try {
    connection = await Deno.connect({ hostname: place.host, port: place.port, signal });
  } catch (error) {
    return failure(signal.aborted ? abortReason(signal) : connectReason(error, text));
  }
  using _interrupt = closeOnAbort(signal, connection);
  try {
    if (signal.aborted) return failure(abortReason(signal));
    const hosts = await readHosts(connection);
    return hosts.ok ? hosts : failure(`${hosts.message} (${text})`);
  } catch (error) {
    return failure(signal.aborted ? abortReason(signal) : connectReason(error, text));
  } finally {
    closeQuietly(connection);
  }
}

/** A metric of a host, unless it is too old. */
export function freshValue(host: GmondHost, name: string): number | undefined {
  const metric = host.metrics.get(name);
  return metric === undefined || isStale(metric) ? undefined : metric.value;
}

/** Whether something has not been heard of for so long that it says nothing of now. */
export function isStale({ tn, tmax, dmax }: Ages): boolean {
  return (tmax > 0 && tn > STALE_AFTER * tmax) || (dmax > 0 && tn > dmax);
}

async function readHosts(connection: Deno.TcpConn): Promise<Result<readonly GmondHost[]>> {
  const reader = new GmondReader();
  // As gmond declares it; and every byte is a character then.
  const decoder = new TextDecoder("iso-8859-1");
  const buffer = new Uint8Array(PIECE_BYTES);
  for (let bytes = 0;;) {
    const count = await connection.read(buffer);
    if (count === null) break;
    bytes += count;
    if (bytes > MOST_BYTES) return failure(`gmond sends more than ${MOST_BYTES} bytes`);
    if (!reader.feed(decoder.decode(buffer.subarray(0, count)))) break;
  }
  return reader.end();
}
