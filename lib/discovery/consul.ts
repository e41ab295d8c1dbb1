// The discovery source "consul": the instances of a service whose checks pass, by Consul's HTTP API
// (developer.hashicorp.com/consul/api-docs, "health" and "blocking queries"). A question waits at the server until
// the answer is another than that of the index that it names.

import type { Request } from "../asking/fetch_text.ts";
import { oneLine } from "../asking/reason.ts";
import { readSecret } from "../asking/secret_file.ts";
import { formatHost } from "../core/values/address.ts";
import { jsonObjectOf } from "../core/values/json_object.ts";
import { success } from "../core/values/result.ts";
import { shownJson } from "../core/values/shown_json.ts";
import { item, key, list, needed, section, type ValueOf } from "../schema/declarations.ts";
import { absolutePath, line } from "../schema/values.ts";
import {
  type DiscoveredList,
  discoverySourceKind,
  type DiscoverySurroundings,
  wrongArguments,
} from "./discovery_source.ts";
import { figuresWithin, listOf, parseEntry, parseJson } from "./entries.ts";
import {
  ANSWER_MS,
  askServer,
  clientOf,
  httpServer,
  ServersInTurn,
  SETTLE_MS,
  splitServers,
  TLS_KEYS,
  valueOrThrow,
} from "./servers.ts";

const CONSUL_PORT = 8500;
const CONSUL_TLS_PORT = 8501;
/** How long a question may wait. */
const WAIT_SECONDS = 8;
/** When it should be answered: Consul adds up to a sixteenth. */
const WAITED_MS = 14_000;
/** 10,000 instances with 1.5 KiB each. */
const MOST_BYTES = 16 * 1_048_576;

const consulSection = section({ doc: "instances of a service, with source: consul" }, {
  service: needed(line("a service", 255), {
    required: "",
    example: "ssh",
    doc: "instances whose checks pass are backends; meta: cores and max_connections",
  }),
  servers: list({
    unset: "localhost:8500",
    example: "[localhost]",
    doc: "host[:8500] or https://host[:8501]; asked in turn",
  }, item(httpServer(CONSUL_PORT, CONSUL_TLS_PORT))),
  tags: list(
    { unset: "any", doc: "tags that an instance must have, all of them" },
    item(line("a tag", 255)),
  ),
  datacenter: key(line("a datacenter", 255), {
    unset: "the server's",
    example: "dc1",
    doc: "where the service is",
  }),
  token_file: key(absolutePath, {
    unset: "none",
    example: "/etc/compute-lb/consul-token",
    doc: "the file whose first line is an ACL token",
  }),
  ...TLS_KEYS,
});

type Options = ValueOf<typeof consulSection>;

class ConsulSource extends ServersInTurn<string> {
  constructor(readonly options: Options, readonly surroundings: DiscoverySurroundings) {
    const { servers } = options;
    super(servers.length > 0 ? servers : [`http://localhost:${CONSUL_PORT}`]);
  }

  protected override async *watchOne(
    server: string,
    signal: AbortSignal,
  ): AsyncGenerator<DiscoveredList> {
    const { tokenFile } = this.options;
    const { clock, random } = this.surroundings;
    // Files are read anew with each beginning: whoever renews them need not restart us.
    const token = tokenFile === undefined ? success("") : await readSecret(tokenFile, "token");
    const headers = valueOrThrow(token) === "" ? {} : { "x-consul-token": valueOrThrow(token) };
    using client = await clientOf(server, this.options);
    const request = { client, headers, signal, mostBytes: MOST_BYTES };
    // Index 0 does not wait.
    for (let index = 0;;) {
      const url = this.#urlAt(server, index);
      const ms = index === 0 ? ANSWER_MS : WAITED_MS;
      const answer = await askServer({ ...request, url } satisfies Request, clock, ms);
      const list = readInstances(answer.text);
      // Whoever may not read is told that there is nothing.
      if (list.backends.length === 0 && isFiltered(answer.headers)) {
        throw new Error(`the token may not read the service and its nodes (${url.host})`);
      }
      yield list;
      index = nextIndex(index, answer.headers.get("x-consul-index"), url.host);
      // Consul asks for a limit on how often; and not all balancers are to ask at the same instant.
      await clock.sleep(SETTLE_MS * (0.5 + random()), signal);
    }
  }

  #urlAt(server: string, index: number): URL {
    const { service, datacenter, tags } = this.options;
    const url = new URL(`/v1/health/service/${encodeURIComponent(service)}`, server);
    url.searchParams.set("passing", "true");
    if (datacenter !== undefined) url.searchParams.set("dc", datacenter);
    for (const tag of tags) url.searchParams.append("tag", tag);
    if (index > 0) {
      url.searchParams.set("index", String(index));
      url.searchParams.set("wait", `${WAIT_SECONDS}s`);
    }
    return url;
  }
}

function isFiltered(headers: Headers): boolean {
  return headers.get("x-consul-results-filtered-by-acls") === "true";
}

/** One that goes backwards begins anew, as after a restore; 0 would never wait. */
function nextIndex(index: number, text: string | null, host: string): number {
  if (text === null || !/^\d{1,15}$/.test(text)) {
    throw new Error(`Consul has answered without an index (${host})`);
  }
  const next = Math.max(1, Number(text));
  return next < index ? 0 : next;
}

function readInstances(text: string): DiscoveredList {
  const answer = valueOrThrow(parseJson(text));
  if (!Array.isArray(answer)) {
    throw new Error(`Cannot use ${oneLine(shownJson(answer), 60)}: expected a list of instances`);
  }
  return listOf(answer.map((instance, at) => {
    const { Service, Node } = jsonObjectOf(instance);
    const service = jsonObjectOf(Service);
    const host = [service.Address, jsonObjectOf(Node).Address]
      .find((address) => typeof address === "string" && address !== "");
    const place = `instance ${oneLine(String(service.ID ?? at + 1), 80)}`;
    const port = typeof service.Port === "number" && service.Port > 0 ? `:${service.Port}` : "";
    // What is no address is told as such.
    const backend = parseEntry(`${formatHost(String(host ?? ""))}${port}`);
    if (!backend.ok) return { place, backend };
    const { cores, max_connections } = jsonObjectOf(service.Meta);
    const figures = figuresWithin({
      ...figure("cores", cores),
      ...figure("weight", jsonObjectOf(service.Weights).Passing),
      ...figure("maxConnections", max_connections),
    });
    return { place, backend: success({ address: backend.value.address, ...figures }) };
  }));
}

/** A number, which meta has as a text. */
function figure<const Name extends string>(name: Name, value: unknown): { [K in Name]?: number };
function figure(name: string, value: unknown): Readonly<Record<string, number>> {
  const isNumber = typeof value === "number" ||
    typeof value === "string" && /^\d{1,9}(\.\d{1,3})?$/.test(value);
  return isNumber ? { [name]: Number(value) } : {};
}

export const consul = discoverySourceKind("consul", consulSection, {
  doc: "instances of a service in Consul whose checks pass, watched",
  form: "consul://[HOST[:PORT]][,HOST...]/SERVICE (consuls:// by TLS)",
  fromText: (text) => {
    const split = splitServers(text, ["consul", "consuls"]);
    if (split === undefined) return undefined;
    const { scheme, hosts, path } = split;
    const named = hosts.map((host) => host === "" ? "localhost" : host);
    const service = path?.slice(1) ?? "";
    return {
      servers: scheme === "consuls" ? named.map((host) => `https://${host}`) : named,
      ...(service === "" ? {} : { service }),
    };
  },
  usage: "SERVER[,SERVER...] SERVICE",
  fromArguments: (args) => {
    const [servers, service, ...more] = args;
    return servers === undefined || service === undefined || more.length > 0
      ? wrongArguments(args, "servers and a service, such as localhost:8500 ssh")
      : success({ servers: servers.split(","), service });
  },
}, (own, surroundings) => new ConsulSource(own, surroundings));
