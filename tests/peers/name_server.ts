// A name server that answers as the test tells it, by UDP and by TCP on the same loopback port: for what no
// sound server says.

import { createSocket, type Socket } from "node:dgram";

export interface Query {
  readonly id: number;
  readonly name: string;
  readonly type: number;
  readonly hasEdns: boolean;
  readonly isTcp: boolean;
}

/** The datagrams, or messages by TCP, that answer a query. */
export type Answering = (query: Query) => readonly Uint8Array[];

export class NameServer implements AsyncDisposable {
  readonly queries: Query[] = [];
  readonly #udp: Socket;
  readonly #tcp: Deno.TcpListener;
  readonly #serving: Promise<void>;

  private constructor(udp: Socket, tcp: Deno.TcpListener, answering: Answering) {
    this.#udp = udp;
    this.#tcp = tcp;
    udp.on("message", (bytes, from) => {
      for (const answer of answering(this.#take(bytes, false))) {
        udp.send(answer, from.port, from.address);
      }
    });
    this.#serving = this.#serveTcp(answering);
  }

  static async start(answering: Answering): Promise<NameServer> {
    for (let attempt = 1;; attempt++) {
      // Of TCP's numbers many may be taken, of UDP's hardly any.
      const tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const udp = createSocket("udp4");
      const isBound = await new Promise<boolean>((done) => {
        udp.once("error", () => done(false));
        udp.bind(tcp.addr.port, "127.0.0.1", () => done(true));
      });
      if (isBound) return new NameServer(udp, tcp, answering);
      tcp.close();
      if (attempt >= 5) throw new Error("no port is free for UDP and TCP");
    }
  }

  get address(): string {
    return `127.0.0.1:${this.#tcp.addr.port}`;
  }

  #take(bytes: Uint8Array, isTcp: boolean): Query {
    const labels: string[] = [];
    let at = 12;
    for (let length = bytes[at] ?? 0; length > 0; length = bytes[at] ?? 0) {
      labels.push(new TextDecoder().decode(bytes.subarray(at + 1, at + 1 + length)));
      at += length + 1;
    }
    const wordAt = (at: number) => (bytes[at] ?? 0) << 8 | (bytes[at + 1] ?? 0);
    const hasEdns = wordAt(10) === 1;
    const query = { id: wordAt(0), name: labels.join("."), type: wordAt(at + 1), hasEdns, isTcp };
    this.queries.push(query);
    return query;
  }

  async #serveTcp(answering: Answering): Promise<void> {
    for await (const connection of this.#tcp) {
      using _ = connection;
      const buffer = new Uint8Array(512);
      // Queries are short: one read has them whole on loopback.
      const count = await connection.read(buffer);
      if (count === null) continue;
      for (const answer of answering(this.#take(buffer.subarray(2, count), true))) {
        const framed = Uint8Array.of(answer.length >> 8, answer.length & 255, ...answer);
        for (let sent = 0; sent < framed.length;) {
          sent += await connection.write(framed.subarray(sent));
        }
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#tcp.close();
    await this.#serving;
    await new Promise<void>((closed) => this.#udp.close(closed));
  }
}
