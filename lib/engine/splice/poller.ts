// One epoll instance. Sockets of tunnels are added once, edge-triggered, and leave by being closed;
// listening sockets are level-triggered and wake one of the workers that share them.
//
// All methods run in the worker.
//
// `!` on typed-array reads: indices are below what epoll_wait returned.

import { FD, SERIAL, TUNNEL_WORDS, type WorkerMemory } from "./layout.ts";
import {
  addressOf,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLL_DATA_WORD,
  EPOLL_EVENT_WORDS,
  EPOLLERR,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
  type Libc,
} from "./libc.ts";

/** Events taken at once; small enough that nobody waits long behind the others. */
const MAX_EVENTS = 256;
const TUNNEL_EVENTS = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
/** There is something to read, be it the end. */
export const READ = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
/** After the bytes comes the end, an error or urgent data: a short read is not the last. */
export const READ_ON = EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI;
/** The wake-up's number; listeners are LISTENER_KEY - id. */
export const WAKE_KEY = -1;
export const LISTENER_KEY = -2;

export class Poller {
  readonly #libc: Libc;
  readonly #epollFd: number;
  readonly #words: Int32Array;
  readonly #events = new Int32Array(MAX_EVENTS * EPOLL_EVENT_WORDS);
  readonly #eventsAddress = addressOf(this.#events);
  readonly #control = new Int32Array(16);
  readonly #controlAddress = addressOf(this.#control);
  #serial = 0;

  constructor(libc: Libc, memory: WorkerMemory, epollFd: number) {
    this.#libc = libc;
    this.#words = memory.words;
    this.#epollFd = epollFd;
  }

  /** Waits for events. @returns how many there are; 0 on a signal as well. */
  wait(timeoutMs: number): number {
    const { epoll_wait } = this.#libc.calls;
    return Math.max(0, epoll_wait(this.#epollFd, this.#eventsAddress, MAX_EVENTS, timeoutMs));
  }

  /** What event `i` is: EPOLLIN and its like. */
  flags(i: number): number {
    return this.#events[i * EPOLL_EVENT_WORDS]!;
  }

  /** What event `i` is for: slot * 2 + side, or a negative key. */
  key(i: number): number {
    return this.#events[i * EPOLL_EVENT_WORDS + EPOLL_DATA_WORD]!;
  }

  /** The serial number of the socket that event `i` is for. */
  serial(i: number): number {
    return this.#events[i * EPOLL_EVENT_WORDS + EPOLL_DATA_WORD + 1]!;
  }

  /** Adds a tunnel's socket; false when the kernel has no memory or watches left. */
  add(slot: number, side: number): boolean {
    const base = slot * TUNNEL_WORDS;
    this.#serial = (this.#serial + 1) | 0;
    this.#words[base + SERIAL + side] = this.#serial;
    const fd = this.#words[base + FD + side]!;
    return this.#watch(EPOLL_CTL_ADD, fd, TUNNEL_EVENTS, 2 * slot + side, this.#serial);
  }

  /** Has the kernel tell once more what there is of a tunnel's socket. */
  tellAgain(slot: number, side: number): void {
    const base = slot * TUNNEL_WORDS;
    const fd = this.#words[base + FD + side]!;
    const serial = this.#words[base + SERIAL + side]!;
    this.#watch(EPOLL_CTL_MOD, fd, TUNNEL_EVENTS, 2 * slot + side, serial);
  }

  addListener(fd: number, id: number): boolean {
    return this.#watch(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE, LISTENER_KEY - id, 0);
  }

  addWake(fd: number): boolean {
    return this.#watch(EPOLL_CTL_ADD, fd, EPOLLIN, WAKE_KEY, 0);
  }

  remove(fd: number): void {
    this.#libc.calls.epoll_ctl(this.#epollFd, EPOLL_CTL_DEL, fd, this.#controlAddress);
  }

  #watch(operation: number, fd: number, events: number, key: number, serial: number): boolean {
    this.#control[0] = events;
    this.#control[EPOLL_DATA_WORD] = key;
    this.#control[EPOLL_DATA_WORD + 1] = serial;
    const { epoll_ctl } = this.#libc.calls;
    return epoll_ctl(this.#epollFd, operation, fd, this.#controlAddress) === 0;
  }
}
