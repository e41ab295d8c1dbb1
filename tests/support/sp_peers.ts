// Proxies for tests of generators: pullers of our own that want as much as the test says, and sockets that speak SP
// by hand.

import type { Address } from "../../lib/core/values/address.ts";
import type { Clock } from "../../lib/core/timing/clock.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { framed, headerOf, PULL, PUSH, SpReader } from "../../lib/sp/framing.ts";
import { Puller } from "../../lib/sp/puller.ts";
import { waitFor } from "./wait_for.ts";

const encoder = new TextEncoder();

/** A proxy of ours without clients. */
export class TestProxy implements AsyncDisposable {
  readonly tokens: string[] = [];
  readonly states: string[] = [];
  readonly puller: Puller;

  /** @param greeting what it has when it connects. */
  constructor(address: Address, greeting: readonly string[] = [], clock: Clock = SYSTEM_CLOCK) {
    this.puller = new Puller(address, {
      clock,
      random: Math.random,
      maxBytes: 1024,
      greeting: () => greeting,
      onMessage: (bytes) => this.tokens.push(new TextDecoder().decode(bytes)),
      onState: (state) => this.states.push(state),
    });
  }

  /** Asks for so many tokens, and waits until they are there. */
  async take(count: number): Promise<string[]> {
    const before = this.tokens.length;
    this.puller.want(count);
    await waitFor(`${count} tokens`, () => this.tokens.length >= before + count);
    return this.tokens.slice(before);
  }

  end(token: string): void {
    this.puller.send(`end ${token}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.puller[Symbol.asyncDispose]();
  }
}

/** A PULL socket that says nothing but its header, as nanomsg's, and reads when the test says so. */
export class SilentProxy implements Disposable {
  readonly tokens: string[] = [];
  readonly #conn: Deno.Conn;
  readonly #reader = new SpReader("tcp", PUSH, 1_000_000);

  private constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** @param more what it says in the same write as its header. */
  static async connect(port: number, more = new Uint8Array()): Promise<SilentProxy> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await conn.write(Uint8Array.from([...headerOf(PULL), ...more]));
    return new SilentProxy(conn);
  }

  /** Says something on the back-channel after all. */
  async say(text: string): Promise<void> {
    await this.write(framed(encoder.encode(text), "tcp"));
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#conn.write(bytes);
  }

  /** Reads once. @returns whether the other side still stands. */
  async read(): Promise<boolean> {
    const buffer = new Uint8Array(65_536);
    const count = await this.#conn.read(buffer).catch(() => null);
    if (count === null) return false;
    this.#reader.push(buffer.subarray(0, count));
    for (let next = this.#reader.next(); next.ok && next.value; next = this.#reader.next()) {
      this.tokens.push(new TextDecoder().decode(next.value));
    }
    return true;
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}
