// The discovery sources "oio_proxy" and "oio_cluster": services of an OpenIO namespace, as its proxy tells them
// by HTTP and as its command prints them. lbtk's refresh-oio-proxy.py and refresh-oio-cluster.sh asked so.

import { fetchText } from "../asking/fetch_text.ts";
import { CommandRunner } from "../asking/run_command.ts";
import { formatAddress } from "../core/values/address.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { isJsonObject, parsedOrText } from "../core/values/json_object.ts";
import { shownJson } from "../core/values/shown_json.ts";
import { tcpPlace } from "../schema/balancer_values.ts";
import { type DraftMapping, key, needed, section } from "../schema/declarations.ts";
import { quote } from "../schema/quote.ts";
import { duration, HOUR, line, SECOND, text } from "../schema/values.ts";
import {
  type DiscoveredList,
  discoverySourceKind,
  withoutFlag,
  wrongArguments,
} from "./discovery_source.ts";
import { listOf, listOfJson, parseEntry } from "./entries.ts";
import { polled } from "./polled.ts";

const PROXY_PORT = 1234;

/** Namespaces and types of services. */
const oioName = text(
  "a name of OpenIO",
  "letters, digits, . _ -",
  (text) =>
    /^[A-Za-z0-9._-]{1,64}$/.test(text)
      ? success(text)
      : failure(`Cannot use ${quote(text)}: expected up to 64 letters, digits, ".", "_" or "-"`),
);

const common = {
  namespace: needed(oioName, { required: "", example: "OPENIO", doc: "which namespace" }),
  service_type: needed(oioName, { required: "", example: "rawx", doc: "which services of it" }),
  interval: key(duration(SECOND, HOUR), { default: "1s", doc: "how often it is asked" }),
};

const proxySection = section({ doc: "services that oio-proxy tells, with source: oio_proxy" }, {
  ...common,
  proxy: key(tcpPlace(PROXY_PORT), { default: "proxy:1234", doc: "where oio-proxy listens" }),
});

const clusterSection = section({ doc: "what oio-cluster prints, with source: oio_cluster" }, {
  ...common,
  program: key(line("a program", 4095), { default: "oio-cluster", doc: "run with -r NAMESPACE" }),
});

/** Longer than the list of a large namespace. */
const MOST_OUTPUT_BYTES = 4 * 1_048_576;

/** Reads the proxy's answer: an array of objects, each with its `addr`. */
function parseProxyAnswer(text: string): Result<DiscoveredList> {
  const document = parsedOrText(text);
  if (!Array.isArray(document)) {
    return failure(`Cannot use ${shownJson(document)}: expected a list of services`);
  }
  const addresses = document.map((service: unknown) =>
    isJsonObject(service) && "addr" in service ? service.addr : service
  );
  return listOfJson(addresses);
}

/** Reads what oio-cluster prints: the third field of every line that has the type between bars. */
function parseClusterOutput(text: string, serviceType: string): DiscoveredList {
  const lines = text.split("\n").filter((line) => line.includes(`|${serviceType}|`));
  return listOf(lines.map((line) => {
    const address = line.split("|")[2] ?? "";
    return { place: quote(line.trim()), backend: parseEntry(address) };
  }));
}

/** Which services arguments of `refresh` name. */
function servicesOf(args: readonly string[]): Result<DraftMapping> {
  const [namespace, service_type, ...more] = args;
  return namespace === undefined || service_type === undefined || more.length > 0
    ? wrongArguments(args, "a namespace and a type of services, such as OPENIO rawx")
    : success({ namespace, service_type });
}

const PROXY_FLAG = "--proxy";

export const oioProxy = discoverySourceKind("oio_proxy", proxySection, {
  doc: "OpenIO's oio-proxy, by HTTP",
  form: "oio-proxy://HOST[:PORT]/NAMESPACE/TYPE",
  fromText: (text) => {
    const [, rest] = /^oio-proxy:\/\/(.*)$/.exec(text) ?? [];
    if (rest === undefined) return undefined;
    const [proxy = "", namespace = "", ...type] = rest.split("/");
    return { namespace, service_type: type.join("/"), ...(proxy === "" ? {} : { proxy }) };
  },
  usage: `[${PROXY_FLAG} HOST[:PORT]] NAMESPACE TYPE`,
  fromArguments: (args) => {
    const { value, rest } = withoutFlag(args, PROXY_FLAG);
    const services = servicesOf(rest);
    return services.ok && value !== undefined
      ? success({ ...services.value, proxy: value })
      : services;
  },
}, (own, surroundings) => {
  const { namespace, serviceType, proxy } = own;
  const url = new URL(`http://${formatAddress(proxy)}/v2.0/cs/${namespace}/${serviceType}`);
  const ask = async (signal: AbortSignal) => {
    const answer = await fetchText({ url, signal });
    return answer.ok ? parseProxyAnswer(answer.value) : answer;
  };
  return { watch: (signal) => polled(ask, own, surroundings, signal) };
});

export const oioCluster = discoverySourceKind("oio_cluster", clusterSection, {
  doc: "OpenIO's command oio-cluster",
  form: "oio-cluster:NAMESPACE/TYPE",
  fromText: (text) => {
    const [, namespace, service_type] = /^oio-cluster:([^/]*)\/?(.*)$/.exec(text) ?? [];
    return namespace === undefined || service_type === undefined
      ? undefined
      : { namespace, service_type };
  },
  usage: "NAMESPACE TYPE",
  fromArguments: servicesOf,
}, (own, surroundings) => {
  const { namespace, serviceType, program } = own;
  const runner = new CommandRunner(surroundings.clock);
  const ask = async (signal: AbortSignal) => {
    const told = { mostBytes: MOST_OUTPUT_BYTES };
    const printed = await runner.run([program, "-r", namespace], signal, told);
    return printed.ok ? success(parseClusterOutput(printed.value, serviceType)) : printed;
  };
  return { watch: (signal) => polled(ask, own, surroundings, signal) };
});
