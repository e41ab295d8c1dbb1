// The socket options that tunnels have: keepalive, TCP_USER_TIMEOUT, and how a socket is closed.
// Used by the control plane on listening sockets, from which accepted ones inherit, and by the workers
// on sockets to backends.

import {
  addressOf,
  IPPROTO_TCP,
  type Libc,
  SIOCOUTQ,
  SO_KEEPALIVE,
  SO_LINGER,
  SOL_SOCKET,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_USER_TIMEOUT,
} from "./libc.ts";
import type { KeepaliveOptions } from "./control_messages.ts";
import { BACKEND_RESET, CLIENT_RESET } from "./records.ts";

export class SocketOptions {
  readonly #libc: Libc;
  readonly #keepalive: KeepaliveOptions;
  readonly #value = new Int32Array(16);
  readonly #valueAddress = addressOf(this.#value);

  constructor(libc: Libc, keepalive: KeepaliveOptions) {
    this.#libc = libc;
    this.#keepalive = keepalive;
  }

  /** Sets an option that is an int. @returns 0, or -1 with errno. */
  set(fd: number, level: number, option: number, value: number): number {
    this.#value[0] = value;
    return this.#libc.calls.setsockopt(fd, level, option, this.#valueAddress, 4);
  }

  /** Lets the kernel find out that the other end is gone. No effect on a unix socket. */
  keepAlive(fd: number): void {
    const { idleSeconds, intervalSeconds, count, userTimeoutMs } = this.#keepalive;
    if (idleSeconds > 0) {
      this.set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
      this.set(fd, IPPROTO_TCP, TCP_KEEPIDLE, idleSeconds);
      this.set(fd, IPPROTO_TCP, TCP_KEEPINTVL, intervalSeconds);
      this.set(fd, IPPROTO_TCP, TCP_KEEPCNT, count);
    }
    if (userTimeoutMs > 0) this.set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, userTimeoutMs);
  }

  /** Closes a tunnel's sockets; where one side was reset, so is the other. */
  closeTunnel(client: number, backend: number, reason: number): void {
    if (reason === BACKEND_RESET) this.#resetOnClose(client);
    else if (reason === CLIENT_RESET) this.#resetOnClose(backend);
    this.#libc.calls.close(client);
    this.#libc.calls.close(backend);
  }

  /** Has close(2) send RST, unless that would take back bytes which are on their way. */
  #resetOnClose(fd: number): void {
    const { ioctl, setsockopt } = this.#libc.calls;
    if (ioctl(fd, SIOCOUTQ, this.#valueAddress) < 0 || this.#value[0] !== 0) return;
    this.#value[0] = 1; // l_onoff
    this.#value[1] = 0; // l_linger, seconds
    setsockopt(fd, SOL_SOCKET, SO_LINGER, this.#valueAddress, 8);
  }
}
