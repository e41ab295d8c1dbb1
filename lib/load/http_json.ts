// The load source "http": GETs a JSON document for each sample. One HTTP client serves all backends of a
// source; it keeps a connection to each.

import { formatAddress, formatHost } from "../core/values/address.ts";
import type { Backend } from "../core/pool/backend.ts";
import type { Clock } from "../core/timing/clock.ts";
import { messageOf } from "../core/values/errors.ts";
import type { LoadResult } from "../core/pool/load.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { type HttpFields, parseHttpAnswer } from "./http_answer.ts";
import { clientTrusting, systemAuthorities } from "./authorities.ts";
import type { LoadSource } from "./load_source.ts";
import { abortReason, noSuchName, oneLine } from "./reason.ts";
import { UnderWay } from "./under_way.ts";

export interface HttpOptions {
  /** With {host}, {port} and {backend} in it. */
  readonly url: string;
  readonly fields: HttpFields;
  readonly headers: Readonly<Record<string, string>>;
  /** A file whose first line is sent as a bearer token; read for each sample, so that it can change. */
  readonly tokenFile?: string;
  /** PEM of authorities to trust besides those of the system. */
  readonly ca?: string;
  readonly clock: Clock;
}

/** More than any document with a load in it needs. */
const MOST_BYTES = 1_048_576;

export class HttpSource implements LoadSource {
  readonly kind = "http";
  readonly #options: HttpOptions;
  #client: Deno.HttpClient | undefined;
  readonly #underWay = new UnderWay();

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  async sample(backend: Backend, signal: AbortSignal): Promise<LoadResult> {
    const read = await this.#underWay.run(signal, (signal) => this.#ask(backend, signal));
    if (!read.ok) return { kind: "failed", reason: read.message };
    const answer = parseHttpAnswer(read.value, this.#options.fields);
    return answer.ok
      ? { kind: "sample", sample: { ...answer.value, takenAtMs: this.#options.clock.now() } }
      : { kind: "failed", reason: answer.message };
  }

  /** Nothing is kept of one backend alone. */
  forget(_backendId: string): void {}

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#underWay[Symbol.asyncDispose]();
    this.#client?.close();
    this.#client = undefined;
  }

  /** The document, or why there is none. */
  async #ask(backend: Backend, signal: AbortSignal): Promise<Result<string>> {
    if (signal.aborted) return failure(abortReason(signal));
    const url = urlFor(this.#options.url, backend);
    if (!url.ok) return url;
    const client = await this.#connected();
    if (!client.ok) return client;
    const headers = await this.#headers();
    if (!headers.ok) return headers;
    const place = `${url.value.host}${url.value.pathname}`;
    try {
      // A redirect may lead away from the backend, whose load this is to be.
      const response = await fetch(url.value, {
        client: client.value,
        headers: headers.value,
        redirect: "manual",
        signal,
      });
      if (response.status !== 200) {
        await response.body?.cancel();
        return failure(statusReason(response, place));
      }
      return await readBody(response);
    } catch (error) {
      return failure(signal.aborted ? abortReason(signal) : fetchReason(error, url.value.host));
    }
  }

  async #connected(): Promise<Result<Deno.HttpClient>> {
    if (this.#client !== undefined) return success(this.#client);
    const { ca, url } = this.#options;
    try {
      const own = ca === undefined ? [] : [await Deno.readTextFile(ca)];
      const system = url.startsWith("https:") ? await systemAuthorities() : [];
      // Another sample may have been faster.
      this.#client ??= clientTrusting(own, system);
      return success(this.#client);
    } catch (error) {
      return failure(`Cannot use "${ca}" as authorities: ${oneLine(messageOf(error))}`);
    }
  }

  async #headers(): Promise<Result<Headers>> {
    const { headers, tokenFile } = this.#options;
    const all = new Headers({ accept: "application/json", ...headers });
    if (tokenFile === undefined) return success(all);
    let text: string;
    try {
      text = await Deno.readTextFile(tokenFile);
    } catch (error) {
      return failure(`Cannot read a token in "${tokenFile}": ${oneLine(messageOf(error))}`);
    }
    const token = (text.split(/\r?\n/)[0] ?? "").trim();
    // Headers would say what is wrong with it by showing it.
    if (!/^[!-~]+$/.test(token)) {
      const found = token === "" ? "is empty" : "holds more than printable ASCII";
      return failure(`Cannot use the token in "${tokenFile}": its first line ${found}`);
    }
    all.set("authorization", `Bearer ${token}`);
    return success(all);
  }
}

/** Puts a backend into a URL. A backend on a unix socket is on "localhost", port 80. */
export function urlFor(template: string, backend: Backend): Result<URL> {
  const place = backend.loadAddress ?? backend.address;
  const values: Readonly<Record<string, string>> = place.transport === "tcp"
    ? { host: formatHost(place.host), port: String(place.port) }
    : { host: "localhost", port: "80" };
  const text = template.replace(
    /\{(host|port|backend)\}/g,
    (_, name: string) => values[name] ?? encodeURIComponent(backend.id),
  );
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    return failure(
      `Cannot ask ${formatAddress(place)} at "${
        oneLine(text, 120)
      }": expected an http or https URL`,
    );
  }
  return success(url);
}

function statusReason(response: Response, place: string): string {
  const location = response.headers.get("location");
  const status = `HTTP ${response.status} ${oneLine(response.statusText, 60)}`.trim();
  return location !== null && response.status >= 300 && response.status < 400
    ? `${status} to ${oneLine(location, 120)}, which is not followed (${place})`
    : `${status} (${place})`;
}

/** The body as text, unless it is too large. */
async function readBody(response: Response): Promise<Result<string>> {
  const type = response.headers.get("content-type") ?? "no type";
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.length;
    // Leaving the loop cancels what is still to come.
    if (bytes > MOST_BYTES) {
      return failure(`answered more than ${MOST_BYTES} bytes (${oneLine(type, 60)})`);
    }
    text += decoder.decode(piece, { stream: true });
  }
  text += decoder.decode();
  // Most who ask the wrong place meet a web page.
  return /^\s*</.test(text)
    ? failure(`Cannot read "${oneLine(text, 40)}" (${oneLine(type, 60)}) as JSON`)
    : success(text);
}

/** Deno's words for why a request failed, in an administrator's. */
function fetchReason(error: unknown, place: string): string {
  const message = messageOf(
    error instanceof Error && error.cause !== undefined ? error.cause : error,
  );
  if (/Connection refused/.test(message)) return `connection refused (${place})`;
  if (/No route to host|Network is unreachable/.test(message)) return `no route to host (${place})`;
  if (/dns error/.test(message)) return noSuchName(place);
  if (/Connection reset|connection closed before/.test(message)) {
    return `connection closed without an answer (${place})`;
  }
  const what = message.replace(/^error sending request .*?: client error \(\w+\): /, "");
  return `${oneLine(what)} (${place})`;
}
