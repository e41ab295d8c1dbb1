// The discovery source "dns": the addresses of a name (A, AAAA), or what a service's records (SRV, RFC 2782)
// name with ports and weights. A name is asked for again when its answer has lived as long as it may.

import { oneLine } from "../asking/reason.ts";
import { isIpv4, isIpv6, type TcpAddress } from "../core/values/address.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { tcpPlace } from "../schema/balancer_values.ts";
import { item, key, list, needed, section, type ValueOf } from "../schema/declarations.ts";
import { quote } from "../schema/quote.ts";
import { duration, HOUR, oneOf, port, SECOND, text, type Value } from "../schema/values.ts";
import {
  type DiscoveredList,
  type DiscoverySource,
  discoverySourceKind,
  type DiscoverySurroundings,
  withoutFlag,
  wrongArguments,
} from "./discovery_source.ts";
import { backendAt, byPriority, weighted } from "./dns_service.ts";
import { type Found, lookUp, shortest } from "./dns_client.ts";
import type { DnsRecord, QuestionType } from "./dns_message.ts";
import { type Polled, polled } from "./polled.ts";
import { candidates, DNS_PORT, parseResolvConf } from "./resolv_conf.ts";

/** Names as hosts and services have them. */
const dnsName = text("a name in the DNS", "host name or _service._tcp.domain", (text) => {
  const labels = text.replace(/\.$/, "").split(".");
  const isName = text.length <= 253 && !/^[\d.]+$/.test(text) &&
    labels.every((label) => /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label));
  return isName ? success(text) : failure(
    `Cannot ask for ${quote(text)}: expected a name such as hosts.example or _ssh._tcp.example`,
  );
});

const place = tcpPlace(DNS_PORT);
const nameServer: Value<TcpAddress> = {
  ...place,
  read: (text) => {
    const read = place.read(text);
    return !read.ok || isIpv4(read.value.host) || isIpv6(read.value.host) ? read : failure(
      `Cannot use ${quote(text)} as a name server: expected its IP address`,
    );
  },
  what: 'a name server "IP[:port]"',
  accepts: "IP[:port], or a list",
};

const dnsSection = section({ doc: "addresses of a name, with source: dns" }, {
  name: needed(dnsName, {
    required: "",
    example: "_ssh._tcp.example.org",
    doc: "A and AAAA records; of a name _service._protocol.domain SRV records",
  }),
  port: key(port, {
    unset: "the frontend's",
    example: "22",
    doc: "where no SRV record says it",
  }),
  family: key(oneOf(["both", "ipv4", "ipv6"], "a family of addresses"), {
    default: "both",
    doc: "a host that has both is two backends, unless one family is chosen",
  }),
  server: list(
    {
      unset: "those of /etc/resolv.conf",
      example: "[192.0.2.53, 192.0.2.54]",
      doc: "name servers, asked in this order",
    },
    item(nameServer),
    { oneAsItem: true },
  ),
  interval: key(duration(SECOND, HOUR), {
    default: "30s",
    doc: "asked again no later, and else when the answer's TTL is over",
  }),
});

type Own = ValueOf<typeof dnsSection>;

const RESOLV_CONF = "/etc/resolv.conf";
/** Targets of one service, and how many are looked up at a time. */
const MOST_TARGETS = 4096;
const AT_ONCE = 16;
/** All look-ups of one round. */
const ROUND_MS = 20_000;

interface Answer {
  readonly list: DiscoveredList;
  /** How long it holds, as far as anybody says. */
  readonly ttlSeconds: number | undefined;
}

/** The addresses of names, by families. */
type Families = Map<string, Partial<Record<QuestionType, readonly string[]>>>;

/** What asking costs and gives: one round's way to the name servers. */
type Look = (name: string, type: QuestionType) => Promise<Result<Found>>;

class DnsSource implements DiscoverySource {
  readonly #own: Own;
  readonly #surroundings: DiscoverySurroundings;
  /** The last addresses of each target, for when its look-up fails. */
  #addresses: ReadonlyMap<string, readonly string[]> = new Map();
  /** What each name had of each family in the last round: of one that is not told now it goes on to count. */
  #families: Families = new Map();
  /** The same of the round under way. */
  #found: Families = new Map();

  constructor(own: Own, surroundings: DiscoverySurroundings) {
    this.#own = own;
    this.#surroundings = surroundings;
  }

  watch(signal: AbortSignal): AsyncIterable<DiscoveredList> {
    const times = { intervalMs: this.#own.intervalMs, timeoutMs: ROUND_MS };
    return polled((signal) => this.#ask(signal), times, this.#surroundings, signal);
  }

  async #ask(signal: AbortSignal): Promise<Result<Polled>> {
    const { name, server, intervalMs } = this.#own;
    const conf = parseResolvConf(await Deno.readTextFile(RESOLV_CONF).catch(() => ""));
    const servers = server.length > 0 ? server : conf.servers;
    const look: Look = (name, type) =>
      lookUp({ name, type }, servers, this.#surroundings.clock, signal);
    this.#found = new Map();
    let answer: Answer = { list: { backends: [], skipped: [] }, ttlSeconds: undefined };
    for (const whole of candidates(name, conf)) {
      const asked = await (isService(name) ? this.#service(whole, look) : this.#host(whole, look));
      if (!asked.ok) return asked;
      answer = asked.value;
      if (answer.list.backends.length > 0 || answer.list.isMeant === true) break;
    }
    this.#families = this.#found;
    const ttlMs = (answer.ttlSeconds ?? Infinity) * 1000;
    return success({ ...answer.list, againMs: Math.max(SECOND, Math.min(intervalMs, ttlMs)) });
  }

  async #host(name: string, look: Look): Promise<Result<Answer>> {
    const found = await this.#addressesOf(name, [], look);
    if (!found.ok) return found;
    const { addresses, ttlSeconds } = found.value;
    const backends = addresses.map((host) => backendAt(host, this.#own.port));
    return success({ list: { backends, skipped: [] }, ttlSeconds });
  }

  async #service(name: string, look: Look): Promise<Result<Answer>> {
    const found = await look(name, "SRV");
    if (!found.ok) return found;
    const { records, additional } = found.value;
    const targets = records.flatMap((record) => record.type === "SRV" ? [record] : []);
    if (targets.length > MOST_TARGETS) {
      return failure(`${name} has ${targets.length} targets: expected up to ${MOST_TARGETS}`);
    }
    const known = new Map<string, readonly string[]>();
    const ttls = [found.value.ttlSeconds];
    const usable = targets.filter(({ port }) => port > 0);
    const skipped = targets.filter(({ port, target }) => port === 0 && target !== "")
      .map(({ target }) => `${target}: it has port 0`);
    for (const group of byPriority(usable)) {
      const names = [...new Set(group.map(({ target }) => target))].filter((name) => name !== "");
      const reasons = new Map<string, string>();
      await atOnce(AT_ONCE, names, async (target) => {
        const asked = await this.#addressesOf(target, additional, look);
        const addresses = asked.ok ? asked.value.addresses : this.#addresses.get(target);
        if (asked.ok) ttls.push(asked.value.ttlSeconds);
        else reasons.set(target, oneLine(asked.message));
        if (addresses !== undefined) known.set(target, addresses);
      });
      const [reason] = reasons.values();
      if (reason !== undefined && !names.some((name) => known.has(name))) return failure(reason);
      skipped.push(...[...reasons].map(([target, reason]) => `${target}: ${reason}`));
      const backends = weighted(group, known);
      if (backends.length === 0) continue;
      this.#addresses = known;
      return success({ list: { backends, skipped }, ttlSeconds: shortest(ttls) });
    }
    // The root as the only target says that there is no such service.
    const isMeant = targets.length > 0 && targets.every(({ target }) => target === "");
    const list = { backends: [], skipped, ...(isMeant ? { isMeant } : {}) };
    return success({ list, ttlSeconds: shortest(ttls) });
  }

  /** The addresses of a host, in an order that stays. */
  async #addressesOf(name: string, sentAlong: readonly DnsRecord[], look: Look) {
    const types = FAMILY_TYPES[this.#own.family];
    const found = await Promise.all(types.map((type) => {
      const records = sentAlong.filter((record) => record.type === type && record.name === name);
      const ttlSeconds = shortest(records.map((record) => record.ttlSeconds));
      return records.length > 0
        ? success({ records, additional: [], ttlSeconds })
        : look(name, type);
    }));
    const answered = found.map((each) => each.ok ? addressesIn(each.value.records) : undefined);
    const failed = found.find((each) => !each.ok);
    // Many a server refuses to tell of AAAA what it knows an A of; resolvers of hosts take the other family.
    if (failed !== undefined && !answered.some((addresses) => (addresses?.length ?? 0) > 0)) {
      return failed;
    }
    const last = this.#families.get(name) ?? {};
    const families = types.map((type, at) => [type, answered[at] ?? last[type] ?? []] as const);
    this.#found.set(name, Object.fromEntries(families));
    const addresses = new Set(families.flatMap(([, addresses]) => addresses));
    const ttlSeconds = shortest(found.map((each) => each.ok ? each.value.ttlSeconds : undefined));
    return success({ addresses: [...addresses], ttlSeconds });
  }
}

/** What name servers answer for names that they block; to connect there is to connect to this host. */
const NOBODY: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

function addressesIn(records: readonly DnsRecord[]): string[] {
  return records.flatMap((record) => "address" in record ? [record.address] : [])
    .filter((address) => !NOBODY.has(address)).sort();
}

const FAMILY_TYPES = { both: ["A", "AAAA"], ipv4: ["A"], ipv6: ["AAAA"] } as const;

/** Whether a name is one of services, as RFC 2782 makes them. */
function isService(name: string): boolean {
  return /^_[^.]+\._[^.]+(\.|$)/.test(name);
}

/** Does something with each, several at a time. */
async function atOnce<T>(count: number, all: readonly T[], run: (one: T) => Promise<void>) {
  const left = [...all];
  const lane = async () => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await run(one);
  };
  await Promise.all(Array.from({ length: count }, lane));
}

const SERVER_FLAG = "--server";

export const dns = discoverySourceKind("dns", dnsSection, {
  doc: "the DNS: addresses of a name, or a service's SRV records",
  form: "dns:HOST[:PORT] or dns:_SERVICE._tcp.DOMAIN",
  fromText: (text) => text.startsWith("dns:") ? draftOf(text.slice("dns:".length)) : undefined,
  usage: `[${SERVER_FLAG} IP[:PORT]] HOST[:PORT] | _SERVICE._tcp.DOMAIN`,
  fromArguments: (args) => {
    const { value: server, rest: [name, ...more] } = withoutFlag(args, SERVER_FLAG);
    if (name === undefined || more.length > 0) {
      return wrongArguments(args, "a name, such as hosts.example:22 or _ssh._tcp.example");
    }
    return success({ ...draftOf(name), ...(server === undefined ? {} : { server }) });
  },
}, (own, surroundings) => new DnsSource(own, surroundings));

function draftOf(text: string) {
  const [, name = text, port] = /^([^:]*):(.*)$/.exec(text) ?? [];
  return port === undefined ? { name } : { name, port };
}
