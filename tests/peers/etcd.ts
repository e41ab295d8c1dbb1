// The real etcd of this machine, one member alone.

import { freePort } from "../support/processes.ts";
import { peerProgram } from "../support/require_peer.ts";
import { KeptServer } from "./kept_server.ts";

export interface EtcdOptions {
  /** A folder with server.pem, server.key and ca.pem: it speaks TLS, and asks who we are. */
  readonly certificates?: string;
}

export class Etcd extends KeptServer {
  readonly #client: Deno.HttpClient;
  readonly #scheme: string;

  constructor({ certificates }: EtcdOptions = {}) {
    const scheme = certificates === undefined ? "http" : "https";
    const read = (name: string) => Deno.readTextFileSync(`${certificates}/${name}`);
    const client = Deno.createHttpClient(
      certificates === undefined
        ? {}
        : { caCerts: [read("ca.pem")], cert: read("client.pem"), key: read("client.key") },
    );
    const tls = certificates === undefined ? [] : [
      ...["--cert-file", `${certificates}/server.pem`, "--key-file", `${certificates}/server.key`],
      ...["--client-cert-auth", "--trusted-ca-file", `${certificates}/ca.pem`],
    ];
    super({
      name: "etcd",
      command: (folder, host, port) => {
        const url = `${scheme}://${host}:${port}`;
        const peer = `http://127.0.0.1:${freePort()}`;
        return [
          peerProgram("etcd"),
          ...["--data-dir", `${folder}/data`, "--listen-client-urls", url],
          ...["--advertise-client-urls", url, "--listen-peer-urls", peer],
          ...[
            "--initial-advertise-peer-urls",
            peer,
            "--initial-cluster",
            `default=${peer}`,
            ...tls,
          ],
          ...["--unsafe-no-fsync", "--heartbeat-interval", "20", "--election-timeout", "100"],
        ];
      },
      isReady: async (host, port) => {
        const answer = await fetch(`${scheme}://${host}:${port}/health`, { client });
        return (await answer.json()).health === "true";
      },
    });
    this.#client = client;
    this.#scheme = scheme;
  }

  /** Sends a request to its JSON gateway. */
  async ask(
    path: string,
    body: unknown,
    token?: string,
  ): Promise<Readonly<Record<string, unknown>>> {
    const answer = await fetch(`${this.#scheme}://${this.address}/v3/${path}`, {
      method: "POST",
      client: this.#client,
      body: JSON.stringify(body),
      ...(token === undefined ? {} : { headers: { authorization: token } }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(text);
    return JSON.parse(text);
  }

  /** Puts all these at once. */
  async put(pairs: Readonly<Record<string, string>>): Promise<void> {
    const success = Object.entries(pairs).map(([key, value]) => ({
      request_put: { key: btoa(key), value: btoa(value) },
    }));
    // etcd takes 128 at a time (--max-txn-ops).
    for (let at = 0; at < success.length; at += 128) {
      await this.ask("kv/txn", { success: success.slice(at, at + 128) });
    }
  }

  /** Deletes keys: one, or all up to another. */
  async delete(key: string, end?: string): Promise<void> {
    const range_end = end === undefined ? {} : { range_end: btoa(end) };
    await this.ask("kv/deleterange", { key: btoa(key), ...range_end });
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    await super[Symbol.asyncDispose]();
  }
}
