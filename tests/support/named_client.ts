// Clients of a unix socket whose own end has a name, which Deno.connect cannot give.

import {
  AF_UNIX,
  type Libc,
  LibcError,
  openLibc,
  SOCK_STREAM,
} from "../../lib/engine/splice/libc.ts";

export class NamedClient implements Disposable {
  readonly #libc: Libc = openLibc();
  readonly #fd: number;

  /**
   * Connects to a unix socket.
   * @param name in the abstract namespace, so that there is no file.
   */
  constructor(name: Uint8Array, path: string) {
    const { socket, bind, connect } = this.#libc.calls;
    this.#fd = socket(AF_UNIX, SOCK_STREAM, 0);
    const own = sockaddrOf(new Uint8Array([0, ...name]));
    const there = sockaddrOf(new TextEncoder().encode(`${path}\0`));
    if (
      bind(this.#fd, Deno.UnsafePointer.of(own), own.length) < 0 ||
      connect(this.#fd, Deno.UnsafePointer.of(there), there.length) < 0
    ) {
      throw new LibcError(`Cannot connect to ${path}`, this.#libc.errno[0] ?? 0);
    }
  }

  [Symbol.dispose](): void {
    this.#libc.calls.close(this.#fd);
    this.#libc.close();
  }
}

function sockaddrOf(name: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array([AF_UNIX, 0, ...name]);
}
