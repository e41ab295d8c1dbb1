// Two sockets and any number of pipes without a kernel, behind the calls that the splice engine's relay makes:
// buffers of any size, reads and writes that are short, interrupted or refused, ends, resets, and the
// edge-triggered events that a kernel would tell.

import {
  EAGAIN,
  ECONNRESET,
  EINTR,
  EMFILE,
  EPIPE,
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
  type Libc,
} from "../../lib/engine/splice/libc.ts";
import { PIPE_BYTES } from "../../lib/engine/splice/pipes.ts";

/** Descriptors of the two sockets are this and one more; pipes' are beyond. */
export const FIRST_FD = 10;
const FIRST_PIPE = 100;
const RESET_EVENTS = EPOLLERR | EPOLLHUP | EPOLLIN | EPOLLRDHUP | EPOLLOUT;

/** What waits somewhere, in pieces. */
class Bytes {
  length = 0;
  readonly #pieces: Uint8Array[] = [];

  put(piece: Uint8Array): void {
    if (piece.length > 0) this.#pieces.push(piece);
    this.length += piece.length;
  }

  putBack(piece: Uint8Array): void {
    if (piece.length > 0) this.#pieces.unshift(piece);
    this.length += piece.length;
  }

  take(count: number): Uint8Array {
    const taken = new Uint8Array(Math.min(count, this.length));
    for (let at = 0; at < taken.length;) {
      const piece = this.#pieces.shift() ?? new Uint8Array();
      const part = piece.subarray(0, taken.length - at);
      taken.set(part, at);
      at += part.length;
      if (part.length < piece.length) this.#pieces.unshift(piece.subarray(part.length));
    }
    this.length -= taken.length;
    return taken;
  }
}

/** One socket, and its peer's side of it. Byte n of what a peer sends is {@linkcode byteAt} n. */
export class FakeSocket {
  events = EPOLLOUT;
  sent = 0;
  received = 0;
  isCorrupt = false;
  /** The peer has sent its last byte. */
  hasEnded = false;
  /** The peer is gone without a word: whatever is written to it is answered by a reset. */
  isGone = false;
  isReset = false;
  readonly #inbound = new Bytes();
  readonly #outbound = new Bytes();
  #wantsRoom = false;
  #isResetTold = false;
  /** Plain bytes before the urgent one that waits. */
  #beforeUrgent = Infinity;

  constructor(readonly inboundRoom: number, readonly outboundRoom: number) {}

  get unread(): number {
    return this.#outbound.length;
  }

  peerSends(count: number): void {
    if (this.hasEnded || this.isReset) return;
    const piece = new Uint8Array(Math.min(count, this.inboundRoom - this.#inbound.length));
    for (let i = 0; i < piece.length; i++) piece[i] = byteAt(this.sent++);
    this.#inbound.put(piece);
    if (piece.length > 0) this.events |= EPOLLIN;
  }

  /** Sends an urgent byte, which no read gives; the kernel knows of one at a time. */
  peerUrges(): void {
    if (this.hasEnded || this.isReset || this.#beforeUrgent !== Infinity) return;
    this.#beforeUrgent = this.#inbound.length;
    this.events |= this.#inbound.length > 0 ? EPOLLIN | EPOLLPRI : EPOLLPRI;
  }

  peerReads(count: number): void {
    if (this.isGone || this.isReset) return;
    for (const byte of this.#outbound.take(count)) {
      if (byte !== byteAt(this.received++)) this.isCorrupt = true;
    }
    if (!this.#wantsRoom || this.#outbound.length > this.outboundRoom * 2 / 3) return;
    this.#wantsRoom = false;
    this.events |= EPOLLOUT;
  }

  peerEnds(): void {
    this.hasEnded = true;
    this.events |= EPOLLIN | EPOLLRDHUP;
  }

  peerGoes(): void {
    this.peerEnds();
    this.isGone = true;
    if (this.#outbound.length > 0) this.reset();
  }

  reset(): void {
    this.hasEnded = true;
    this.isReset = true;
    this.events |= RESET_EVENTS;
  }

  /**
   * Reads no further than to the urgent byte, and past that when it is the next: splice(2) cannot.
   * @returns the bytes, none at the end, or an errno.
   */
  read(count: number, passesUrgent: boolean): Uint8Array | number {
    if (this.#beforeUrgent === 0) {
      if (!passesUrgent) return this.hasEnded ? new Uint8Array() : EAGAIN;
      this.#beforeUrgent = Infinity;
    }
    if (this.#inbound.length > 0) {
      const bytes = this.#inbound.take(Math.min(count, this.#beforeUrgent));
      this.#beforeUrgent -= bytes.length;
      return bytes;
    }
    if (this.isReset && !this.#isResetTold) {
      this.#isResetTold = true;
      return ECONNRESET;
    }
    return this.hasEnded ? new Uint8Array() : EAGAIN;
  }

  /** @returns how many were taken, or minus an errno. */
  write(bytes: Uint8Array): number {
    if (this.isGone && !this.isReset) this.reset();
    if (this.isReset) {
      this.#isResetTold = true;
      return -EPIPE;
    }
    const room = this.outboundRoom - this.#outbound.length;
    if (room < bytes.length) this.#wantsRoom = true;
    if (room <= 0) return -EAGAIN;
    this.#outbound.put(bytes.slice(0, room));
    return Math.min(room, bytes.length);
  }
}

export interface Mischief {
  readonly random: () => number;
  readonly interrupts: boolean;
  readonly hasPipes: boolean;
  /** Reads give less than there is. */
  readonly readsShort: boolean;
}

/** The calls of a C library that knows these two sockets alone; those it lacks are the real one's. */
export function fakeLibc(real: Libc, sockets: readonly FakeSocket[], mischief: Mischief): Libc {
  const { random, interrupts, hasPipes, readsShort } = mischief;
  const errno = new Int32Array(1);
  const pipes = new Map<number, Bytes>();
  let nextPipe = FIRST_PIPE;
  const fail = (code: number) => {
    errno[0] = code;
    return -1;
  };
  const socketOf = (fd: number) => {
    const socket = sockets[fd - FIRST_FD];
    if (socket === undefined) throw new Error(`Cannot use descriptor ${fd}: it is no socket`);
    return socket;
  };
  const pipeOf = (end: number) => {
    const pipe = pipes.get(end - end % 2);
    if (pipe === undefined) throw new Error(`Cannot use descriptor ${end}: it is no pipe`);
    return pipe;
  };
  const isInterrupted = () => interrupts && random() < 0.05;
  const amount = (most: number) => readsShort ? 1 + Math.floor(random() * most) : most;
  const write = (fd: number, bytes: Uint8Array) => {
    const count = socketOf(fd).write(bytes);
    return count < 0 ? fail(-count) : count;
  };
  const calls: Libc["calls"] = {
    ...real.calls,
    recv: (fd, buffer, length) => {
      if (isInterrupted()) return fail(EINTR);
      const bytes = socketOf(fd).read(amount(length), true);
      if (typeof bytes === "number") return fail(bytes);
      memoryAt(buffer, length).set(bytes);
      return bytes.length;
    },
    send: (fd, buffer, length) =>
      isInterrupted() ? fail(EINTR) : write(fd, memoryAt(buffer, length).slice()),
    splice: (from, _from, to, _to, length) => {
      if (isInterrupted()) return fail(EINTR);
      if (from < FIRST_PIPE) {
        const bytes = socketOf(from).read(amount(length), false);
        if (typeof bytes === "number") return fail(bytes);
        pipeOf(to).put(bytes);
        return bytes.length;
      }
      const pipe = pipeOf(from);
      if (pipe.length === 0) return fail(EAGAIN);
      const bytes = pipe.take(length);
      const count = write(to, bytes);
      pipe.putBack(bytes.subarray(Math.max(0, count)));
      return count;
    },
    shutdown: () => 0,
    pipe2: (ends) => {
      if (!hasPipes) return fail(EMFILE);
      new Int32Array(memoryAt(ends, 8).buffer).set([nextPipe, nextPipe + 1]);
      pipes.set(nextPipe, new Bytes());
      nextPipe += 2;
      return 0;
    },
    fcntl: () => PIPE_BYTES,
    close: (fd) => {
      pipes.delete(fd);
      return 0;
    },
  };
  return { calls, errno, close: () => {} };
}

export function byteAt(position: number): number {
  return (position * 31 + (position >> 8) * 7 + (position >> 16)) & 255;
}

function memoryAt(pointer: Deno.PointerValue, length: number): Uint8Array<ArrayBuffer> {
  if (pointer === null) throw new Error("Cannot use a null pointer");
  return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, length));
}
