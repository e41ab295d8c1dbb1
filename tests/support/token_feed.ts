// A generator for tests of feeds: hands out the tokens that the test gives it, and writes down what it is told.

import { type Address, parseBackendAddress } from "../../lib/core/values/address.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { Pusher } from "../../lib/sp/pusher.ts";

const encoder = new TextEncoder();

export class TokenFeed implements AsyncDisposable {
  readonly endpoint: Address;
  /** What it is told on the back-channel, `want` aside. */
  readonly words: string[] = [];
  readonly #waiting: string[] = [];
  readonly #pusher: Pusher;
  sent = 0;
  /** Handed out when nothing else is left; undefined: nothing. */
  always: string | undefined;

  /** @param port 0: any that is free. */
  constructor(port = 0) {
    const listener = Deno.listen({ hostname: "127.0.0.1", port });
    const address = parseBackendAddress(`127.0.0.1:${listener.addr.port}`);
    if (!address.ok) throw new Error(address.message);
    this.endpoint = address.value;
    this.#pusher = new Pusher([listener], {
      clock: SYSTEM_CLOCK,
      next: () => {
        const token = this.#waiting.shift() ?? this.always;
        if (token === undefined) return undefined;
        this.sent++;
        return encoder.encode(token);
      },
      heard: (_, word) =>
        this.words.push(
          word.kind === "have" ? `have ${word.token} ${word.count}` : `end ${word.token}`,
        ),
      say: () => {},
    });
  }

  get port(): number {
    return this.endpoint.transport === "tcp" ? this.endpoint.port : 0;
  }

  /** Whether somebody pulls. */
  get isPulled(): boolean {
    return this.#pusher.peers.size > 0;
  }

  /** Tokens that nobody has asked for yet. */
  get left(): number {
    return this.#waiting.length;
  }

  send(...tokens: string[]): void {
    this.#waiting.push(...tokens);
    this.#pusher.kick();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#pusher[Symbol.asyncDispose]();
  }
}
