// The discovery source "etcd": the keys under a prefix of etcd 3, asked by its JSON gateway (etcd.io, "gRPC
// gateway"). The whole prefix is read, and a watch from the revision after it says when to read it again: so
// nothing is missed, and there is no copy that could go astray. The watch is given up and the prefix read anyway
// every ten seconds, which finds out servers that keep silent, and those that have lost the others.

import { fetchLines, type Request } from "../asking/fetch_text.ts";
import { oneLine } from "../asking/reason.ts";
import { type Clock, jittered } from "../core/timing/clock.ts";
import { withDeadline } from "../core/timing/with_deadline.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { isJsonObject, type JsonObject, jsonObjectOf } from "../core/values/json_object.ts";
import { shownJson } from "../core/values/shown_json.ts";
import { item, list, needed, section, type ValueOf } from "../schema/declarations.ts";
import { line } from "../schema/values.ts";
import {
  type DiscoveredList,
  discoverySourceKind,
  type DiscoverySurroundings,
  wrongArguments,
} from "./discovery_source.ts";
import { listOf, MOST_ENTRIES, parseJson, parseNamed } from "./entries.ts";
import {
  askServer,
  clientOf,
  httpServer,
  LOGIN_KEYS,
  readLogin,
  ServersInTurn,
  SETTLE_MS,
  splitServers,
  TLS_KEYS,
  valueOrThrow,
} from "./servers.ts";

const ETCD_PORT = 2379;
/** How long a watch may say nothing before the prefix is read without it. */
const WATCH_MS = 10_000;
/** 10,000 keys with a value of 1 KiB. */
const MOST_BYTES = 16 * 1_048_576;

const etcdSection = section({ doc: "keys under a prefix, with source: etcd" }, {
  prefix: needed(line("a prefix", 1024), {
    required: "",
    example: "/compute/",
    doc: "each key that begins so is a backend: its value, else its last part",
  }),
  servers: list({
    required: "",
    example: "[etcd1, etcd2, etcd3]",
    doc: "host[:2379] or https://host[:2379]; asked in turn",
  }, item(httpServer(ETCD_PORT, ETCD_PORT))),
  ...LOGIN_KEYS,
  ...TLS_KEYS,
});

type Options = ValueOf<typeof etcdSection>;

class EtcdSource extends ServersInTurn<string> {
  constructor(readonly options: Options, readonly surroundings: DiscoverySurroundings) {
    super(options.servers);
  }

  protected override async *watchOne(
    server: string,
    signal: AbortSignal,
  ): AsyncGenerator<DiscoveredList> {
    const { prefix } = this.options;
    const { clock, random } = this.surroundings;
    const range = { key: toBase64(prefix), range_end: toBase64(endOf(prefix)) };
    // Files are read anew with each beginning: whoever renews them need not restart us.
    using client = await clientOf(server, this.options);
    const request = { url: new URL(server), client, headers: {}, signal, mostBytes: MOST_BYTES };
    const gateway = new Gateway(await this.#login(request), clock);
    for (;;) {
      const { list, revision } = readRange(
        await gateway.ask("kv/range", { ...range, limit: String(MOST_ENTRIES + 1) }),
      );
      yield list;
      await gateway.change(
        { ...range, start_revision: revision + 1n },
        jittered(WATCH_MS, random),
      );
      await clock.sleep(SETTLE_MS, signal);
    }
  }

  /** The same request with the token of our user, if there is one. */
  async #login(request: Request): Promise<Request> {
    const login = await readLogin(this.options);
    if (login === undefined) return request;
    const gateway = new Gateway(request, this.surroundings.clock);
    const { user: name, password } = login;
    const { token } = await gateway.ask("auth/authenticate", { name, password });
    // It becomes a header, and a header's complaint would show it.
    if (typeof token === "string" && /^[!-~]+$/.test(token)) {
      return { ...request, headers: { authorization: token } };
    }
    throw new Error(`etcd has answered without a token (${request.url.host})`);
  }
}

/** One server's JSON gateway. */
class Gateway {
  constructor(readonly request: Request, readonly clock: Clock) {}

  async ask(path: string, question: JsonObject): Promise<JsonObject> {
    const { text } = await askServer(this.#to(path, question), this.clock);
    const answer = parseJson(text);
    if (answer.ok && isJsonObject(answer.value)) return answer.value;
    throw new Error(`Cannot read "${oneLine(text, 40)}" as an answer of etcd (${this.#host})`);
  }

  /** Waits for a change, or for the time. */
  async change(range: JsonObject & { readonly start_revision: bigint }, ms: number): Promise<void> {
    const { start_revision: revision } = range;
    const create_request = { ...range, start_revision: String(revision), fragment: true };
    let event: Result<boolean> = success(false);
    let isOver = false;
    const ended = await withDeadline(
      this.clock,
      ms,
      (signal) =>
        fetchLines({ ...this.#to("watch", { create_request }), signal }, (line) => {
          event = readEvent(line);
          return !event.ok || event.value;
        }),
      this.request.signal,
      () => {
        isOver = true;
      },
    );
    if (valueOrThrow<boolean>(event) || isOver) return;
    this.request.signal.throwIfAborted();
    valueOrThrow(ended);
    throw new Error(`connection closed (${this.#host})`);
  }

  get #host(): string {
    return this.request.url.host;
  }

  #to(path: string, body: JsonObject): Request {
    return {
      ...this.request,
      url: new URL(`/v3/${path}`, this.request.url),
      body: JSON.stringify(body),
    };
  }
}

/** Whether a line of a watch tells of a change. */
function readEvent(line: string): Result<boolean> {
  const answer = parseJson(line);
  if (!answer.ok) return answer;
  const { result, error } = jsonObjectOf(answer.value);
  if (!isJsonObject(result)) {
    const { message } = jsonObjectOf(error);
    const words = typeof message === "string" ? message : shownJson(answer.value);
    return failure(`etcd cannot watch: ${oneLine(words)}`);
  }
  // What was to be watched is compacted away: there were changes.
  if (Number(result.compact_revision) > 0) return success(true);
  if (result.canceled === true) {
    return failure(`etcd has ended the watch: ${oneLine(String(result.cancel_reason))}`);
  }
  return success(Array.isArray(result.events) && result.events.length > 0);
}

function readRange({ header, kvs = [] }: JsonObject): { list: DiscoveredList; revision: bigint } {
  const { revision } = jsonObjectOf(header);
  // Without a revision it is no etcd, and what is missing is no empty list.
  if (typeof revision !== "string" || !/^\d{1,19}$/.test(revision) || !Array.isArray(kvs)) {
    throw new Error("Cannot read the answer as etcd's: expected keys and a revision");
  }
  const list = listOf(kvs.flatMap((pair) => {
    const { key, value = "" } = jsonObjectOf(pair);
    const path = fromBase64(key);
    const entry = fromBase64(value);
    const name = path.slice(path.lastIndexOf("/") + 1);
    // Keys such as "/compute/" stand for the directory.
    if (name === "" && entry === "") return [];
    return [{ place: `key "${oneLine(path, 80)}"`, backend: parseNamed(name, entry) }];
  }));
  return { list, revision: BigInt(revision) };
}

/** The first key behind all that begin with a prefix. */
function endOf(prefix: string): Uint8Array {
  const end = new TextEncoder().encode(prefix);
  // UTF-8 has no byte 255.
  end.set([(end.at(-1) ?? 0) + 1], end.length - 1);
  return end;
}

function toBase64(text: string | Uint8Array): string {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  return btoa(String.fromCharCode(...bytes));
}

function fromBase64(text: unknown): string {
  try {
    return new TextDecoder().decode(
      Uint8Array.from(atob(String(text)), (letter) => letter.charCodeAt(0)),
    );
  } catch {
    throw new Error(`Cannot read ${oneLine(shownJson(text), 60)} as etcd writes keys and values`);
  }
}

export const etcd = discoverySourceKind("etcd", etcdSection, {
  doc: "keys under a prefix of etcd 3, watched",
  form: "etcd://HOST[:PORT][,HOST...]/PREFIX (etcds:// by TLS)",
  fromText: (text) => {
    const split = splitServers(text, ["etcd", "etcds"]);
    if (split === undefined) return undefined;
    const { scheme, hosts, path } = split;
    return {
      servers: scheme === "etcds" ? hosts.map((host) => `https://${host}`) : hosts,
      ...(path === undefined ? {} : { prefix: path }),
    };
  },
  usage: "SERVER[,SERVER...] PREFIX",
  fromArguments: (args) => {
    const [servers, prefix, ...more] = args;
    return servers === undefined || prefix === undefined || more.length > 0
      ? wrongArguments(args, "servers and a prefix, such as localhost:2379 /compute/")
      : success({ servers: servers.split(","), prefix });
  },
}, (own, surroundings) => new EtcdSource(own, surroundings));
