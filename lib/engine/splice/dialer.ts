// Dials for the worker: makes the sockets that core/dial/dial_policy.ts asks for, connects them without
// blocking, and tells the policy what became of them. A search's state stands in the tunnel's record.
//
// All methods run in the worker.
//
// `!` on typed-array reads: slots come from the tunnel table.

import {
  BY_BACKEND,
  BY_BACKLOG,
  BY_LOCAL_ADDRESS,
  BY_SHORTAGE,
  CONNECT,
  type DialDriver,
  DialPolicy,
  QUEUE,
  WAIT,
  WAIT_MS,
} from "../../core/dial/dial_policy.ts";
import type { Choice } from "../../core/pick/choice.ts";
import type { PickTable } from "../../core/pick/pick_table.ts";
import { ProxyHeaderWriter } from "../../core/proxy_protocol/header_writer.ts";
import type { ProxyVersion } from "../../core/proxy_protocol/proxy_endpoint.ts";
import {
  CLIENT_ADDRESS,
  CONNECT_FAILURES,
  ERRNO,
  FD,
  FLAGS,
  FRONTEND,
  OUTGOING_ADDRESS,
  QUEUED,
  SERIAL,
  STATE,
  WAITING,
  type WorkerMemory,
} from "./layout.ts";
import { type Ledger, waitsForDescriptor } from "./ledger.ts";
import {
  addressOf,
  AF_UNIX,
  EADDRNOTAVAIL,
  EAGAIN,
  EALREADY,
  EINPROGRESS,
  EINTR,
  EISCONN,
  ENOMEM,
  ETIMEDOUT,
  IPPROTO_TCP,
  isShortage,
  type Libc,
  MSG_NOSIGNAL,
  SO_ERROR,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_NODELAY,
  UNRESOLVED,
} from "./libc.ts";
import type { Plan } from "./plan.ts";
import type { Poller } from "./poller.ts";
import { CLOSE_UP_MS, LOOK_MS, type Queues } from "./queues.ts";
import { keepChoice, type Recorder } from "./records.ts";
import type { Reserve } from "./reserve.ts";
import { readEndpoint, SOCKADDR_WORDS } from "./sockaddr.ts";
import type { TimerWheel } from "./timer_wheel.ts";
import { TunnelDial } from "./tunnel_dial.ts";
import { READABLE, SHORT_READ_INCONCLUSIVE } from "./tunnel_table.ts";

const SOCKET_TYPE = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

/** Who knows the plans that clients go by. */
export interface Plans {
  /** The plan of the client's pool, for those who come in now. */
  planOf(slot: number): Plan | undefined;
  /** Between two configurations: what stands in tables may be half of each. */
  readonly isHeld: boolean;
  /**
   * Sends a client that has no backend to the pool where it would go if it came in now.
   * @returns false when it could not come in now.
   */
  renew(slot: number): boolean;
  /** The address that the client reached, as a sockaddr. */
  localAddress(slot: number): Int32Array;
}

/** Who sends what a socket does not take at once. */
export interface HeaderHolder {
  /** Has the rest of a PROXY header go to the backend, before all that the client says. */
  holdHeader(base: number, rest: Uint8Array): void;
}

/** Who accepts clients. */
export interface Accepting {
  /** Accepts nobody for a while, and says that we are short. */
  pause(frontend: number, errno: number, nowMs: number, atMs: number): void;
}

/** The parts of a worker that the dialler uses. */
export interface DialerParts {
  readonly libc: Libc;
  readonly memory: WorkerMemory;
  readonly poller: Poller;
  readonly wheel: TimerWheel;
  readonly recorder: Recorder;
  readonly ledger: Ledger;
  readonly reserve: Reserve;
  readonly queues: Queues;
  readonly plans: Plans;
  readonly acceptor: Accepting;
  readonly relay: HeaderHolder;
  /** The loop's: now, and now as milliseconds since the epoch. */
  readonly time: Float64Array;
  readonly random: () => number;
}

export class Dialer implements DialDriver<TunnelDial> {
  readonly #calls: Libc["calls"];
  readonly #errno: Int32Array;
  readonly #words: Int32Array;
  readonly #counters: Float64Array;
  readonly #poller: Poller;
  readonly #wheel: TimerWheel;
  readonly #recorder: Recorder;
  readonly #ledger: Ledger;
  readonly #reserve: Reserve;
  readonly #queues: Queues;
  readonly #plans: Plans;
  readonly #acceptor: Accepting;
  readonly #relay: HeaderHolder;
  readonly #time: Float64Array;
  readonly #policy: DialPolicy<TunnelDial>;
  readonly #dial: TunnelDial;
  readonly #option = new Int32Array(16);
  readonly #optionAddress = addressOf(this.#option);
  readonly #length = new Int32Array(16);
  readonly #lengthAddress = addressOf(this.#length);
  readonly #name = new Int32Array(28);
  readonly #nameAddress = addressOf(this.#name);
  readonly #header = new ProxyHeaderWriter();
  readonly #headerAddress = addressOf(this.#header.bytes);

  constructor(parts: DialerParts) {
    this.#calls = parts.libc.calls;
    this.#errno = parts.libc.errno;
    this.#words = parts.memory.words;
    this.#counters = parts.memory.counters;
    this.#poller = parts.poller;
    this.#wheel = parts.wheel;
    this.#recorder = parts.recorder;
    this.#ledger = parts.ledger;
    this.#reserve = parts.reserve;
    this.#queues = parts.queues;
    this.#plans = parts.plans;
    this.#acceptor = parts.acceptor;
    this.#relay = parts.relay;
    this.#time = parts.time;
    this.#policy = new DialPolicy(this, parts.random);
    this.#dial = new TunnelDial(parts.memory);
  }

  /** Picks the first backend for a client and begins to connect. @returns the policy's last word. */
  begin(slot: number): number {
    const dial = this.#dial.at(slot);
    this.#words[dial.base + FD + 1] = -1;
    this.#enterPlan(dial);
    return this.#do(dial, this.#policy.begin(dial, this.#time[0]!));
  }

  /** An event came for the socket that connects. `ready` when it is writable and has no error. */
  advance(slot: number, ready: boolean): number {
    const dial = this.#dial.at(slot);
    if (ready) return this.#do(dial, this.#connected(dial));
    return this.#do(dial, this.#failed(dial, this.#socketError(dial)));
  }

  /** A client in a queue is the first there. */
  look(slot: number): number {
    const dial = this.#dial.at(slot);
    return this.#do(dial, this.#policy.look(dial, this.#time[0]!));
  }

  /** A client has gone while it was in a queue. @returns how it is recorded. */
  left(slot: number): number {
    return this.#policy.left(this.#dial.at(slot), this.#time[0]!);
  }

  /** Plans may have changed for a client in a queue. */
  replan(slot: number): number {
    const dial = this.#dial.at(slot);
    return this.#do(dial, this.#policy.replan(dial, this.#time[0]!));
  }

  /** A tunnel that connects or waits, in a queue or for a descriptor, is to be looked at. */
  expired(slot: number): number {
    const dial = this.#dial.at(slot);
    const state = this.#words[dial.base + STATE];
    if (state === WAITING) return this.#do(dial, CONNECT);
    if (state === QUEUED) return this.#queueDue(dial);
    const errno = this.#connectErrno(dial);
    if (errno === 0 || errno === EISCONN) return this.#do(dial, this.#connected(dial));
    return this.#do(dial, this.#failed(dial, errno === EALREADY ? ETIMEDOUT : errno));
  }

  /** Ends a search. @returns how the client is refused. */
  giveUp(slot: number): number {
    const dial = this.#dial.at(slot);
    if (!dial.isQueued) this.#ledger.connect(dial.base);
    this.#closeSocket(dial);
    return this.#policy.giveUp(dial, this.#time[0]!);
  }

  /** The table of the plan that the tunnel was made by. */
  tableOf(slot: number): PickTable {
    const { plan } = this.#dial.at(slot);
    if (plan === undefined) throw new Error(`Cannot find the plan of tunnel ${slot}: none is set`);
    return plan.table;
  }

  /** The flag of a backend whose short reads say nothing: one on a unix socket. */
  readsShort(slot: number): number {
    const { target } = this.#dial.at(slot);
    return target?.family === AF_UNIX ? SHORT_READ_INCONCLUSIVE << 1 : 0;
  }

  /** Forgets the plan of a client that is gone. */
  forget(slot: number): void {
    this.#dial.at(slot).plan = undefined;
  }

  reserve(
    dial: TunnelDial,
    table: PickTable,
    random: number,
    choice: Choice,
    patienceMs: number,
  ): number {
    return this.#ledger.reserve(dial.base, table, dial.tried, random, choice, patienceMs);
  }

  release(dial: TunnelDial, table: PickTable): void {
    this.#ledger.release(dial.base, table);
  }

  enter(dial: TunnelDial, table: PickTable, max: number): boolean {
    if (!this.#ledger.enterQueue(dial.base, table, max)) return false;
    if (dial.plan !== undefined) this.#queues.enter(dial.plan);
    // That it is gone may have been told before, when that meant nothing.
    this.#poller.tellAgain(dial.slot, 0);
    return true;
  }

  leave(dial: TunnelDial, table: PickTable): void {
    if (dial.plan !== undefined) this.#queues.leave(dial.plan);
    if (this.#ledger.leaveQueue(dial.base, table)) this.#queues.pass(table);
  }

  picked(dial: TunnelDial, choice: Choice, snapshot: Int32Array, length: number): void {
    this.#recorder.picked(dial.base, this.#time[1]!, snapshot, length);
    keepChoice(this.#words, dial.base, choice);
  }

  failed(dial: TunnelDial, isCounted: boolean): void {
    if (isCounted) this.#counters[CONNECT_FAILURES]! += 1;
    this.#recorder.connectFailed(dial.base, this.#time[1]!);
  }

  renew(dial: TunnelDial): boolean {
    if (!this.#plans.renew(dial.slot)) return false;
    const plan = this.#plans.planOf(dial.slot);
    const before = dial.plan;
    if (plan === undefined || plan === before) return false;
    if (dial.isQueued && before !== undefined && before.table.id !== plan.table.id) {
      this.leave(dial, before.table);
    }
    this.#ledger.leavePlan(dial.base);
    this.#enterPlan(dial);
    if (dial.isQueued && before !== undefined) {
      this.#queues.leave(before);
      this.#queues.enter(plan);
    }
    return true;
  }

  #queueDue(dial: TunnelDial): number {
    const now = this.#time[0]!;
    if (now < this.#policy.queueEndMs(dial)) return this.#do(dial, QUEUE);
    if (!this.#plans.isHeld) return this.#do(dial, this.#policy.queueOver(dial, now));
    this.#wheel.set(dial.slot, now + LOOK_MS);
    return QUEUE;
  }

  #enterPlan(dial: TunnelDial): void {
    const plan = this.#plans.planOf(dial.slot);
    dial.plan = plan;
    if (plan !== undefined) this.#ledger.enterPlan(dial.base, plan.id);
  }

  /** Does what the policy says until the kernel has to be waited for, or the search is over. */
  #do(dial: TunnelDial, action: number): number {
    let next = action;
    while (next === CONNECT) {
      next = this.#connect(dial);
      if (next === CONNECTING) return CONNECT;
    }
    if (next === WAIT) {
      const errno = this.#words[dial.base + ERRNO]!;
      this.#ledger.wait(dial.base, errno);
      if (isShortage(errno)) {
        const frontend = this.#words[dial.base + FRONTEND]!;
        this.#acceptor.pause(frontend, errno, this.#time[0]!, this.#time[1]!);
      }
      this.#wheel.set(dial.slot, this.#time[0]! + WAIT_MS);
    } else if (next === QUEUE) this.#stayQueued(dial);
    return next;
  }

  #stayQueued(dial: TunnelDial): void {
    if (dial.plan !== undefined) this.#ledger.closeUp(dial.base, dial.plan.table);
    const endMs = this.#policy.queueEndMs(dial);
    this.#wheel.set(dial.slot, Math.min(endMs, this.#time[0]! + CLOSE_UP_MS));
  }

  /** Tries the address that the record names. @returns CONNECTING, or what the policy says of the outcome. */
  #connect(dial: TunnelDial): number {
    const { base, target } = dial;
    const calls = this.#calls;
    const waited = waitsForDescriptor(this.#words, base);
    this.#ledger.connect(base);
    if (target === undefined) return this.#failed(dial, UNRESOLVED);
    this.#words[base + FLAGS]! &= ~((READABLE | SHORT_READ_INCONCLUSIVE) << 1);
    let fd = calls.socket(target.family, SOCKET_TYPE, 0);
    if (fd < 0 && this.#reserve.spend()) fd = calls.socket(target.family, SOCKET_TYPE, 0);
    if (fd < 0) return this.#failed(dial, this.#errno[0]!);
    this.#words[base + FD + 1] = fd;
    if (target.family !== AF_UNIX) {
      this.#option[0] = 1;
      calls.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, this.#optionAddress, 4);
    }
    const isConnected = calls.connect(fd, target.pointer, target.bytes.length) === 0;
    const errno = isConnected ? 0 : this.#errno[0]!;
    if (!isConnected && errno !== EINPROGRESS && errno !== EINTR) return this.#failed(dial, errno);
    if (!this.#poller.add(dial.slot, 1)) return this.#failed(dial, ENOMEM);
    const untilMs = this.#policy.connecting(dial, waited, this.#time[0]!);
    if (isConnected) return this.#connected(dial);
    this.#wheel.set(dial.slot, untilMs);
    return CONNECTING;
  }

  /** @returns what the policy says. */
  #failed(dial: TunnelDial, errno: number): number {
    this.#closeSocket(dial);
    this.#wheel.clear(dial.slot);
    this.#words[dial.base + ERRNO] = errno;
    return this.#policy.failed(dial, causeOf(errno), this.#time[0]!);
  }

  /** @returns what the policy says. */
  #connected(dial: TunnelDial): number {
    const { base, plan } = dial;
    if (plan?.sendProxy !== undefined) {
      const errno = this.#sendHeader(dial, plan.sendProxy);
      if (errno !== 0) return this.#failed(dial, errno);
    }
    this.#length[0] = 4 * this.#name.length;
    const fd = this.#words[base + FD + 1]!;
    this.#calls.getsockname(fd, this.#nameAddress, this.#lengthAddress);
    for (let i = 0; i < SOCKADDR_WORDS; i++) {
      this.#words[base + OUTGOING_ADDRESS + i] = this.#name[i]!;
    }
    return this.#policy.connected(dial);
  }

  /** Tells the backend who the client is. @returns 0 or an errno. */
  #sendHeader({ slot, base }: TunnelDial, version: ProxyVersion): number {
    const header = this.#header;
    readEndpoint(this.#words, base + CLIENT_ADDRESS, header.source);
    readEndpoint(this.#plans.localAddress(slot), 0, header.destination);
    const length = header.write(version);
    const fd = this.#words[base + FD + 1]!;
    const sent = this.#calls.send(fd, this.#headerAddress, length, MSG_NOSIGNAL);
    const errno = sent < 0 ? this.#errno[0]! : 0;
    if (errno !== 0 && errno !== EAGAIN && errno !== EINTR) return errno;
    if (sent < length) {
      this.#relay.holdHeader(base, header.bytes.subarray(Math.max(0, sent), length));
    }
    return 0;
  }

  /**
   * What has become of a connect by now: EALREADY while it goes on. This thread may have stood still, and
   * not have heard of it.
   */
  #connectErrno({ base, target }: TunnelDial): number {
    if (target === undefined) return EALREADY;
    const fd = this.#words[base + FD + 1]!;
    const result = this.#calls.connect(fd, target.pointer, target.bytes.length);
    return result === 0 ? 0 : this.#errno[0]!;
  }

  #socketError({ base }: TunnelDial): number {
    this.#length[0] = 4;
    const fd = this.#words[base + FD + 1]!;
    const { getsockopt } = this.#calls;
    const result = getsockopt(fd, SOL_SOCKET, SO_ERROR, this.#optionAddress, this.#lengthAddress);
    return result < 0 ? this.#errno[0]! : this.#option[0]!;
  }

  #closeSocket({ base }: TunnelDial): void {
    const fd = this.#words[base + FD + 1]!;
    if (fd < 0) return;
    this.#calls.close(fd);
    this.#words[base + FD + 1] = -1;
    this.#words[base + SERIAL + 1] = 0;
  }
}

/** An attempt goes on; apart from what the policy says. */
const CONNECTING = -1;

function causeOf(errno: number): number {
  if (isShortage(errno)) return BY_SHORTAGE;
  if (errno === EAGAIN) return BY_BACKLOG;
  return errno === EADDRNOTAVAIL ? BY_LOCAL_ADDRESS : BY_BACKEND;
}
