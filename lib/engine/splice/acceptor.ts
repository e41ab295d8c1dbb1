// Takes clients from the worker's listening sockets: asks admission.ts who may come in, hands clients over to
// workers that have less to do, backs off when descriptors run out.
//
// All methods run in the worker.
//
// `!` on typed-array reads: slots come from the tunnel table.

import { isNews } from "../../core/timing/throttled_condition.ts";
import { Admission } from "./admission.ts";
import { FullFrontends } from "./full_frontends.ts";
import { HandoffQueue } from "./handoff_queue.ts";
import { type Ledger, NONE } from "./ledger.ts";
import type { Lingering } from "./lingering.ts";
import {
  ACCEPTED,
  ACCEPTED_AT,
  ATTEMPTS,
  CLIENT_ADDRESS,
  ERRNO,
  FD,
  FRONTEND,
  LISTENER,
  PLAN,
  POOL,
  QUEUED_MS,
  READING_HEADER,
  REFUSED,
  ROW,
  SERIAL,
  SHORTAGE,
  SOURCE_PLACE,
  STATE,
  TUNNEL_NUMBERS,
  TUNNEL_WORDS,
  WAITING,
} from "./layout.ts";
import {
  addressOf,
  AF_UNIX,
  EAGAIN,
  EINVAL,
  EMFILE,
  isShortage,
  type Libc,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
} from "./libc.ts";
import type { ListenerSpec, WorkerSetup } from "./control_messages.ts";
import type { Poller } from "./poller.ts";
import { NO_BACKEND, NO_REASON, type Recorder } from "./records.ts";
import type { Listener, Listeners } from "./listeners.ts";
import { Reserve } from "./reserve.ts";
import { SOCKADDR_BYTES, SOCKADDR_WORDS } from "./sockaddr.ts";
import type { TunnelTable } from "./tunnel_table.ts";
import type { WakeFds } from "./wake_fds.ts";

/** Clients taken at once from one listener, before others have their turn. */
const TURNS = 16;
/** Clients taken from a listener that is about to be closed: more than a backlog holds. */
const ALL_TURNS = 8192;
/** How long nobody is accepted after the descriptors ran out. */
const PAUSE_MS = 100;

export class Acceptor {
  /** Nobody waits, or nobody may be taken now. */
  static readonly NOTHING = -1;
  /** A client came and was closed again, or was gone already. */
  static readonly TURNED_AWAY = -2;
  /** Another worker has the client. */
  static readonly HANDED_OVER = -3;

  readonly #libc: Libc;
  readonly #table: TunnelTable;
  readonly #poller: Poller;
  readonly #recorder: Recorder;
  readonly #ledger: Ledger;
  readonly #counters: Float64Array;
  readonly #engine: Int32Array;
  readonly #number: number;
  readonly #wakeFds: WakeFds;
  readonly #handoffs: readonly HandoffQueue[];
  readonly #handoff: HandoffQueue;
  readonly #reserve: Reserve;
  readonly #listeners: Listeners;
  readonly #lingering: Lingering;
  readonly #full: FullFrontends;
  readonly admission: Admission;
  readonly #address = new Int32Array(SOCKADDR_BYTES / 4);
  readonly #addressPointer = addressOf(this.#address);
  readonly #length = new Int32Array(16);
  readonly #lengthPointer = addressOf(this.#length);
  /** When to accept again after running out of descriptors; 0 while accepting. */
  #resumeAt = 0;

  constructor(
    libc: Libc,
    setup: WorkerSetup,
    table: TunnelTable,
    poller: Poller,
    recorder: Recorder,
    ledger: Ledger,
    listeners: Listeners,
    lingering: Lingering,
    wakeFds: WakeFds,
  ) {
    this.#libc = libc;
    this.#table = table;
    this.#poller = poller;
    this.#recorder = recorder;
    this.#ledger = ledger;
    this.#listeners = listeners;
    this.#lingering = lingering;
    this.#counters = setup.memory.counters;
    this.#engine = setup.engine;
    this.#number = setup.number;
    this.#wakeFds = wakeFds;
    this.#handoffs = setup.handoffs.map((buffer) => new HandoffQueue(buffer));
    this.#handoff = this.#handoffs[setup.number] ?? new HandoffQueue(HandoffQueue.allocate());
    this.#reserve = new Reserve(libc, setup.engine);
    this.admission = new Admission(table, ledger, listeners);
    this.#full = new FullFrontends(setup.engine, ledger, poller);
  }

  /** Accepts nobody until {@linkcode Acceptor.listen}, but who is asked for by name; hands nobody over. */
  hold(): void {
    this.#listeners.hold();
    this.#unwatch();
  }

  /** Accepts on exactly these from now on. */
  listen(specs: readonly ListenerSpec[]): void {
    this.#unwatch();
    this.#listeners.listen(specs);
    this.#full.listen(specs);
    if (this.#resumeAt === 0) this.#watch();
  }

  turns(all: boolean): number {
    if (this.#resumeAt !== 0) return 0;
    return all ? ALL_TURNS : TURNS;
  }

  /** Takes one client. @returns its slot, NOTHING, TURNED_AWAY or HANDED_OVER. */
  accept(listener: Listener, nowMs: number, atMs: number): number {
    if (this.#resumeAt !== 0) return Acceptor.NOTHING;
    if (this.#table.full && this.#lingering.isEmpty) {
      this.pause(listener.spec.frontend, EMFILE, nowMs, atMs);
      return Acceptor.NOTHING;
    }
    if (!this.#reserve.keep()) return this.#refusedByKernel(listener, nowMs, atMs);
    const { spec } = listener;
    const { frontend } = spec;
    // Only who may wait takes the place first: another worker would find the frontend full meanwhile, and
    // close a client for it. From a socket that closes, all are taken: their queue goes with it.
    const waits = spec.waitsWhenFull && !this.#listeners.isHeld;
    let isPlaced = waits && this.#ledger.enter(frontend, spec.maxConnections);
    while (waits && !isPlaced) {
      if (this.#full.park(frontend)) return Acceptor.NOTHING;
      isPlaced = this.#ledger.enter(frontend, spec.maxConnections);
    }
    this.#length[0] = SOCKADDR_BYTES;
    const fd = this.#libc.calls.accept4(
      spec.fd,
      this.#addressPointer,
      this.#lengthPointer,
      SOCK_NONBLOCK | SOCK_CLOEXEC,
    );
    if (fd < 0) {
      const outcome = this.#refusedByKernel(listener, nowMs, atMs);
      if (isPlaced) this.#ledger.leave(frontend);
      return outcome;
    }
    if (this.#table.full) this.#lingering.giveWay();
    this.#counters[ACCEPTED]! += 1;
    // An unnamed unix client has no bytes at all, not even a family.
    if (this.#length[0]! < 4) this.#address[0] = AF_UNIX;
    const reason = this.admission.objection(listener, this.#address, isPlaced, nowMs);
    if (reason !== NO_REASON) {
      const pool = this.#listeners.poolOf(listener, this.#address);
      this.#refuse(frontend, pool, atMs, reason, this.#address);
      if (isPlaced) this.#ledger.leave(frontend);
      this.#lingering.seeOffSocket(fd, listener, reason);
      return Acceptor.TURNED_AWAY;
    }
    // Who comes from a listener that closes is begun before the next configuration is.
    const target = this.#listeners.isHeld
      ? this.#number
      : this.#ledger.leastBusy(this.#handoffs.length);
    this.#ledger.assign(target);
    if (target !== this.#number) {
      if (this.#handOver(target, fd, spec)) return Acceptor.HANDED_OVER;
      this.#ledger.keep(target);
    }
    return this.#take(listener, fd, this.#address, frontend, this.admission.sourcePlace, nowMs);
  }

  /** The worker's handoff, which the loop looks into. */
  get handoff(): HandoffQueue {
    return this.#handoff;
  }

  /**
   * Takes a client that another worker has accepted; the table must not be full.
   * @returns its slot, or TURNED_AWAY.
   */
  receive(nowMs: number, atMs: number): number {
    this.#handoff.take();
    const { fd, frontend, sourcePlace, address } = this.#handoff;
    const listener = this.#listeners.find(this.#handoff.listener);
    // This worker is the successor of a dead one, for which the client was meant before a reload.
    if (listener === undefined) return this.#dismiss(fd, frontend, sourcePlace, address);
    if (!listener.isOpen) {
      // There was no room until a reload closed the listener, and its pools may have other backends now.
      this.#refuse(frontend, listener.spec.pools[0]!, atMs, NO_BACKEND, address);
      return this.#dismiss(fd, frontend, sourcePlace, address);
    }
    return this.#take(listener, fd, address, frontend, sourcePlace, nowMs);
  }

  /**
   * Gives the client its record and has its socket watched.
   * @param frontend whose client it was counted as: the listener may be another's since.
   */
  #take(
    listener: Listener,
    fd: number,
    address: Int32Array,
    frontend: number,
    sourcePlace: number,
    nowMs: number,
  ): number {
    const { spec } = listener;
    const slot = this.#table.take();
    const base = slot * TUNNEL_WORDS;
    const words = this.#table.words;
    words[base + STATE] = this.#listeners.beginsWithHeader(listener, address)
      ? READING_HEADER
      : WAITING;
    words[base + ATTEMPTS] = 0;
    words[base + ERRNO] = 0;
    words[base + QUEUED_MS] = 0;
    words[base + FD] = fd;
    words[base + FD + 1] = -1;
    words[base + SERIAL + 1] = 0;
    words[base + ROW] = NONE;
    words[base + PLAN] = NONE;
    words[base + FRONTEND] = frontend;
    words[base + SOURCE_PLACE] = sourcePlace;
    words[base + LISTENER] = spec.id;
    words[base + POOL] = this.#listeners.poolOf(listener, address);
    this.#table.numbers[slot * TUNNEL_NUMBERS + ACCEPTED_AT] = nowMs;
    for (let i = 0; i < SOCKADDR_WORDS; i++) words[base + CLIENT_ADDRESS + i] = address[i]!;
    if (this.#poller.add(slot, 0)) return slot;
    // The user's epoll watches are used up (fs.epoll.max_user_watches).
    this.#table.give(slot);
    return this.#dismiss(fd, frontend, sourcePlace, address);
  }

  /** Counts and records a client that gets no slot. */
  #refuse(
    frontend: number,
    pool: number,
    atMs: number,
    reason: number,
    address: Int32Array,
  ): void {
    this.#counters[REFUSED]! += 1;
    this.#recorder.refused(-1, frontend, pool, atMs, reason, 0, address, 0);
  }

  /** Closes a client that was counted already. */
  #dismiss(fd: number, frontend: number, sourcePlace: number, address: Int32Array): number {
    if (sourcePlace !== 0) this.#ledger.leaveSource(frontend, address, 0);
    this.#ledger.dismiss(frontend);
    this.#libc.calls.close(fd);
    return Acceptor.TURNED_AWAY;
  }

  #handOver(target: number, fd: number, spec: ListenerSpec): boolean {
    const handoff = this.#handoffs[target];
    const { id, frontend } = spec;
    if (handoff === undefined) return false;
    if (!handoff.put(fd, id, frontend, this.admission.sourcePlace, this.#address)) return false;
    if (handoff.asleep) this.#wakeFds.wake(target);
    return true;
  }

  /** How long the loop may sleep, at most `limitMs`. */
  sleepMs(nowMs: number, limitMs: number): number {
    if (this.#resumeAt === 0) return limitMs;
    return Math.max(0, Math.min(limitMs, Math.ceil(this.#resumeAt - nowMs)));
  }

  /** Sees to those who waited for a place, before the loop sleeps. */
  resumeFull(): void {
    if (this.#resumeAt === 0 && !this.#listeners.isHeld) this.#full.resume();
  }

  /** Accepts again once the pause is over and no client waits for a descriptor. */
  resume(nowMs: number, outOfDescriptors: boolean): void {
    if (this.#resumeAt === 0 || nowMs < this.#resumeAt) return;
    if (outOfDescriptors) {
      this.#resumeAt = nowMs + PAUSE_MS;
      return;
    }
    this.#resumeAt = 0;
    if (!this.#listeners.isHeld) this.#watch();
  }

  /**
   * Descriptors or memory ran out: stops accepting for a while, and says so once per shortage, which all
   * workers feel.
   */
  pause(frontend: number, errno: number, nowMs: number, atMs: number): void {
    if (isNews(this.#engine, SHORTAGE, nowMs)) this.#recorder.acceptFailed(frontend, atMs, errno);
    this.pauseAccept(nowMs);
  }

  /**
   * Stops accepting for a while, clients wait in the kernel's queue. Needed even when there would be a
   * descriptor for one more client: clients without a backend must not take up what those need who
   * could go on, else none does.
   */
  pauseAccept(nowMs: number): void {
    if (this.#resumeAt === 0) this.#unwatch();
    this.#resumeAt = nowMs + PAUSE_MS;
  }

  #watch(): void {
    for (const { spec } of this.#listeners.open) this.#poller.addListener(spec.fd, spec.id);
    this.#full.watchedAnew();
  }

  #unwatch(): void {
    for (const { spec } of this.#listeners.open) this.#poller.remove(spec.fd);
  }

  #refusedByKernel(listener: Listener, nowMs: number, atMs: number): number {
    const errno = this.#libc.errno[0]!;
    if (errno === EAGAIN) return Acceptor.NOTHING;
    if (isShortage(errno)) {
      this.#lingering.giveWay();
      this.pause(listener.spec.frontend, errno, nowMs, atMs);
      return Acceptor.NOTHING;
    }
    // EINVAL: the listening socket was shut. All else is the client's network error (accept(2)).
    return errno === EINVAL ? Acceptor.NOTHING : Acceptor.TURNED_AWAY;
  }
}
