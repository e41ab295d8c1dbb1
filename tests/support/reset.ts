// Connections that end in a TCP reset, which Deno.Conn cannot do on purpose.

import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { within } from "./wait_for.ts";

/** A client that can reset its connection. */
export interface ResettableClient {
  send(text: string): Promise<void>;
  reset(): Promise<void>;
}

/** A server that sends one byte and resets its connections when told. */
export class ResettingServer implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    socket.write(new Uint8Array([1]));
  });

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const { port } = this.#server.address() as AddressInfo;
    return `127.0.0.1:${port}`;
  }

  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.reset();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Connects with a socket that can be reset. */
export async function connectResettable(port: number): Promise<ResettableClient> {
  const socket = connect({ host: "127.0.0.1", port });
  const closed = Promise.withResolvers<void>();
  socket.on("error", () => {});
  socket.on("close", () => closed.resolve());
  const connected = Promise.withResolvers<void>();
  socket.on("connect", () => connected.resolve());
  await within("connection", Promise.race([connected.promise, closed.promise]));
  return {
    send: (text) => new Promise((resolve) => socket.write(text, () => resolve())),
    reset: () => {
      socket.resetAndDestroy();
      return closed.promise;
    },
  };
}
