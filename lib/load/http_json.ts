// The load source "http": GETs a JSON document for each sample. One HTTP client serves all backends of a
// source; it keeps a connection to each.

import { formatAddress, formatHost } from "../core/values/address.ts";
import type { Backend } from "../core/pool/backend.ts";
import type { Clock } from "../core/timing/clock.ts";
import { failed, type FigureName, type LoadResult } from "../core/pool/load.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { key, section, type ValueOf } from "../schema/declarations.ts";
import { HTTP_KEYS } from "../schema/http_keys.ts";
import { quote } from "../schema/quote.ts";
import { line, text } from "../schema/values.ts";
import { parseHttpAnswer } from "./http_answer.ts";
import { HttpAccess } from "../asking/http_access.ts";
import { type LoadSource, loadSourceKind } from "./load_source.ts";
import { oneLine } from "../asking/reason.ts";
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
  ...HTTP_KEYS,
});

export interface HttpOptions extends ValueOf<typeof httpSection> {
  readonly clock: Clock;
}

export class HttpSource implements LoadSource {
  readonly #options: HttpOptions;
  readonly #access: HttpAccess;
  readonly #underWay = new UnderWay();

  constructor(options: HttpOptions) {
    this.#options = options;
    this.#access = new HttpAccess(options);
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
    this.#access[Symbol.dispose]();
  }

  /** The document, or why there is none. */
  async #ask(backend: Backend, signal: AbortSignal): Promise<Result<string>> {
    const url = urlFor(this.#options.url, backend);
    if (!url.ok) return url;
    return await this.#access.get(url.value, signal);
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
