// The discovery source "gmond": the hosts that a gmond or gmetad (Ganglia) has heard of lately, with their cores.

import { askGmond, freshValue, GMOND_PORT, type GmondHost, STALE_AFTER } from "../asking/gmond.ts";
import { oneLine } from "../asking/reason.ts";
import { formatHost } from "../core/values/address.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { partialAddress, tcpPlace } from "../schema/balancer_values.ts";
import { key, needed, section, type ValueOf } from "../schema/declarations.ts";
import { duration, HOUR, line, oneOf, port, SECOND } from "../schema/values.ts";
import {
  type DiscoveredBackend,
  type DiscoveredList,
  type DiscoverySource,
  discoverySourceKind,
  type DiscoverySurroundings,
  withoutFlag,
  wrongArguments,
} from "./discovery_source.ts";
import { figuresWithin, listOf } from "./entries.ts";
import { polled } from "./polled.ts";

const gmondSection = section({ doc: "hosts that Ganglia knows, with source: gmond" }, {
  address: needed(tcpPlace(GMOND_PORT), {
    required: "",
    example: "ganglia:8649",
    doc: "a gmond or gmetad that knows all backends",
  }),
  cluster: key(line("the name of a cluster", 255), {
    unset: "all",
    example: "compute",
    doc: "of several clusters, the one whose hosts are backends",
  }),
  reached_by: key(oneOf(["ip", "name"], "what hosts are reached by"), {
    default: "ip",
    doc: "the address that Ganglia knows, or the name",
  }),
  port: key(port, { unset: "the frontend's", example: "22", doc: "where sessions go on a host" }),
  interval: key(duration(SECOND, HOUR), { default: "15s", doc: "how often it is asked" }),
});

type Own = ValueOf<typeof gmondSection>;

/** TMAX as gmond gives it to hosts, for those that have none. */
const USUAL_TMAX = 20;

/**
 * Remembers hosts for as long as Ganglia calls them alive: 4 times their TMAX after they were last heard. So a
 * gmond that was restarted, and has yet to hear of the others, takes none away.
 */
export class LivingHosts {
  readonly #hosts = new Map<string, { readonly host: GmondHost; readonly untilMs: number }>();

  /** Takes in what was told, and gives all that are alive. */
  take(told: readonly GmondHost[], nowMs: number): GmondHost[] {
    for (const host of told) {
      const { cluster, name, tmax, tn } = host;
      const leftMs = 1000 * (STALE_AFTER * (tmax || USUAL_TMAX) - tn);
      this.#hosts.set(`${cluster}\n${name}`, { host, untilMs: nowMs + leftMs });
    }
    for (const [key, { untilMs }] of this.#hosts) {
      if (untilMs < nowMs) this.#hosts.delete(key);
    }
    return [...this.#hosts.values()].map(({ host }) => host);
  }
}

class GmondDiscovery implements DiscoverySource {
  readonly #living = new LivingHosts();
  readonly #own: Own;
  readonly #surroundings: DiscoverySurroundings;

  constructor(own: Own, surroundings: DiscoverySurroundings) {
    this.#own = own;
    this.#surroundings = surroundings;
  }

  watch(signal: AbortSignal) {
    return polled((signal) => this.#ask(signal), this.#own, this.#surroundings, signal);
  }

  async #ask(signal: AbortSignal): Promise<Result<DiscoveredList>> {
    const { address, cluster } = this.#own;
    const told = await askGmond(address, signal);
    if (!told.ok) return told;
    const hosts = this.#living.take(told.value, this.#surroundings.clock.now())
      .filter((host) => cluster === undefined || host.cluster === cluster)
      .toSorted((a, b) => a.name < b.name ? -1 : 1);
    if (hosts.length === 0 && told.value.length > 0) {
      const known = [...new Set(told.value.map((host) => host.cluster))].slice(0, 5).join(", ");
      const where = cluster === undefined ? "" : ` of cluster ${cluster}`;
      return failure(
        `gmond knows no host${where} that is alive: its clusters are ${oneLine(known)}`,
      );
    }
    return success(listOf(
      hosts.map((host) => ({ place: oneLine(host.name, 80), backend: backendOf(host, this.#own) })),
    ));
  }
}

function backendOf(host: GmondHost, { reachedBy, port }: Own): Result<DiscoveredBackend> {
  const at = port === undefined ? "" : `:${port}`;
  const address = partialAddress.read(`${formatHost(host[reachedBy])}${at}`);
  if (!address.ok) return address;
  const cores = freshValue(host, "cpu_num");
  return success({
    address: address.value,
    ...(cores === undefined ? {} : figuresWithin({ cores })),
  });
}

const CLUSTER_FLAG = "--cluster";

export const gmond = discoverySourceKind("gmond", gmondSection, {
  doc: "Ganglia: hosts that a gmond or gmetad has heard of",
  form: "gmond:HOST[:PORT]",
  fromText: (text) =>
    text.startsWith("gmond:") ? { address: text.slice("gmond:".length) } : undefined,
  usage: `[${CLUSTER_FLAG} NAME] HOST[:PORT]`,
  fromArguments: (args) => {
    const { value: cluster, rest: [address, ...more] } = withoutFlag(args, CLUSTER_FLAG);
    if (address === undefined || more.length > 0) {
      return wrongArguments(args, "where a gmond or gmetad listens, such as ganglia:8649");
    }
    return success({ address, ...(cluster === undefined ? {} : { cluster }) });
  },
}, (own, surroundings) => new GmondDiscovery(own, surroundings));
