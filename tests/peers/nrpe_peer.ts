// An NRPE server that misbehaves in one chosen way. What it does right comes from the same packet code
// as the client's; the real daemon (nrped.ts) is there to prove that code.

import { decodeQuery, encodeResponse, type NrpeVersion } from "../../lib/load/nrpe_packet.ts";

export type NrpeFault =
  | "none"
  /** Closes without reading, as allowed_hosts makes nrpe do. */
  | "closes_at_once"
  /** Accepts, reads, and says nothing. */
  | "hangs"
  /** 4000 bytes that are no packet. */
  | "garbage"
  | "wrong_crc"
  /** Answers with a query. */
  | "wrong_type"
  /** 20 bytes of a v2 packet, then the end. */
  | "cut_short"
  /** Claims 5000 bytes of text, sends 100, then the end. */
  | "claims_too_much"
  /** Claims less text than it sends. */
  | "claims_too_little"
  /** Claims 4 GiB of text and goes on sending for as long as anybody reads. */
  | "claims_4_gib"
  /** Closes at anything but v2. */
  | "v2_only"
  /** One byte at a time. */
  | "slow";

/** Every query has this length, whatever its version. */
const QUERY_BYTES = 1036;

export class NrpePeer implements AsyncDisposable {
  /** What it answers when it answers. */
  text = "LOAD OK - total load average: 1.50, 1.00, 0.50|load1=1.500;15.000;30.000;0;";
  resultCode = 0;
  fault: NrpeFault;
  /** The versions of the queries that came, in order; 0 for what was no query. */
  readonly versions: number[] = [];
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #sessions = new Set<Promise<void>>();
  readonly #accepting: Promise<void>;
  #connectionCount = 0;

  private constructor(listener: Deno.TcpListener, fault: NrpeFault) {
    this.#listener = listener;
    this.fault = fault;
    this.#accepting = this.#accept();
  }

  static start(fault: NrpeFault = "none", hostname = "127.0.0.1"): NrpePeer {
    return new NrpePeer(Deno.listen({ hostname, port: 0 }), fault);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** How many connections have come. */
  get connectionCount(): number {
    return this.#connectionCount;
  }

  /** How many connections are open. */
  get openConnections(): number {
    return this.#connections.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
    await this.#accepting;
    await Promise.all(this.#sessions);
  }

  async #accept(): Promise<void> {
    while (true) {
      let connection: Deno.TcpConn;
      try {
        connection = await this.#listener.accept();
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return;
        continue;
      }
      this.#connectionCount++;
      this.#connections.add(connection);
      const session = this.#serve(connection).catch(() => {
        // The client has gone, or this server is being disposed of.
      }).finally(() => {
        if (this.#connections.delete(connection)) connection.close();
        this.#sessions.delete(session);
      });
      this.#sessions.add(session);
    }
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    if (this.fault === "closes_at_once") return;
    const bytes = new Uint8Array(QUERY_BYTES);
    for (let length = 0; length < QUERY_BYTES;) {
      const count = await connection.read(bytes.subarray(length));
      if (count === null) return;
      length += count;
      // Anything but a query (a TLS handshake, say) is answered at once, as nrpe does.
      if (length >= 2 && (bytes[0] !== 0 || (bytes[1] !== 2 && bytes[1] !== 4))) {
        this.versions.push(0);
        return;
      }
    }
    const query = decodeQuery(bytes);
    this.versions.push(query.ok ? query.value.version : 0);
    if (!query.ok) return;
    const { version } = query.value;
    if (this.fault === "v2_only" && version !== 2) return;
    const answer = this.#answer(version);
    if (this.fault === "slow") {
      for (let at = 0; at < answer.length; at++) {
        await connection.write(answer.subarray(at, at + 1));
        if (at % 64 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
    } else {
      for (let sent = 0; sent < answer.length;) {
        sent += await connection.write(answer.subarray(sent));
      }
    }
    if (this.fault === "claims_4_gib") {
      const more = new Uint8Array(65_536).fill(0x41);
      while (true) await connection.write(more);
    }
    // Reading to the client's end keeps the kernel from resetting what was sent.
    if (this.fault !== "cut_short" && this.fault !== "claims_too_much") {
      while (await connection.read(bytes) !== null);
    }
  }

  #answer(version: NrpeVersion): Uint8Array<ArrayBuffer> {
    const good = encodeResponse(version, this.resultCode, this.text);
    switch (this.fault) {
      case "hangs":
        return new Uint8Array(0);
      case "garbage":
        return crypto.getRandomValues(new Uint8Array(4000)).fill(0xff, 0, 2);
      case "wrong_crc":
        good[4] = (good[4] ?? 0) ^ 0x01;
        return good;
      case "wrong_type":
        good[3] = 1;
        return good;
      case "cut_short":
        return encodeResponse(2, this.resultCode, this.text).slice(0, 20);
      case "claims_too_much":
        return claiming(encodeResponse(4, 0, "x".repeat(100)), 5000);
      case "claims_too_little":
        return claiming(encodeResponse(4, 0, "x".repeat(100)), 10);
      case "claims_4_gib":
        return claiming(encodeResponse(4, 0, "x".repeat(100)), 0xffff_ffff);
      default:
        return good;
    }
  }
}

/** Changes the length that a v4 packet claims for its text. */
function claiming(packet: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  new DataView(packet.buffer).setUint32(12, length);
  return packet;
}
