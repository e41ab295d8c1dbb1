// Clients that come from a loopback address of their own, which Deno.connect cannot be told.

import { connect, type Socket } from "node:net";
import { within } from "./wait_for.ts";

/** What a client from an address in 127.0.0.0/8 is told first; "" when it is told nothing. */
export async function heardFrom(localAddress: string, port: number): Promise<string> {
  const heard = Promise.withResolvers<string>();
  const closed = Promise.withResolvers<void>();
  const socket = connect({ host: "127.0.0.1", port, localAddress });
  socket.on("data", (bytes) => heard.resolve(String(bytes)));
  socket.on("error", () => heard.resolve(""));
  socket.on("close", () => {
    heard.resolve("");
    closed.resolve();
  });
  try {
    return await within(`the greeting for ${localAddress}`, heard.promise);
  } finally {
    socket.destroy();
    await closed.promise;
  }
}

/** A client from an address in 127.0.0.0/8 that stays. */
export class LoopbackClient implements Disposable {
  readonly #socket: Socket;
  readonly #greeting = Promise.withResolvers<string>();
  /** Whether anything came: a greeting, or the end. */
  hasHeard = false;

  constructor(localAddress: string, port: number) {
    this.#socket = connect({ host: "127.0.0.1", port, localAddress });
    const hear = (text: string) => {
      this.hasHeard = true;
      this.#greeting.resolve(text);
    };
    this.#socket.on("data", (bytes) => hear(String(bytes)));
    this.#socket.on("error", () => hear(""));
    this.#socket.on("close", () => hear(""));
  }

  /** What it is told first; "" when it is told nothing. */
  greeting(): Promise<string> {
    return within("a greeting", this.#greeting.promise);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
