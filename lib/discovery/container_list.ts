// Reads the list of containers that an engine gives (Docker Engine API, ContainerList; Podman's is the same).
// Pure.

import { formatHost, isIpv4, isIpv6 } from "../core/values/address.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { jsonObjectOf, parsedOrText } from "../core/values/json_object.ts";
import { shownJson } from "../core/values/shown_json.ts";
import { oneLine } from "../asking/reason.ts";
import type { DiscoveredBackend, DiscoveredList } from "./discovery_source.ts";
import { listOf, parseEntry } from "./entries.ts";

/** What labels of ours begin with: compute-lb.port, .cores, .weight, .max_connections. */
const LABEL = "compute-lb.";
const FIGURES: readonly string[] = ["cores", "weight", "max_connections"];

/** How a container is reached. */
export interface Reach {
  /** The network in which it has its address; absent: the first. */
  readonly network?: string;
  /** Its port, where no label says another; absent: the frontend's. */
  readonly port?: number;
  /** Whether the host's port is taken that leads to it. */
  readonly published: boolean;
}

/** Reads the answer, in the order of the containers' names. */
export function parseContainers(text: string, reach: Reach): Result<DiscoveredList> {
  const document = parsedOrText(text);
  if (!Array.isArray(document)) {
    return failure(`Cannot use ${oneLine(shownJson(document))}: expected a list of containers`);
  }
  const containers = document.map((container: unknown) => ({ container, place: nameOf(container) }))
    .sort((a, b) => a.place < b.place ? -1 : 1);
  return success(
    listOf(containers.map(({ container, place }) => ({
      place: `container ${place}`,
      backend: backendOf(container, reach),
    }))),
  );
}

function nameOf(container: unknown): string {
  const [name] = listIn(container, "Names");
  return oneLine(textIn({ name }, "name").replace(/^\//, "") || textIn(container, "Id"), 80);
}

function backendOf(container: unknown, reach: Reach): Result<DiscoveredBackend> {
  const labels = valueIn(container, "Labels");
  const said = textIn(labels, `${LABEL}port`) || String(reach.port ?? "");
  const place = reach.published
    ? publishedPlace(container, said)
    : addressOf(container, reach.network);
  if (!place.ok) return place;
  const port = reach.published || said === "" ? "" : `:${said}`;
  const figures = FIGURES.flatMap((name) => {
    const figure = textIn(labels, `${LABEL}${name}`);
    return figure === "" ? [] : [`${name}=${figure}`];
  });
  return parseEntry([`${place.value}${port}`, ...figures].join(" "));
}

/** Its address in a network, as it stands before a port. */
function addressOf(container: unknown, network: string | undefined): Result<string> {
  const networks = Object.entries(
    Object(valueIn(valueIn(container, "NetworkSettings"), "Networks")),
  );
  for (const [name, settings] of networks.sort(([a], [b]) => a < b ? -1 : 1)) {
    if (network !== undefined && name !== network) continue;
    const addresses = [textIn(settings, "IPAddress"), textIn(settings, "GlobalIPv6Address")];
    const address = addresses.find((text) => isIpv4(text) || isIpv6(text));
    if (address !== undefined) return success(formatHost(address));
  }
  // It shares the host's network.
  if (textIn(valueIn(container, "HostConfig"), "NetworkMode") === "host") {
    return success("127.0.0.1");
  }
  const names = networks.map(([name]) => name).join(", ");
  const where = network === undefined ? "any network" : `network ${network}`;
  return failure(`it has no address in ${where}: its networks are ${oneLine(names) || "none"}`);
}

/** The host's address and port that lead to its port; to the only one, where none is said. */
function publishedPlace(container: unknown, port: string): Result<string> {
  const all = listIn(container, "Ports").filter((one) =>
    textIn(one, "Type") !== "udp" && typeof valueIn(one, "PublicPort") === "number"
  );
  const leading = all.filter((one) => port === "" || String(valueIn(one, "PrivatePort")) === port);
  const [first] = leading;
  const places = new Set(leading.map((one) => valueIn(one, "PublicPort")));
  if (first === undefined || places.size > 1) {
    const found = [...new Set(all.map((one) => valueIn(one, "PrivatePort")))].join(", ");
    const published = found || "none";
    return failure(
      `Cannot tell its port: expected ${port || "one"}, and it publishes ${published}`,
    );
  }
  const ip = textIn(first, "IP");
  const isEvery = ip === "" || ip === "0.0.0.0" || ip === "::";
  return success(`${isEvery ? "127.0.0.1" : formatHost(ip)}:${valueIn(first, "PublicPort")}`);
}

function valueIn(object: unknown, name: string): unknown {
  return jsonObjectOf(object)[name];
}

function textIn(object: unknown, name: string): string {
  const value = valueIn(object, name);
  return typeof value === "string" ? value : "";
}

function listIn(object: unknown, name: string): readonly unknown[] {
  const value = valueIn(object, name);
  return Array.isArray(value) ? value : [];
}
