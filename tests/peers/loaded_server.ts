// A compute server as the balancer sees one: a service that sessions log in to, and the real NRPE daemon,
// whose load follows the sessions as the kernel would show it. A client says with its first byte whether
// its session keeps a core busy.

import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { Nrped } from "./nrped.ts";
import { TcpPeer } from "./tcp_peer.ts";

/** What clients send to log in. */
export const BUSY = "b".charCodeAt(0);
export const IDLE = "i".charCodeAt(0);

/** The kernel's filter takes a step every 5 s. */
const STEP_MS = 5000;
const KEEP = Math.exp(-5 / 60);

export interface LoadedServerOptions {
  /** A loopback address of its own. */
  readonly address: string;
  readonly cores: number;
  /** Tasks that run all the time and have for long. */
  readonly base: number;
  /** When the filter takes its first step, in milliseconds. */
  readonly firstStepMs: number;
}

export class LoadedServer implements AsyncDisposable {
  /** Sessions that have logged in and stand. */
  sessions = 0;
  readonly #peer: TcpPeer;
  readonly #stop = new AbortController();
  readonly #stepping: Promise<void>;
  #busy = 0;
  #load1: number;

  private constructor(readonly options: LoadedServerOptions, readonly nrped: Nrped) {
    this.#load1 = options.base;
    this.#peer = new TcpPeer((conn) => this.#serve(conn), { hostname: options.address });
    this.#stepping = this.#step();
  }

  static async start(options: LoadedServerOptions): Promise<LoadedServer> {
    const nrped = await Nrped.start({ address: options.address });
    await nrped.setLoad(options.base, options.cores);
    return new LoadedServer(options, nrped);
  }

  /** Where sessions go. */
  get address(): string {
    return this.#peer.address;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#stepping;
    await this.#peer[Symbol.asyncDispose]();
    await this.nrped[Symbol.asyncDispose]();
  }

  /** Counts a session from its first byte to its end; a health probe sends none. */
  async #serve(conn: Deno.Conn): Promise<void> {
    const byte = new Uint8Array(1);
    if (await conn.read(byte) === null) return;
    const busy = byte[0] === BUSY ? 1 : 0;
    this.sessions++;
    this.#busy += busy;
    try {
      await conn.write(byte);
      await conn.read(byte);
    } finally {
      this.sessions--;
      this.#busy -= busy;
    }
  }

  async #step(): Promise<void> {
    const { base, cores, firstStepMs } = this.options;
    const { signal } = this.#stop;
    let due = SYSTEM_CLOCK.now() + firstStepMs;
    while (!signal.aborted) {
      await SYSTEM_CLOCK.sleep(due - SYSTEM_CLOCK.now(), signal).catch(() => {});
      if (signal.aborted) return;
      this.#load1 = this.#load1 * KEEP + (base + this.#busy) * (1 - KEEP);
      // Two decimals, as /proc/loadavg shows it.
      await this.nrped.setLoad(Math.round(this.#load1 * 100) / 100, cores);
      due += STEP_MS;
    }
  }
}
