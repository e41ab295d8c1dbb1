// The discovery source "containers": containers with certain labels, as an engine (Docker, Podman) tells by the
// HTTP API on its unix socket. Its events say when to ask again; it is asked at intervals, too.

import { fetchText } from "../asking/fetch_text.ts";
import { oneLine } from "../asking/reason.ts";
import { describeDuration } from "../core/values/duration.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { item, key, list, section, type ValueOf } from "../schema/declarations.ts";
import { absolutePath, boolean, duration, HOUR, line, port, SECOND } from "../schema/values.ts";
import {
  type DiscoveredList,
  type DiscoverySource,
  discoverySourceKind,
  type DiscoverySurroundings,
  withoutFlag,
  wrongArguments,
} from "./discovery_source.ts";
import { parseContainers } from "./container_list.ts";
import { type Polled, polled } from "./polled.ts";
import { SETTLE_MS } from "./servers.ts";

const containersSection = section({ doc: "containers with labels, with source: containers" }, {
  labels: list(
    {
      required: "",
      example: "[compute-lb.pool=compute]",
      doc: "KEY or KEY=VALUE; a container must have all of them",
    },
    item(line("a label", 1024)),
    { oneAsItem: true },
  ),
  socket: key(absolutePath, {
    default: "/var/run/docker.sock",
    doc: "of the engine's API; podman's is /run/podman/podman.sock",
  }),
  network: key(line("the name of a network", 255), {
    unset: "any",
    example: "compute",
    doc: "the network in which a container's address is taken",
  }),
  port: key(port, {
    unset: "the frontend's",
    example: "22",
    doc: "the container's port, unless its label compute-lb.port says another",
  }),
  published: key(boolean, {
    default: "false",
    doc: "whether to take the host's port that leads to the container's, in place of its address",
  }),
  interval: key(duration(SECOND, HOUR), {
    default: "30s",
    doc: "how often the engine is asked, also without an event",
  }),
});

type Own = ValueOf<typeof containersSection>;

/** More than the list of a large host. */
const MOST_BYTES = 16 * 1_048_576;
/** After an end of the events. */
const PAUSE_MS = 1000;
/** Events of a running container that change nothing here. */
const IDLE_EVENT = /"Action":"(?:exec_|health_status|attach|detach|resize|top|commit|copy|export)/;
/** Longer than an event with its labels. */
const MOST_EVENT_CHARACTERS = 262_144;

class ContainersSource implements DiscoverySource {
  readonly #own: Own;
  readonly #surroundings: DiscoverySurroundings;
  #hasSaid = false;

  constructor(own: Own, surroundings: DiscoverySurroundings) {
    this.#own = own;
    this.#surroundings = surroundings;
  }

  async *watch(signal: AbortSignal): AsyncGenerator<DiscoveredList> {
    const proxy = { transport: "unix", path: this.#own.socket } as const;
    // A connection that was kept would be that of an engine that has left.
    using client = Deno.createHttpClient({ proxy, poolMaxIdlePerHost: 0 });
    const ask = (signal: AbortSignal) => this.#ask(client, signal);
    yield* polled(ask, this.#own, this.#surroundings, signal);
  }

  async #ask(client: Deno.HttpClient, signal: AbortSignal): Promise<Result<Polled>> {
    const { socket, labels } = this.#own;
    const askedMs = this.#surroundings.clock.wall();
    const url = engineUrl("/containers/json", { label: labels, status: ["running"] });
    const answer = await fetchText({ url, client, signal, mostBytes: MOST_BYTES });
    const list = answer.ok ? parseContainers(answer.value, this.#own) : answer;
    if (!list.ok) return failure(`${socket}: ${list.message}`);
    return success({
      ...list.value,
      changed: (signal) => this.#changed(client, askedMs, signal),
    });
  }

  /** Waits until a container with our labels has started or ended since then. */
  async #changed(client: Deno.HttpClient, sinceMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#surroundings;
    const filters = { type: ["container"], label: this.#own.labels };
    const url = engineUrl("/events", filters, (sinceMs / 1000).toFixed(3));
    try {
      const response = await fetch(url, { client, signal });
      if (response.status !== 200) {
        await response.body?.cancel();
        this.#sayOnce(`HTTP ${response.status} ${oneLine(response.statusText, 60)}`);
        await clock.sleep(this.#own.intervalMs, signal);
        return;
      }
      const isEvent = response.body !== null && await hasEvent(response.body);
      await clock.sleep(isEvent ? SETTLE_MS : PAUSE_MS, signal);
    } catch {
      // The engine has gone, which asking it will tell; or the time is over.
      await clock.sleep(PAUSE_MS, signal).catch(() => {});
    }
  }

  #sayOnce(reason: string): void {
    if (this.#hasSaid) return;
    this.#hasSaid = true;
    const { socket, intervalMs } = this.#own;
    const period = describeDuration(intervalMs);
    this.#surroundings.say(
      "warning",
      `${socket} tells of no events (${reason}): it is asked every ${period} alone`,
    );
  }
}

/** A request to the engine. Filters are JSON (Docker Engine API, ContainerList, SystemEvents). */
function engineUrl(
  path: string,
  filters: Readonly<Record<string, readonly string[]>>,
  since?: string,
): URL {
  const url = new URL(path, "http://localhost");
  url.searchParams.set("filters", JSON.stringify(filters));
  if (since !== undefined) url.searchParams.set("since", since);
  return url;
}

/** Reads events until one may have changed the list; false: there are no more. */
async function hasEvent(body: ReadableStream<Uint8Array>): Promise<boolean> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of body) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (lines.some((line) => line.trim() !== "" && !IDLE_EVENT.test(line))) return true;
    if (rest.length > MOST_EVENT_CHARACTERS) return true;
  }
  return false;
}

const SOCKET_FLAG = "--socket";

export const containers = discoverySourceKind("containers", containersSection, {
  doc: "a container engine: containers by their labels",
  form: "containers:LABEL[=VALUE]",
  fromText: (text) =>
    text.startsWith("containers:") ? { labels: [text.slice("containers:".length)] } : undefined,
  usage: `[${SOCKET_FLAG} PATH] LABEL[=VALUE]...`,
  fromArguments: (args) => {
    const { value: socket, rest: labels } = withoutFlag(args, SOCKET_FLAG);
    return labels.length > 0
      ? success({ labels, ...(socket === undefined ? {} : { socket }) })
      : wrongArguments(args, "labels, such as compute-lb.pool=compute");
  },
}, (own, surroundings) => new ContainersSource(own, surroundings));
