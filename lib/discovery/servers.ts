// Servers that keep lists (etcd, ZooKeeper, Consul): how they are written, and that several are asked in turn.

import { httpClient, type TlsFiles } from "../asking/authorities.ts";
import { fetchAnswer, type Request } from "../asking/fetch_text.ts";
import { readSecret } from "../asking/secret_file.ts";
import type { Clock } from "../core/timing/clock.ts";
import { withDeadline } from "../core/timing/with_deadline.ts";
import { formatAddress } from "../core/values/address.ts";
import { formatDuration } from "../core/values/duration.ts";
import { messageOf } from "../core/values/errors.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { partialAddress } from "../schema/balancer_values.ts";
import { key } from "../schema/declarations.ts";
import { quote } from "../schema/quote.ts";
import { absolutePath, line, text, type Value } from "../schema/values.ts";
import type { DiscoveredList, DiscoverySource } from "./discovery_source.ts";

/** How long a server may take to answer what it can answer at once. */
export const ANSWER_MS = 5000;

/** After a change so much time passes before the list is read again: changes seldom come alone. */
export const SETTLE_MS = 100;

/** The files that TLS takes. */
export const TLS_KEYS = {
  ca: key(absolutePath, {
    unset: "the system's authorities",
    example: "/etc/compute-lb/discovery-ca.pem",
    doc: "PEM: authorities to trust, too",
  }),
  cert: key(absolutePath, {
    unset: "none",
    example: "/etc/compute-lb/discovery-cert.pem",
    doc: "PEM: our certificate, for servers that want one",
  }),
  key: key(absolutePath, {
    unset: "none",
    example: "/etc/compute-lb/discovery-key.pem",
    doc: "PEM: its key",
  }),
};

/** Who asks. */
export const LOGIN_KEYS = {
  user: key(line("a user", 255), { unset: "none", example: "balancer", doc: "who asks" }),
  password_file: key(absolutePath, {
    unset: "none",
    example: "/etc/compute-lb/discovery-password",
    doc: "the file whose first line is the user's password",
  }),
};

/** Who asks, by such keys; undefined: nobody in particular. @throws {Error} when the file is of no use. */
export async function readLogin(
  { user, passwordFile }: { readonly user?: string; readonly passwordFile?: string },
): Promise<{ readonly user: string; readonly password: string } | undefined> {
  if (user === undefined && passwordFile === undefined) return undefined;
  if (user === undefined || passwordFile === undefined) {
    const given = user === undefined ? "password_file" : "user";
    throw new Error(`Cannot use ${given} alone: expected user and password_file`);
  }
  return { user, password: valueOrThrow(await readSecret(passwordFile, "password")) };
}

/** A server that is asked by HTTP or https: its URL without a path, made of `host[:port]` or of such a URL. */
export function httpServer(port: number, tlsPort: number): Value<string> {
  return text('an address "host[:port]"', "host[:port] | https://host[:port]", (text) => {
    const [, scheme = "http", place = ""] = /^(?:(https?):\/\/)?(.*?)\/?$/.exec(text) ?? [];
    const read = partialAddress.read(place);
    if (!read.ok) return read;
    const { address, hasPort } = read.value;
    const given = { ...address, ...(hasPort ? {} : { port: scheme === "http" ? port : tlsPort }) };
    const url = `${scheme}://${formatAddress(given)}`;
    return address.transport === "tcp" && URL.canParse(url)
      ? success(url)
      : failure(`Cannot ask ${quote(text)} by HTTP: expected host[:port] or https://host[:port]`);
  });
}

/** What stands in `NAME://HOST[,HOST...]/PATH`. */
export interface ServersText {
  readonly scheme: string;
  readonly hosts: readonly string[];
  /** With its slash; undefined where there is none. */
  readonly path: string | undefined;
}

/** Takes such a text apart; undefined: it begins with none of these schemes. */
export function splitServers(
  text: string,
  schemes: readonly string[],
): ServersText | undefined {
  const [, scheme = "", hosts = "", path] = /^([a-z+]+):\/\/([^/]*)(\/.*)?$/s.exec(text) ?? [];
  return schemes.includes(scheme) ? { scheme, hosts: hosts.split(","), path } : undefined;
}

/** A source on several servers, of which one is watched; when it fails it is the turn of the next. */
export abstract class ServersInTurn<Server> implements DiscoverySource {
  #next = 0;

  constructor(readonly servers: readonly Server[]) {}

  protected abstract watchOne(server: Server, signal: AbortSignal): AsyncIterable<DiscoveredList>;

  /**
   * Watches the first that can be asked. Throws when none can, and when the one that could fails: the next
   * call begins with the one behind it.
   */
  async *watch(signal: AbortSignal): AsyncGenerator<DiscoveredList> {
    const reasons: string[] = [];
    while (reasons.length < this.servers.length) {
      const server = this.servers[this.#next % this.servers.length];
      if (server === undefined) break;
      let hasSpoken = false;
      try {
        for await (const list of this.watchOne(server, signal)) {
          hasSpoken = true;
          yield list;
        }
        return;
      } catch (error) {
        signal.throwIfAborted();
        this.#next++;
        if (hasSpoken) throw error;
        reasons.push(messageOf(error));
      }
    }
    throw new Error(reasons.join("; ") || "no server to ask: expected one at least");
  }
}

/** A client of HTTP for such a server, for whoever asks to close. @throws where the files are of no use. */
export async function clientOf(server: string, files: TlsFiles): Promise<Deno.HttpClient> {
  const isTls = server.startsWith("https:");
  // Passwords go to whoever is there, unless certificates are looked at.
  if (!isTls && (files.ca ?? files.cert ?? files.key) !== undefined) {
    throw new Error(`Cannot use certificates with ${server}: expected https://`);
  }
  return valueOrThrow(await httpClient(isTls, files));
}

/** Asks a server by HTTP. @throws in an administrator's words when there is no answer 200 in so much time. */
export async function askServer(
  request: Request,
  clock: Clock,
  ms = ANSWER_MS,
): Promise<{ readonly text: string; readonly headers: Headers }> {
  const late = () => noAnswer(ms, request.url.host);
  const answer = await withDeadline(
    clock,
    ms,
    (signal) => fetchAnswer({ ...request, signal }),
    request.signal,
    late,
  );
  return valueOrThrow(answer);
}

/** That a server keeps silent. */
export function noAnswer(ms: number, place: string): Error {
  return new Error(`no answer within ${formatDuration(ms)} (${place})`);
}

/** The value, where only a throw can say why there is none. */
export function valueOrThrow<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.message);
  return result.value;
}
