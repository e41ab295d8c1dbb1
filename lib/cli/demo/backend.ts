// An embedded backend of the demo: says an ssh banner, echoes, and answers real NRPE for check_load with
// a load average that follows the sessions it holds.

import { acceptEach, closeQuietly } from "../../core/serving/accept_loop.ts";
import { SYSTEM_CLOCK } from "../../host/clock.ts";
import { decodeQuery, encodeResponse, expectedLength } from "../../load/nrpe_packet.ts";

export const BANNER = "SSH-2.0-compute_lb_demo\r\n";

/** The kernel's filter (CALC_LOAD): every 5 s, with a memory of a minute. */
const STEP_MS = 5000;
const MEMORY_MS = 60_000;

export class DemoBackend implements AsyncDisposable {
  readonly #sessions: Deno.TcpListener;
  readonly #nrpe: Deno.TcpListener;
  readonly #open = new Set<Deno.Conn>();
  readonly #loops: Promise<void>[];
  readonly #timer: ReturnType<typeof setInterval>;
  #load = 0;
  /** Sessions ever served. */
  served = 0;

  /** @param cores what it says it has; each session keeps one of them busy. */
  constructor(readonly name: string, readonly cores: number) {
    this.#sessions = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#nrpe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const decay = Math.exp(-STEP_MS / MEMORY_MS);
    this.#timer = setInterval(() => {
      this.#load = this.#load * decay + this.#open.size * (1 - decay);
    }, STEP_MS);
    this.#loops = [
      accept(this.#sessions, (conn) => this.#serveSession(conn)),
      accept(this.#nrpe, (conn) => this.#answerNrpe(conn)),
    ];
  }

  get port(): number {
    return this.#sessions.addr.port;
  }

  get nrpePort(): number {
    return this.#nrpe.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#sessions.close();
    this.#nrpe.close();
    for (const conn of this.#open) closeQuietly(conn);
    await Promise.all(this.#loops);
  }

  async #serveSession(conn: Deno.Conn): Promise<void> {
    this.#open.add(conn);
    this.served++;
    try {
      await conn.write(new TextEncoder().encode(BANNER));
      const buffer = new Uint8Array(4096);
      for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
        for (let at = 0; at < n;) at += await conn.write(buffer.subarray(at, n));
      }
    } finally {
      this.#open.delete(conn);
    }
  }

  async #answerNrpe(conn: Deno.Conn): Promise<void> {
    const packet = new Uint8Array(4096);
    let length = 0;
    for (;;) {
      const expected = expectedLength(packet.subarray(0, length));
      if (!expected.ok) return;
      if (expected.value !== undefined && length >= expected.value) break;
      const count = await conn.read(packet.subarray(length));
      if (count === null || length + count === packet.length) return;
      length += count;
    }
    const query = decodeQuery(packet.subarray(0, length));
    if (!query.ok) return;
    const load = this.#load.toFixed(3);
    const scaled = (this.#load / this.cores).toFixed(3);
    const [code, text] = query.value.text === "check_load"
      ? [0, `OK - load average: ${load}|load1=${load};;;0; scaled_load1=${scaled};;;0;`]
      : [3, `NRPE: Command '${query.value.text}' not defined`];
    await conn.write(encodeResponse(query.value.version, code, text));
  }
}

async function accept(
  listener: Deno.TcpListener,
  serve: (conn: Deno.Conn) => Promise<void>,
): Promise<void> {
  const serving = new Set<Promise<void>>();
  await acceptEach(listener, SYSTEM_CLOCK, (conn) => {
    const served = serve(conn).catch(() => {}).finally(() => {
      closeQuietly(conn);
      serving.delete(served);
    });
    serving.add(served);
  });
  await Promise.all(serving);
}
