// Listening sockets, made on the control plane: bind errors surface here, and the sockets outlive any
// worker. Also where addresses become sockaddrs.

import { type Address, formatAddress } from "../../core/values/address.ts";
import { listenHint } from "../../core/values/errors.ts";
import { bindWithMode } from "../socket_mode.ts";
import {
  addressOf,
  AF_INET,
  AF_INET6,
  AF_UNIX,
  EADDRINUSE,
  EADDRNOTAVAIL,
  EAFNOSUPPORT,
  ECONNREFUSED,
  F_SETFD,
  F_SETFL,
  FD_CLOEXEC,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_V6ONLY,
  type Libc,
  LibcError,
  O_NONBLOCK,
  SO_REUSEADDR,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_NODELAY,
  UNRESOLVED,
} from "./libc.ts";
import type { KeepaliveOptions } from "./control_messages.ts";
import { decodeSockaddr, encodeSockaddr, SOCKADDR_BYTES, SOCKADDR_WORDS } from "./sockaddr.ts";
import { SocketOptions } from "./socket_options.ts";

/** Clients that may wait to be accepted; the kernel clamps it to net.core.somaxconn. */
const BACKLOG = 4096;

/** A socket that listens. */
export interface ListeningSocket {
  readonly fd: number;
  /** Where it listens, port 0 resolved; the host as it was asked for. */
  readonly bound: Address;
  /** Made by whoever started the program, who also minds a unix socket's file. */
  readonly inherited?: boolean;
  /** Its sockaddr when that names one address, so that no client need be asked for it. */
  readonly local?: Int32Array;
}

/** Makes sockets with one set of options. Runs on the control plane. */
export class SocketMaker {
  readonly #libc: Libc;
  readonly #options: SocketOptions;
  readonly #name = new Int32Array(SOCKADDR_BYTES / 4);
  readonly #namePointer = addressOf(this.#name);
  readonly #length = new Int32Array(16);
  readonly #lengthPointer = addressOf(this.#length);

  constructor(libc: Libc, keepalive: KeepaliveOptions) {
    this.#libc = libc;
    this.#options = new SocketOptions(libc, keepalive);
  }

  /**
   * Listens on an address. Host "" means every address of both families. A unix socket's file that
   * nobody listens on any more is replaced.
   * @param mode of a unix socket's file; undefined: as the umask has it.
   * @throws {LibcError} naming the address.
   */
  listen(address: Address, mode?: number): ListeningSocket {
    if (address.transport === "unix") return this.#listenUnix(address.path, mode);
    if (address.host !== "") {
      return this.#listenTcp(address, this.sockaddr(address) ?? this.#resolve(address));
    }
    const everywhere = (host: string) =>
      this.#listenTcp(address, this.sockaddr({ ...address, host }));
    try {
      return everywhere("::");
    } catch (error) {
      // No IPv6 on this machine (ipv6.disable=1, or no address of that family).
      const codes = ["EAFNOSUPPORT", "EADDRNOTAVAIL"];
      if (error instanceof LibcError && codes.includes(error.code)) return everywhere("0.0.0.0");
      throw error;
    }
  }

  /** Takes over a listening socket that the program was started with. */
  adopt(fd: number): ListeningSocket {
    const { fcntl } = this.#libc.calls;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    const { address, words } = this.#nameOf(fd);
    this.#prepare(fd, address.transport === "unix");
    return { ...this.#described(fd, address, words), inherited: true };
  }

  /** Stops listening, and takes a unix socket's file away. */
  close(socket: ListeningSocket): void {
    if (socket.bound.transport === "unix" && !socket.inherited) removeFile(socket.bound.path);
    this.#libc.calls.close(socket.fd);
  }

  /** The sockaddr of an IP literal or a unix path; undefined for a name. */
  sockaddr(address: Address): Uint8Array<ArrayBuffer> | undefined {
    return encodeSockaddr(
      address,
      (name) => this.#libc.calls.if_nametoindex(new TextEncoder().encode(`${name}\0`)),
    );
  }

  #listenTcp(address: Address, sockaddr: Uint8Array<ArrayBuffer> | undefined): ListeningSocket {
    if (sockaddr === undefined) throw cannotListen(address, UNRESOLVED);
    const family = sockaddr[0] ?? AF_INET;
    const fd = this.#socket(address, family);
    const fail = (errno: number) => {
      this.#libc.calls.close(fd);
      return cannotListen(address, errno);
    };
    // A restart binds although connections of the last run still are in TIME_WAIT.
    this.#options.set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (family === AF_INET6) {
      const both = address.transport === "tcp" && address.host === "";
      this.#options.set(fd, IPPROTO_IPV6, IPV6_V6ONLY, both ? 0 : 1);
    }
    this.#prepare(fd, false);
    const { bind, listen } = this.#libc.calls;
    if (bind(fd, addressOf(sockaddr), sockaddr.length) < 0) throw fail(this.#libc.errno[0] ?? 0);
    if (listen(fd, BACKLOG) < 0) throw fail(this.#libc.errno[0] ?? 0);
    const { address: bound, words } = this.#nameOf(fd);
    if (bound.transport !== "tcp" || address.transport !== "tcp") throw fail(EAFNOSUPPORT);
    return this.#described(fd, { ...address, port: bound.port }, words);
  }

  #listenUnix(path: string, mode: number | undefined): ListeningSocket {
    const address: Address = { transport: "unix", path };
    const sockaddr = this.sockaddr(address);
    if (sockaddr === undefined) throw cannotListen(address, UNRESOLVED);
    const fd = this.#socket(address, AF_UNIX);
    const { bind, listen, close } = this.#libc.calls;
    const failing = (result: number) => result < 0 ? this.#libc.errno[0] ?? 0 : 0;
    const make = () =>
      bindWithMode(mode, () => failing(bind(fd, addressOf(sockaddr), sockaddr.length)));
    let errno = make();
    if (errno === EADDRINUSE && this.#isStale(path, sockaddr)) {
      removeFile(path);
      errno = make();
    }
    if (errno === 0) errno = failing(listen(fd, BACKLOG));
    if (errno === 0) return { fd, bound: address };
    close(fd);
    throw cannotListen(address, errno);
  }

  /** Tells whether a file is a unix socket on which nobody listens any more. */
  #isStale(path: string, sockaddr: Uint8Array<ArrayBuffer>): boolean {
    // A connection to an ordinary file is refused as well; that one is not ours to remove.
    if (!isSocket(path)) return false;
    const { socket, connect, close } = this.#libc.calls;
    const fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    const refused = connect(fd, addressOf(sockaddr), sockaddr.length) < 0 &&
      this.#libc.errno[0] === ECONNREFUSED;
    close(fd);
    return refused;
  }

  #socket(address: Address, family: number): number {
    const fd = this.#libc.calls.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) throw cannotListen(address, this.#libc.errno[0] ?? 0);
    return fd;
  }

  /** Sets what accepted sockets inherit, so that no client costs a system call for it. */
  #prepare(fd: number, unix: boolean): void {
    if (unix) return;
    this.#options.set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    this.#options.keepAlive(fd);
  }

  #nameOf(fd: number): { address: Address; words: Int32Array } {
    this.#length[0] = SOCKADDR_BYTES;
    this.#libc.calls.getsockname(fd, this.#namePointer, this.#lengthPointer);
    const words = this.#name.slice(0, SOCKADDR_WORDS);
    if (((words[0] ?? 0) & 0xffff) !== AF_UNIX) return { address: decodeSockaddr(words), words };
    const path = new Uint8Array(this.#name.buffer, 2, Math.max(0, (this.#length[0] ?? 2) - 2));
    const end = path.indexOf(0);
    const text = new TextDecoder().decode(path.slice(0, end === -1 ? path.length : end));
    return { address: { transport: "unix", path: text }, words };
  }

  #described(fd: number, bound: Address, words: Int32Array): ListeningSocket {
    const wildcard = bound.transport === "unix" || bound.host === "" || bound.host === "0.0.0.0" ||
      bound.host === "::";
    return wildcard ? { fd, bound } : { fd, bound, local: words };
  }

  /** Asks the resolver for a host to listen on; the first answer is taken, as Deno.listen does. */
  #resolve(address: Address & { transport: "tcp" }): Uint8Array<ArrayBuffer> {
    const { getaddrinfo, freeaddrinfo } = this.#libc.calls;
    // struct addrinfo: flags, family, socktype, protocol, addrlen, then pointers (netdb.h).
    const hints = new Int32Array(12);
    hints[2] = SOCK_STREAM;
    const list = new BigUint64Array(1);
    const host = new TextEncoder().encode(`${address.host}\0`);
    const result = getaddrinfo(
      host,
      null,
      new Uint8Array(hints.buffer),
      new Uint8Array(list.buffer),
    );
    const first = Deno.UnsafePointer.create(list[0] ?? 0n);
    if (result !== 0 || first === null) throw cannotListen(address, UNRESOLVED);
    const info = new Deno.UnsafePointerView(first);
    const sockaddr = info.getPointer(24);
    if (sockaddr === null) throw cannotListen(address, EADDRNOTAVAIL);
    const bytes = new Uint8Array(info.getUint32(16));
    new Deno.UnsafePointerView(sockaddr).copyInto(bytes);
    freeaddrinfo(first);
    new DataView(bytes.buffer).setUint16(2, address.port);
    return bytes;
  }
}

function cannotListen(address: Address, errno: number): LibcError {
  const error = new LibcError(`Cannot listen on "${formatAddress(address)}"`, errno);
  error.message += listenHint(error, address);
  return error;
}

function isSocket(path: string): boolean {
  try {
    return Deno.lstatSync(path).isSocket === true;
  } catch {
    return false;
  }
}

function removeFile(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // Gone already, or not ours to remove: binding tells.
  }
}
