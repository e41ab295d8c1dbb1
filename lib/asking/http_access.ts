// What an administrator gives for requests by HTTP besides the URL: headers, a token from a file, authorities to
// trust. Keeps one client, whose connections are used again.

import { failure, type Result, success } from "../core/values/result.ts";
import { httpClient } from "./authorities.ts";
import { fetchText } from "./fetch_text.ts";
import { abortReason } from "./reason.ts";
import { readSecret } from "./secret_file.ts";

export interface HttpAccessOptions {
  readonly headers: Readonly<Record<string, string>>;
  /** Its first line is the token; read for each request. */
  readonly tokenFile?: string;
  /** A file of authorities in PEM. */
  readonly ca?: string;
}

export class HttpAccess implements Disposable {
  readonly #options: HttpAccessOptions;
  #client: Deno.HttpClient | undefined;

  constructor(options: HttpAccessOptions) {
    this.#options = options;
  }

  /** GETs a JSON document. @returns its text, or why there is none. */
  async get(url: URL, signal: AbortSignal): Promise<Result<string>> {
    if (signal.aborted) return failure(abortReason(signal));
    const client = await this.#connected(url.protocol === "https:");
    if (!client.ok) return client;
    const headers = await this.#headers();
    if (!headers.ok) return headers;
    return await fetchText({ url, client: client.value, headers: headers.value, signal });
  }

  [Symbol.dispose](): void {
    this.#client?.close();
    this.#client = undefined;
  }

  async #connected(isTls: boolean): Promise<Result<Deno.HttpClient>> {
    if (this.#client !== undefined) return success(this.#client);
    const { ca } = this.#options;
    const client = await httpClient(isTls, ca === undefined ? {} : { ca });
    if (!client.ok) return client;
    // Another request may have been faster.
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
