// TCP connections that send urgent data (MSG_OOB), which Deno.Conn cannot.

import type { Address } from "../../lib/core/values/address.ts";
import {
  AF_INET,
  EAGAIN,
  F_SETFL,
  type Libc,
  LibcError,
  MSG_NOSIGNAL,
  O_NONBLOCK,
  SHUT_WR,
  SOCK_STREAM,
} from "../../lib/engine/splice/libc.ts";
import { type ListeningSocket, SocketMaker } from "../../lib/engine/splice/sockets.ts";
import { KEEPALIVE } from "./splice_engine.ts";
import { waitFor } from "./wait_for.ts";

const MSG_OOB = 1;

export class UrgentSocket implements Disposable {
  readonly #libc: Libc;
  readonly #fd: number;
  /** A send has found no room. */
  isHeldBack = false;

  constructor(libc: Libc, fd: number) {
    this.#libc = libc;
    this.#fd = fd;
    libc.calls.fcntl(fd, F_SETFL, O_NONBLOCK);
  }

  static connect(libc: Libc, port: number): UrgentSocket {
    const { socket, connect } = libc.calls;
    const fd = socket(AF_INET, SOCK_STREAM, 0);
    const address = new SocketMaker(libc, KEEPALIVE)
      .sockaddr({ transport: "tcp", host: "127.0.0.1", port });
    if (address === undefined) throw new Error("Cannot connect: no address");
    if (connect(fd, Deno.UnsafePointer.of(address), address.length) < 0) {
      throw new LibcError("Cannot connect", libc.errno[0] ?? 0);
    }
    return new UrgentSocket(libc, fd);
  }

  /** Sends everything; the last byte is the urgent one. */
  sendUrgent(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.send(bytes, MSG_OOB);
  }

  async send(bytes: Uint8Array<ArrayBuffer>, flags: number = 0): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const rest = Deno.UnsafePointer.of(bytes.subarray(at));
      const sent = this.#libc.calls.send(this.#fd, rest, bytes.length - at, flags | MSG_NOSIGNAL);
      if (sent > 0) at += sent;
      else {
        const errno = this.#libc.errno[0] ?? 0;
        if (errno !== EAGAIN) throw new LibcError("Cannot send", errno);
        this.isHeldBack = true;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  }

  end(): void {
    this.#libc.calls.shutdown(this.#fd, SHUT_WR);
  }

  [Symbol.dispose](): void {
    this.#libc.calls.close(this.#fd);
  }
}

/** Accepts connections that can send urgent data. */
export class UrgentServer implements Disposable {
  readonly #libc: Libc;
  readonly #maker: SocketMaker;
  readonly #listening: ListeningSocket;

  constructor(libc: Libc) {
    this.#libc = libc;
    this.#maker = new SocketMaker(libc, KEEPALIVE);
    this.#listening = this.#maker.listen({ transport: "tcp", host: "127.0.0.1", port: 0 });
  }

  get bound(): Address {
    return this.#listening.bound;
  }

  accept(): Promise<UrgentSocket> {
    return waitFor("a connection", () => {
      const fd = this.#libc.calls.accept4(this.#listening.fd, null, null, 0);
      return fd < 0 ? undefined : new UrgentSocket(this.#libc, fd);
    });
  }

  [Symbol.dispose](): void {
    this.#maker.close(this.#listening);
  }
}
