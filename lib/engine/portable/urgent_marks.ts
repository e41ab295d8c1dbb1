// Wakes reads that stand before urgent data. A read stops there, which leaves it short, and the runtime takes
// a short read for a sign that nothing more waits (tokio clears its readiness, and asks epoll for changes
// alone). What stands behind would wait for the peer to send more, which a peer whose window is full cannot.
//
// Deno tells no connection's descriptor, so all descriptors of the process are looked at.

import {
  addressOf,
  type Libc,
  openLibc,
  SIOCATMARK,
  SO_RCVLOWAT,
  SOL_SOCKET,
} from "../splice/libc.ts";

/** Descriptors looked at in one turn: 1 ms of work at most. */
const TURN = 1024;

export class UrgentMarks {
  readonly #libc: Libc;
  readonly #value = new Int32Array(16);
  readonly #valueAddress = addressOf(this.#value);
  #next = 0;

  private constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** @returns undefined where there is no glibc, or the program may not use FFI. */
  static open(): UrgentMarks | undefined {
    if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return undefined;
    try {
      return new UrgentMarks(openLibc());
    } catch {
      return undefined;
    }
  }

  /** Looks at the next descriptors, and wakes the reads of those that stand before urgent data. */
  wakeSome(): void {
    const { ioctl, setsockopt } = this.#libc.calls;
    let sockets = 0;
    for (const end = this.#next + TURN; this.#next < end; this.#next++) {
      if (ioctl(this.#next, SIOCATMARK, this.#valueAddress) < 0) continue;
      sockets++;
      if (this.#value[0] === 0) continue;
      // The value is the default one. Setting it has the kernel tell again that there is something to read.
      this.#value[0] = 1;
      setsockopt(this.#next, SOL_SOCKET, SO_RCVLOWAT, this.#valueAddress, 4);
    }
    // The kernel gives the lowest number that is free: beyond these there is none.
    if (sockets === 0) this.#next = 0;
  }

  close(): void {
    this.#libc.close();
  }
}
