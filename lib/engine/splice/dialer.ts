// From an accepted client to a tunnel: picks a backend, connects without blocking, tries the next
// address or backend when that fails. One loop of integers; the state stands in the tunnel's record.
//
// `!` on typed-array reads: bases belong to tunnels of this table.

import { Choice, MAX_TRIES, Tried } from "../../core/pick/choice.ts";
import { drawWord, SNAPSHOT_WORDS, takeSnapshot } from "../../core/pick/decision_snapshot.ts";
import { CONNECT_FAILURES, PickTable } from "../../core/pick/pick_table.ts";
import {
  ADDRESS,
  ATTEMPTS,
  CONNECT_FAILED,
  CONNECT_STARTED,
  ERRNO,
  FD,
  FLAGS,
  OUTGOING_ADDRESS,
  ROW,
  SERIAL,
  STATE,
  TUNNEL_NUMBERS,
  TUNNEL_WORDS,
  WAITING,
} from "./layout.ts";
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
  IPPROTO_TCP,
  isShortage,
  type Libc,
  SO_ERROR,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_NODELAY,
  UNRESOLVED,
} from "./libc.ts";
import { type Ledger, NONE, waitsForDescriptor } from "./ledger.ts";
import type { PlanSpec, WorkerSetup } from "./control_messages.ts";
import type { Poller } from "./poller.ts";
import { keepChoice, type Recorder } from "./records.ts";
import { Reserve } from "./reserve.ts";
import { SOCKADDR_WORDS } from "./sockaddr.ts";
import type { TimerWheel } from "./timer_wheel.ts";
import { READABLE, SHORT_READ_INCONCLUSIVE } from "./tunnel.ts";

/** An address of an endpoint, ready for connect(2). */
interface Target {
  readonly family: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly pointer: Deno.PointerObject;
}

/** A pool's plan in the worker. */
export class Plan {
  readonly id: number;
  readonly table: PickTable;
  /** By table row; undefined where nothing stands. */
  readonly rows: readonly (readonly (Target | undefined)[] | undefined)[];
  readonly connectTimeoutMs: number;
  readonly connectRetries: number;

  constructor(spec: PlanSpec) {
    this.id = spec.id;
    this.table = new PickTable(spec.table);
    this.connectTimeoutMs = spec.connectTimeoutMs;
    this.connectRetries = Math.min(spec.connectRetries, MAX_TRIES - 1);
    this.rows = spec.rows.map((row) =>
      row?.map((bytes) => bytes && { family: bytes[0] ?? 0, bytes, pointer: addressOf(bytes) })
    );
  }
}

/** What became of dialling. */
export const DIALLING = 0;
export const CONNECTED = 1;
/** No backend took the connection; the tunnel holds no place in the table any more. */
export const GAVE_UP = 2;
/** No descriptor or no memory was to be had within the time to connect; it holds no place either. */
export const NO_DESCRIPTOR = 3;
/** No row of the plan can take it: not those tried in vain, not one that has left; it holds no place. */
export const NOBODY = 4;

/** How soon an attempt is repeated that failed for want of a descriptor or of backlog. */
const WAIT_MS = 20;

/** The time that one address has: a backend's addresses share it in equal parts. */
function timeoutMs(plan: Plan, row: number): number {
  return plan.connectTimeoutMs / Math.max(1, plan.rows[row]?.length ?? 1);
}

export class Dialer {
  readonly #libc: Libc;
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #counters: Float64Array;
  readonly #poller: Poller;
  readonly #wheel: TimerWheel;
  readonly #recorder: Recorder;
  readonly #ledger: Ledger;
  readonly #random: () => number;
  readonly #reserve: Reserve;
  readonly #choice = new Choice();
  readonly #snapshot = new Int32Array(SNAPSHOT_WORDS);
  /** The last pick's random number, as snapshots keep it. */
  #draw = 0;
  /** The plan of each tunnel, by slot. */
  readonly #plans: (Plan | undefined)[] = [];
  /** Rows tried in vain, by slot; made at the first failure. */
  readonly #tried: (Tried | undefined)[] = [];
  readonly #spareTried: Tried[] = [];
  readonly #option = new Int32Array(16);
  readonly #optionAddress = addressOf(this.#option);
  readonly #length = new Int32Array(16);
  readonly #lengthAddress = addressOf(this.#length);
  readonly #name = new Int32Array(28);
  readonly #nameAddress = addressOf(this.#name);

  constructor(
    libc: Libc,
    setup: WorkerSetup,
    poller: Poller,
    wheel: TimerWheel,
    recorder: Recorder,
    ledger: Ledger,
    random: () => number,
  ) {
    this.#libc = libc;
    const { memory } = setup;
    this.#words = memory.words;
    this.#numbers = memory.numbers;
    this.#counters = memory.counters;
    this.#poller = poller;
    this.#wheel = wheel;
    this.#recorder = recorder;
    this.#ledger = ledger;
    this.#random = random;
    this.#reserve = new Reserve(libc, setup.engine);
  }

  /** Picks the first backend for a client and begins to connect. */
  begin(slot: number, plan: Plan, nowMs: number, atMs: number): number {
    this.#plans[slot] = plan;
    this.#words[slot * TUNNEL_WORDS + ATTEMPTS] = 0;
    this.#words[slot * TUNNEL_WORDS + FD + 1] = -1;
    return this.#next(slot, plan, nowMs, atMs);
  }

  /** The plan that the tunnel was made by. */
  planOf(slot: number): Plan {
    const plan = this.#plans[slot];
    if (plan === undefined) throw new Error(`Cannot find the plan of tunnel ${slot}: none is set`);
    return plan;
  }

  /** The flag of a backend whose short reads say nothing: one on a unix socket. */
  readsShort(slot: number, plan: Plan): number {
    const base = slot * TUNNEL_WORDS;
    const target = plan.rows[this.#words[base + ROW]!]?.[this.#words[base + ADDRESS]!];
    return target?.family === AF_UNIX ? SHORT_READ_INCONCLUSIVE << 1 : 0;
  }

  /** Forgets what is known of a tunnel that is connected or given up. */
  forget(slot: number): void {
    this.#plans[slot] = undefined;
    this.#forgetTried(slot);
  }

  /** An event came for the socket that connects. `ready` when it is writable and has no error. */
  advance(slot: number, ready: boolean, nowMs: number, atMs: number): number {
    if (ready) return this.#connected(slot);
    return this.#failed(slot, this.#socketError(slot), nowMs, atMs);
  }

  /** The deadline of a tunnel that connects or waits has come. */
  expired(slot: number, timedOut: number, nowMs: number, atMs: number): number {
    const plan = this.planOf(slot);
    if (this.#words[slot * TUNNEL_WORDS + STATE] === WAITING) {
      return this.#attempt(slot, plan, nowMs, atMs);
    }
    const errno = this.#connectErrno(slot, plan);
    if (errno === 0 || errno === EISCONN) return this.#connected(slot);
    return this.#failed(slot, errno === EALREADY ? timedOut : errno, nowMs, atMs);
  }

  /**
   * What has become of a connect by now: EALREADY while it goes on. This thread may have stood still, and
   * not have heard of it.
   */
  #connectErrno(slot: number, plan: Plan): number {
    const base = slot * TUNNEL_WORDS;
    const target = plan.rows[this.#words[base + ROW]!]?.[this.#words[base + ADDRESS]!];
    if (target === undefined) return EALREADY;
    const { connect } = this.#libc.calls;
    const result = connect(this.#words[base + FD + 1]!, target.pointer, target.bytes.length);
    return result === 0 ? 0 : this.#libc.errno[0]!;
  }

  /** Gives up the place of a tunnel that still connects. */
  abandon(slot: number): void {
    const base = slot * TUNNEL_WORDS;
    this.#ledger.connect(base);
    this.#closeSocket(slot);
    this.#ledger.release(base, this.planOf(slot).table);
    this.forget(slot);
  }

  /** Picks the next backend and tries its first address. */
  #next(slot: number, plan: Plan, nowMs: number, atMs: number): number {
    const base = slot * TUNNEL_WORDS;
    if (this.#words[base + ATTEMPTS]! > plan.connectRetries) return this.#giveUp(slot);
    let row = this.#pick(slot, plan);
    // Weighed, but the plan that says where it is has not come yet.
    while (row >= 0 && plan.rows[row] === undefined) {
      this.#ledger.release(base, plan.table);
      this.#triedInVain(slot, row);
      // What cannot be remembered would be picked again, for ever.
      row = this.#tried[slot]?.full ? NONE : this.#pick(slot, plan);
    }
    this.#choice.row = row;
    const tried = this.#tried[slot] ?? null;
    const length = takeSnapshot(plan.table, tried, this.#choice, this.#draw, this.#snapshot);
    this.#recorder.picked(base, atMs, this.#snapshot, length);
    if (row < 0) {
      this.forget(slot);
      return NOBODY;
    }
    this.#words[base + ADDRESS] = 0;
    this.#words[base + ATTEMPTS]! += 1;
    keepChoice(this.#words, base, this.#choice);
    this.#numbers[slot * TUNNEL_NUMBERS + CONNECT_STARTED] = nowMs;
    return this.#attempt(slot, plan, nowMs, atMs);
  }

  /** Tries the address that the record names, and those after it while they fail at once. */
  #attempt(slot: number, plan: Plan, nowMs: number, atMs: number): number {
    const base = slot * TUNNEL_WORDS;
    const words = this.#words;
    const calls = this.#libc.calls;
    const target = plan.rows[words[base + ROW]!]?.[words[base + ADDRESS]!];
    const waited = waitsForDescriptor(words, base);
    this.#ledger.connect(base);
    if (target === undefined) return this.#failed(slot, UNRESOLVED, nowMs, atMs);
    words[base + FLAGS]! &= ~((READABLE | SHORT_READ_INCONCLUSIVE) << 1);
    const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    let fd = calls.socket(target.family, type, 0);
    if (fd < 0 && this.#reserve.spend()) fd = calls.socket(target.family, type, 0);
    if (fd < 0) return this.#wait(slot, this.#libc.errno[0]!, nowMs, atMs);
    words[base + FD + 1] = fd;
    if (target.family !== AF_UNIX) {
      this.#option[0] = 1;
      calls.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, this.#optionAddress, 4);
    }
    if (calls.connect(fd, target.pointer, target.bytes.length) === 0) {
      return this.#poller.add(slot, 1)
        ? this.#connected(slot)
        : this.#wait(slot, ENOMEM, nowMs, atMs);
    }
    const errno = this.#libc.errno[0]!;
    if (errno !== EINPROGRESS && errno !== EINTR) return this.#wait(slot, errno, nowMs, atMs);
    if (!this.#poller.add(slot, 1)) return this.#wait(slot, ENOMEM, nowMs, atMs);
    // That we were short must not shorten the backend's time.
    if (waited) this.#numbers[slot * TUNNEL_NUMBERS + CONNECT_STARTED] = nowMs;
    const started = this.#numbers[slot * TUNNEL_NUMBERS + CONNECT_STARTED]!;
    this.#wheel.set(slot, started + timeoutMs(plan, words[base + ROW]!));
    return DIALLING;
  }

  /**
   * A call failed at once. Want of descriptors or memory is our trouble, not the backend's, and a full
   * unix backlog (EAGAIN) passes: both wait a little, within the deadline. All else is a failure.
   */
  #wait(slot: number, errno: number, nowMs: number, atMs: number): number {
    const base = slot * TUNNEL_WORDS;
    const short = isShortage(errno);
    const started = this.#numbers[slot * TUNNEL_NUMBERS + CONNECT_STARTED]!;
    const over = nowMs >= started + timeoutMs(this.planOf(slot), this.#words[base + ROW]!);
    if (over || !(short || errno === EAGAIN)) return this.#failed(slot, errno, nowMs, atMs);
    this.#closeSocket(slot);
    this.#ledger.wait(base, errno);
    this.#wheel.set(slot, nowMs + WAIT_MS);
    return DIALLING;
  }

  /** An address did not take the connection: the backend's next one, or another backend. */
  #failed(slot: number, errno: number, nowMs: number, atMs: number): number {
    const base = slot * TUNNEL_WORDS;
    const words = this.#words;
    const plan = this.planOf(slot);
    const row = words[base + ROW]!;
    this.#closeSocket(slot);
    this.#wheel.clear(slot);
    words[base + ERRNO] = errno;
    const short = isShortage(errno);
    if (!short && words[base + ADDRESS]! + 1 < (plan.rows[row]?.length ?? 0)) {
      words[base + ADDRESS]! += 1;
      this.#numbers[slot * TUNNEL_NUMBERS + CONNECT_STARTED] = nowMs;
      return this.#attempt(slot, plan, nowMs, atMs);
    }
    // Neither our shortage, nor that we have no port or address left to call from, is the backend's failure.
    if (!short && errno !== EADDRNOTAVAIL) {
      plan.table.add(row, CONNECT_FAILURES, 1);
      this.#counters[CONNECT_FAILED]! += 1;
    }
    this.#recorder.connectFailed(base, atMs);
    this.#ledger.release(base, plan.table);
    if (short) {
      // Another backend would not cure it.
      this.forget(slot);
      return NO_DESCRIPTOR;
    }
    this.#triedInVain(slot, row);
    return this.#next(slot, plan, nowMs, atMs);
  }

  #connected(slot: number): number {
    const base = slot * TUNNEL_WORDS;
    this.#length[0] = 4 * this.#name.length;
    this.#libc.calls.getsockname(
      this.#words[base + FD + 1]!,
      this.#nameAddress,
      this.#lengthAddress,
    );
    for (let i = 0; i < SOCKADDR_WORDS; i++) {
      this.#words[base + OUTGOING_ADDRESS + i] = this.#name[i]!;
    }
    this.#ledger.open(base, this.planOf(slot).table);
    this.#forgetTried(slot);
    return CONNECTED;
  }

  #pick(slot: number, plan: Plan): number {
    const random = this.#random();
    this.#draw = drawWord(random);
    const tried = this.#tried[slot] ?? null;
    return this.#ledger.reserve(slot * TUNNEL_WORDS, plan.table, tried, random, this.#choice);
  }

  #triedInVain(slot: number, row: number): void {
    const tried = this.#tried[slot] ??= this.#spareTried.pop() ?? new Tried();
    tried.add(row);
  }

  #giveUp(slot: number): number {
    this.forget(slot);
    return GAVE_UP;
  }

  #forgetTried(slot: number): void {
    const tried = this.#tried[slot];
    if (tried === undefined) return;
    tried.count = 0;
    this.#spareTried.push(tried);
    this.#tried[slot] = undefined;
  }

  #socketError(slot: number): number {
    this.#length[0] = 4;
    const fd = this.#words[slot * TUNNEL_WORDS + FD + 1]!;
    const { getsockopt } = this.#libc.calls;
    const result = getsockopt(fd, SOL_SOCKET, SO_ERROR, this.#optionAddress, this.#lengthAddress);
    return result < 0 ? this.#libc.errno[0]! : this.#option[0]!;
  }

  #closeSocket(slot: number): void {
    const base = slot * TUNNEL_WORDS;
    const fd = this.#words[base + FD + 1]!;
    if (fd < 0) return;
    this.#libc.calls.close(fd);
    this.#words[base + FD + 1] = -1;
    this.#words[base + SERIAL + 1] = 0;
  }
}
