// The load source "http": GETs a JSON document for each sample. One HTTP client serves all backends of a
// source; it keeps a connection to each.

import { formatAddress, formatHost } from "../core/values/address.ts";
import type { Backend } from "../core/pool/backend.ts";
import type { Clock } from "../core/timing/clock.ts";
import { failed, type FigureName, type LoadResult } from "../core/pool/load.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { item, key, named, section, type ValueOf } from "../schema/declarations.ts";
import { quote } from "../schema/quote.ts";
import { absolutePath, line, text } from "../schema/values.ts";
import { fetchText } from "../asking/fetch_text.ts";
import { parseHttpAnswer } from "./http_answer.ts";
import { httpClient } from "../asking/authorities.ts";
import { type LoadSource, loadSourceKind } from "./load_source.ts";
import { abortReason, oneLine } from "../asking/reason.ts";
import { readSecret } from "../asking/secret_file.ts";
import { UnderWay } from "../asking/under_way.ts";

/** The URL of a JSON document, in which {host}, {port} and {backend} may stand. */
const urlTemplate = text("a URL", "http or https", (text) => {
  const read = line("a URL", 2048).read(text);
  if (!read.ok) return read;
  const unknown = /\{(?!(?:host|port|backend)\})[^}]*\}?/.exec(text)?.[0];
  if (unknown !== undefined) {
    return failure(
      `Cannot use ${quote(unknown)} in a URL: expected {host}, {port} or {backend}`,
    );
  }
  const url = URL.parse(text.replace("{port}", "1").replace(/\{(host|backend)\}/g, "x"));
  const isSound = url !== null && /^https?:$/.test(url.protocol) && url.username === "" &&
    url.password === "" && url.hash === "" && /^https?:\/\//.test(text);
  return isSound
    ? success(text)
    : failure(`Cannot use ${quote(text)} as a URL: expected http:// or https://, and a host`);
});

/** Where a figure stands in a JSON document: names and list indices with dots between, or off. */
const jsonPath = text("a path such as cpu.count, or off", "path | off", (text) => {
  const read = line("a path", 255).read(text);
  return !read.ok || text.split(".").every((step) => step !== "")
    ? read
    : failure(`Cannot use ${quote(text)} as a path: expected names with one dot between`);
});

/** Without a load there is no sample. */
const loadPath = text(
  "a path such as cpu.load.0",
  "path",
  (text) =>
    text === "off"
      ? failure('Cannot use "off" as the path of the load: expected where it stands')
      : jsonPath.read(text),
);

/** The value of a header field: printable ASCII (RFC 9110 section 5.5). */
const headerValue = text(
  "the value of a header",
  "names and values",
  (text) =>
    /^[!-~]([ -~]{0,2046}[!-~])?$/.test(text)
      ? success(text)
      : failure(`Cannot use ${quote(text)} in a header: expected printable ASCII`),
);

/** Where a figure stands; without a word in lb.conf, under its own name. */
function figure<const Name extends FigureName>(name: Name, doc: string) {
  return key(jsonPath, { as: name, default: name, doc });
}

const httpSection = section({ doc: "how a backend is asked with source: http" }, {
  url: key(urlTemplate, {
    default: "http://{host}:9777/",
    isUntold: true,
    doc: "{host}, {port} and {backend} are the backend's",
  }),
  fields: section({ doc: "where figures stand in the JSON: cpu.load.0, or off" }, {
    load1: key(loadPath, { default: "load1", doc: "the load average of one minute" }),
    cores: figure("cores", "the number of cores"),
    memory_available_bytes: figure("memory_available_bytes", "MemAvailable"),
    memory_total_bytes: figure("memory_total_bytes", "MemTotal"),
    cpu_pressure: figure("cpu_pressure", "0 to 1 (PSI)"),
    memory_pressure: figure("memory_pressure", "0 to 1 (PSI)"),
    sessions: figure("sessions", "people logged in"),
  }),
  headers: named(
    { unset: "none", isUntold: true, doc: 'sent with each request: { X-Key: "abc" }' },
    item(headerValue),
  ),
  token_file: key(absolutePath, {
    unset: "none",
    example: "/etc/compute-lb/load-token",
    doc: 'its first line is sent as "Authorization: Bearer ..."; read for each sample',
  }),
  ca: key(absolutePath, {
    unset: "the system's authorities",
    example: "/etc/compute-lb/load-ca.pem",
    doc: "PEM: authorities to trust, too",
  }),
});

export interface HttpOptions extends ValueOf<typeof httpSection> {
  readonly clock: Clock;
}

export class HttpSource implements LoadSource {
  readonly #options: HttpOptions;
  #client: Deno.HttpClient | undefined;
  readonly #underWay = new UnderWay();

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  async sample(backend: Backend, signal: AbortSignal): Promise<LoadResult> {
    const read = await this.#underWay.run(signal, (signal) => this.#ask(backend, signal));
    if (!read.ok) return failed(read.message);
    const answer = parseHttpAnswer(read.value, this.#options.fields);
    return answer.ok
      ? { kind: "sample", sample: { ...answer.value, takenAtMs: this.#options.clock.now() } }
      : failed(answer.message);
  }

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
    return await fetchText({
      url: url.value,
      client: client.value,
      headers: headers.value,
      signal,
    });
  }

  async #connected(): Promise<Result<Deno.HttpClient>> {
    if (this.#client !== undefined) return success(this.#client);
    const { ca, url } = this.#options;
    const client = await httpClient(url.startsWith("https:"), ca === undefined ? {} : { ca });
    if (!client.ok) return client;
    // Another sample may have been faster.
    if (this.#client === undefined) this.#client = client.value;
    else client.value.close();
    return success(this.#client);
  }

  async #headers(): Promise<Result<Headers>> {
    const { headers, tokenFile } = this.#options;
    const all = new Headers({ accept: "application/json", ...headers });
    if (tokenFile === undefined) return success(all);
    const token = await readSecret(tokenFile, "token");
    if (!token.ok) return token;
    all.set("authorization", `Bearer ${token.value}`);
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

export const http = loadSourceKind("http", httpSection, {
  doc: "a JSON document from each backend by HTTP",
  tellsMemory: true,
  tellsPressure: true,
  isKernelAverage: false,
}, (own, { clock }) => new HttpSource({ ...own, clock }));
