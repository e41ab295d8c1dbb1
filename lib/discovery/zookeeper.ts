// The discovery source "zk": the children of a node, as lbtk's refresher for ZooKeeper has it; what stands
// in a child is a backend. After any change all of it is read again.

import { readTlsFiles } from "../asking/authorities.ts";
import { oneLine } from "../asking/reason.ts";
import { interruptible } from "../core/serving/close_on_abort.ts";
import { withDeadline } from "../core/timing/with_deadline.ts";
import { formatAddress, type TcpAddress } from "../core/values/address.ts";
import { failure, success } from "../core/values/result.ts";
import { tcpPlace } from "../schema/balancer_values.ts";
import { item, key, list, needed, section, type ValueOf } from "../schema/declarations.ts";
import { quote } from "../schema/quote.ts";
import { boolean, line, text } from "../schema/values.ts";
import {
  type DiscoveredList,
  discoverySourceKind,
  type DiscoverySurroundings,
  wrongArguments,
} from "./discovery_source.ts";
import { type Entry, listOf, MOST_ENTRIES, parseNamed } from "./entries.ts";
import {
  LOGIN_KEYS,
  noAnswer,
  readLogin,
  ServersInTurn,
  SETTLE_MS,
  splitServers,
  TLS_KEYS,
  valueOrThrow,
} from "./servers.ts";
import { type ZooKeeperServer, ZooKeeperSession } from "./zookeeper_session.ts";

const ZOOKEEPER_PORT = 2181;
/** How long reading all children may take. */
const READ_MS = 10_000;
/** So many nodes are asked for at a time. */
const AT_ONCE = 256;
/** All that stands in them; 1 KiB in each of 10,000 is less. */
const MOST_CHARACTERS = 16 * 1_048_576;

/** As ZooKeeper has paths: from the root, with names between slashes. */
const nodePath = text("the path of a node", "/path/of/node", (text) => {
  const read = line("a path", 1024).read(text);
  if (!read.ok) return read;
  const path = text.replace(/(?<=.)\/$/, "");
  return path === "/" || /^(\/[^/]+)+$/.test(path)
    ? success(path)
    : failure(`Cannot use ${quote(text)} as the path of a node: expected "/compute"`);
});

const zookeeperSection = section({ doc: "children of a node, with source: zk" }, {
  path: needed(nodePath, {
    required: "",
    example: "/compute",
    doc: "the node; each of its children is a backend: what stands in it, else its name",
  }),
  servers: list({
    required: "",
    example: "[zk1, zk2, zk3]",
    doc: "host[:2181]; asked in turn",
  }, item(tcpPlace(ZOOKEEPER_PORT))),
  ...LOGIN_KEYS,
  tls: key(boolean, {
    default: "false",
    doc: "whether the servers' ports are secure ones; with ca or cert they are",
  }),
  ...TLS_KEYS,
});

type Options = ValueOf<typeof zookeeperSection>;

class ZooKeeperSource extends ServersInTurn<TcpAddress> {
  constructor(readonly options: Options, readonly surroundings: DiscoverySurroundings) {
    super(options.servers);
  }

  protected override async *watchOne(
    address: TcpAddress,
    signal: AbortSignal,
  ): AsyncGenerator<DiscoveredList> {
    const { clock } = this.surroundings;
    const server = { address, ...await this.#credentials() };
    await using session = await ZooKeeperSession.open(server, clock, signal);
    for (;;) {
      // Changes while all is read count, too.
      const change = session.change();
      const place = formatAddress(address);
      yield await withDeadline(
        clock,
        READ_MS,
        (signal) => interruptible(this.#read(session, place), signal),
        signal,
        () => noAnswer(READ_MS, place),
      );
      await interruptible(change, signal);
      await clock.sleep(SETTLE_MS, signal);
    }
  }

  async #read(session: ZooKeeperSession, place: string): Promise<DiscoveredList> {
    const { path } = this.options;
    const names = await session.children(path);
    const entries: Entry[] = [];
    let characters = 0;
    for (let at = 0; at < Math.min(names.length, MOST_ENTRIES); at += AT_ONCE) {
      const some = names.slice(at, at + AT_ONCE);
      const data = await session.data(some.map((name) => `${path === "/" ? "" : path}/${name}`));
      for (const [index, name] of some.entries()) {
        const text = data[index];
        // It left while the others were read.
        if (text === undefined) continue;
        characters += text.length;
        entries.push({ place: `node "${oneLine(name, 80)}"`, backend: parseNamed(name, text) });
      }
      if (characters > MOST_CHARACTERS) {
        throw new Error(`more than ${MOST_CHARACTERS} characters stand below ${path} (${place})`);
      }
    }
    return listOf(entries, names.length);
  }

  /** Files are read anew with each session: whoever renews them need not restart us. */
  async #credentials(): Promise<Omit<ZooKeeperServer, "address">> {
    const { tls, ca, cert } = this.options;
    const identity = tls || (ca ?? cert) !== undefined
      ? { tls: valueOrThrow(await readTlsFiles(this.options)) }
      : {};
    const login = await readLogin(this.options);
    return login === undefined
      ? identity
      : { ...identity, login: `${login.user}:${login.password}` };
  }
}

export const zk = discoverySourceKind("zk", zookeeperSection, {
  doc: "children of a node of ZooKeeper, watched",
  form: "zk://HOST[:PORT][,HOST...]/PATH",
  fromText: (text) => {
    const split = splitServers(text, ["zk", "zookeeper"]);
    if (split === undefined) return undefined;
    const { hosts, path } = split;
    return { servers: hosts, ...(path === undefined ? {} : { path }) };
  },
  usage: "HOST[:PORT][,HOST...] PATH",
  fromArguments: (args) => {
    const [url, path, ...more] = args;
    if (url === undefined || path === undefined || more.length > 0) {
      return wrongArguments(args, "servers and a path, such as localhost:2181 /compute");
    }
    // As ZooKeeper's own clients take it: a path behind the servers is where paths begin.
    const whole = splitServers(url, ["zk", "zookeeper"]) ?? splitServers(`zk://${url}`, ["zk"]);
    if (whole === undefined) return wrongArguments(args, "servers such as localhost:2181");
    const root = (whole.path ?? "").replace(/\/$/, "");
    return success({ servers: whole.hosts, path: root + path });
  },
}, (own, surroundings) => new ZooKeeperSource(own, surroundings));
