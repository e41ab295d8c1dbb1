// The worker's epoll loop: accepts clients, gives events, turns and deadlines to the handler of their mode.
// It blocks the thread and comes back only when the control plane has a message, or is to stop.
//
// `!` on typed-array reads: slots come from the tunnel table.

import { SourceTable } from "../../core/admission/source_table.ts";
import { Acceptor } from "./acceptor.ts";
import { Dialer } from "./dialer.ts";
import { HeaderReader } from "./header_reader.ts";
import {
  FREE,
  FRONTEND,
  HEARTBEAT,
  LINGERING,
  LISTENER,
  LISTENING,
  MESSAGES_READ,
  MESSAGES_SENT,
  OPEN,
  PIPES_DENIED,
  QUEUED,
  READING_HEADER,
  SERIAL,
  STATE,
  TUNNEL_ID,
  TUNNEL_NUMBERS,
  TUNNEL_WORDS,
} from "./layout.ts";
import { Ledger } from "./ledger.ts";
import type { Libc } from "./libc.ts";
import { Lingering } from "./lingering.ts";
import type { ListenerSpec, WorkerSetup } from "./control_messages.ts";
import type { ModeHandler } from "./mode_handler.ts";
import { type Listener, Listeners } from "./listeners.ts";
import { LoopClock } from "./loop_clock.ts";
import { Pipes } from "./pipes.ts";
import { LISTENER_KEY, Poller, WAKE_KEY } from "./poller.ts";
import { Queues } from "./queues.ts";
import { NO_BACKEND, Recorder } from "./records.ts";
import { Relay } from "./relay.ts";
import { Reserve } from "./reserve.ts";
import { Sessions } from "./sessions.ts";
import { SocketOptions } from "./socket_options.ts";
import { TcpHandler } from "./tcp_handler.ts";
import { TimerWheel } from "./timer_wheel.ts";
import { TunnelTable } from "./tunnel_table.ts";
import { TurnQueue } from "./turn_queue.ts";
import { WakeFds } from "./wake_fds.ts";

/** The longest sleep, so that the heartbeat goes on. */
const MAX_SLEEP_MS = 1000;
/** When tunnels are looked at after a reload. */
const LOOK_MS = 100;

/** All methods run in the worker. */
export class Loop {
  readonly #control: Int32Array;
  readonly #counters: Float64Array;
  readonly #words: Int32Array;
  readonly #table: TunnelTable;
  readonly #poller: Poller;
  readonly #wheel: TimerWheel;
  readonly #recorder: Recorder;
  readonly #ledger: Ledger;
  readonly #pipes: Pipes;
  readonly #relay: Relay;
  readonly #listeners: Listeners;
  readonly #lingering: Lingering;
  readonly #acceptor: Acceptor;
  readonly #tell: () => void;
  readonly #sessions: Sessions;
  readonly #tcp: ModeHandler;
  readonly #headers: HeaderReader;
  readonly #turns: TurnQueue;
  readonly #wakeFds: WakeFds;
  readonly #number: number;
  readonly #queues: Queues;
  readonly #clock: LoopClock;
  /** [now, now as milliseconds since the epoch]: an array, since a field would box each number. */
  readonly #time = new Float64Array(2);

  /** @param tell the control plane that events wait in the ring. */
  constructor(libc: Libc, setup: WorkerSetup, tell: () => void) {
    const { memory } = setup;
    this.#control = memory.control;
    this.#counters = memory.counters;
    this.#words = memory.words;
    this.#tell = tell;
    this.#clock = new LoopClock(libc, setup.originMs);
    this.#updateTime();
    this.#table = new TunnelTable(memory);
    this.#poller = new Poller(libc, memory, setup.epollFd);
    this.#wheel = new TimerWheel(memory, this.#time[0]!);
    this.#recorder = new Recorder(memory, setup.engine);
    const sources = new SourceTable(setup.sources);
    this.#ledger = new Ledger(memory.words, setup.engine, sources, setup.number);
    this.#pipes = new Pipes(libc, memory.pipes);
    this.#relay = new Relay(libc, this.#table, this.#pipes);
    this.#turns = new TurnQueue(memory);
    this.#listeners = new Listeners(libc, memory);
    this.#lingering = new Lingering({
      libc,
      table: this.#table,
      poller: this.#poller,
      wheel: this.#wheel,
      ledger: this.#ledger,
      listeners: this.#listeners,
      time: this.#time,
    });
    this.#number = setup.number;
    this.#wakeFds = new WakeFds(libc, setup.wakeFds);
    this.#queues = new Queues(setup.number, this.#wakeFds);
    this.#acceptor = new Acceptor(
      libc,
      setup,
      this.#table,
      this.#poller,
      this.#recorder,
      this.#ledger,
      this.#listeners,
      this.#lingering,
      this.#wakeFds,
    );
    const common = {
      libc,
      memory,
      table: this.#table,
      poller: this.#poller,
      wheel: this.#wheel,
      recorder: this.#recorder,
      ledger: this.#ledger,
      relay: this.#relay,
      turns: this.#turns,
      queues: this.#queues,
      listeners: this.#listeners,
      lingering: this.#lingering,
      options: new SocketOptions(libc, setup.keepalive),
      reserve: new Reserve(libc, setup.engine),
      clock: this.#clock,
      time: this.#time,
      random: Math.random,
    };
    const dialer = new Dialer({ ...common, plans: this.#listeners, acceptor: this.#acceptor });
    this.#sessions = new Sessions(setup, this.#time, { ...common, dialer });
    this.#tcp = new TcpHandler({ ...common, dialer, sessions: this.#sessions });
    this.#headers = new HeaderReader({
      ...common,
      sessions: this.#sessions,
      admission: this.#acceptor.admission,
    });
    this.#poller.addWake(setup.wakeFds[setup.number]!);
  }

  /** Where plans are published. */
  get listeners(): Listeners {
    return this.#listeners;
  }

  /** Begins whoever waits at the closing listeners or in the handoff, and then nobody until `listen`. */
  hold(closing: readonly number[]): void {
    this.#updateTime();
    this.#acceptor.hold();
    for (const id of closing) this.#acceptOn(this.#listeners.find(id), true);
    this.#receive(true);
  }

  /** Accepts on exactly these from now on. */
  listen(listeners: readonly ListenerSpec[]): void {
    this.#updateTime();
    // Who has come meanwhile to one that closes still goes by the plans of before.
    for (const listener of this.#listeners.others(listeners)) this.#acceptOn(listener, true);
    const before = new Map(this.#listeners.open.map(({ spec }) => [spec.id, spec.idleTimeoutMs]));
    this.#acceptor.listen(listeners);
    const timed = new Set<number>();
    const limited = new Set<number>();
    for (const { id, frontend, idleTimeoutMs, perSource } of listeners) {
      if (before.get(id) !== idleTimeoutMs) timed.add(id);
      if (perSource !== undefined && perSource.maxConnections > 0) limited.add(frontend);
    }
    const isAnyChanged = timed.size > 0 || limited.size > 0;
    if (isAnyChanged || !this.#queues.empty) this.#lookAtAll(timed, limited);
    if (this.#headers.hasWaiting) this.#beginWaiting();
  }

  /**
   * After a reload. Clients in queues go by the plans that they would have if they came now.
   * @param timed listeners whose tunnels may have another idle timeout.
   * @param limited frontends that count the clients of each address, those who have come before as well.
   */
  #lookAtAll(timed: ReadonlySet<number>, limited: ReadonlySet<number>): void {
    const words = this.#words;
    for (let slot = 0; slot < this.#table.touched; slot++) {
      const base = slot * TUNNEL_WORDS;
      const state = words[base + STATE];
      if (state === OPEN && timed.has(words[base + LISTENER]!)) {
        this.#wheel.set(slot, this.#time[0]! + LOOK_MS);
      }
      const isClient = state !== FREE && state !== LINGERING && state !== READING_HEADER;
      if (isClient && limited.has(words[base + FRONTEND]!)) this.#ledger.holdSource(base);
      if (state === QUEUED) this.#tcp.replan(slot);
    }
  }

  /** Begins those whose PROXY header has come while no client began. */
  #beginWaiting(): void {
    for (let slot = 0; slot < this.#table.touched; slot++) {
      if (this.#words[slot * TUNNEL_WORDS + STATE] !== READING_HEADER) continue;
      if (this.#headers.ready(slot, 0)) this.#tcp.begin(slot);
    }
  }

  /** Runs until a message from the control plane waits. */
  run(): void {
    const poller = this.#poller;
    const control = this.#control;
    const wheel = this.#wheel;
    const time = this.#time;
    const { handoff } = this.#acceptor;
    while (!this.#hasMessages()) {
      this.#acceptor.resumeFull();
      const count = poller.wait(this.#turns.length > 0 ? 0 : this.#restMs());
      handoff.setAsleep(false);
      this.#updateTime();
      control[HEARTBEAT]! += 1;
      for (let i = 0; i < count; i++) {
        const key = poller.key(i);
        if (key >= 0) this.#dispatch(key, poller.flags(i), poller.serial(i));
        else if (key <= LISTENER_KEY) {
          this.#acceptOn(this.#listeners.find(LISTENER_KEY - key), false);
        } else if (key === WAKE_KEY) this.#wakeFds.empty(this.#number);
      }
      this.#receive(false);
      this.#serveQueue();
      const due = wheel.advance(time[0]!);
      for (let i = 0; i < due; i++) this.#expired(wheel.due[i]!);
      // Between two configurations nobody is placed who waits.
      if (!this.#listeners.isHeld) this.#queues.look(this.#tcp);
      // Whoever waits for a descriptor, in any worker, can have these.
      const { outOfDescriptors } = this.#ledger;
      if (outOfDescriptors) {
        this.#pipes.close();
        this.#lingering.giveWay();
      }
      this.#acceptor.resume(time[0]!, outOfDescriptors);
      this.#report();
    }
  }

  /** How long nothing need be done, if no event comes. */
  #restMs(): number {
    const { handoff } = this.#acceptor;
    handoff.setAsleep(true);
    if (!handoff.empty && !this.#table.full) return 0;
    const now = this.#time[0]!;
    const limit = this.#queues.sleepMs(MAX_SLEEP_MS);
    return this.#wheel.sleepMs(now, this.#acceptor.sleepMs(now, limit));
  }

  /** Accepts what waits on a listener; `all` of it, or no more than its turn allows. */
  #acceptOn(listener: Listener | undefined, all: boolean): void {
    if (listener === undefined) return;
    const now = this.#time[0]!;
    const at = this.#time[1]!;
    const acceptor = this.#acceptor;
    for (let turn = acceptor.turns(all); turn > 0; turn--) {
      // What the control plane has said holds for clients that connect from then on.
      if (!all && this.#hasMessages()) return;
      if (this.#ledger.outOfDescriptors) {
        acceptor.pauseAccept(now);
        return;
      }
      const slot = acceptor.accept(listener, now, at);
      if (slot === Acceptor.NOTHING) return;
      if (slot >= 0) this.#begin(slot);
    }
  }

  /** Takes the clients that other workers have accepted for this one; `all`: though a control message waits. */
  #receive(all: boolean): void {
    const { handoff } = this.#acceptor;
    if (!handoff.empty && this.#table.full) this.#lingering.giveWay();
    while (!handoff.empty && !this.#table.full && (all || !this.#hasMessages())) {
      const slot = this.#acceptor.receive(this.#time[0]!, this.#time[1]!);
      if (slot >= 0) this.#begin(slot);
    }
  }

  /** A client has its record. If it must begin with a PROXY header, the header comes first. */
  #begin(slot: number): void {
    const hasHeader = this.#words[slot * TUNNEL_WORDS + STATE] === READING_HEADER;
    if (!hasHeader || this.#headers.begin(slot)) this.#tcp.begin(slot);
  }

  /** Tells whether the control plane has said something that is not acted on yet. */
  #hasMessages(): boolean {
    // This thread alone writes MESSAGES_READ.
    return Atomics.load(this.#control, MESSAGES_SENT) !== this.#control[MESSAGES_READ]!;
  }

  /** Ends every tunnel, and those that would become one. */
  cut(): void {
    this.#updateTime();
    for (let slot = 0; slot < this.#table.touched; slot++) {
      const state = this.#words[slot * TUNNEL_WORDS + STATE];
      if (state === READING_HEADER) this.#sessions.turnAway(slot, NO_BACKEND);
      else if (state !== FREE && state !== LINGERING) this.#tcp.cut(slot);
    }
    // Now there is a record for each of them.
    while (!this.#acceptor.handoff.empty) {
      const slot = this.#acceptor.receive(this.#time[0]!, this.#time[1]!);
      if (slot >= 0) this.#sessions.turnAway(slot, NO_BACKEND);
    }
    this.#lingering.giveWay();
    this.#report();
  }

  /** Ends those of the tunnels that are open here. */
  endTunnels(tunnels: ReadonlySet<number>, reason: number): void {
    this.#updateTime();
    for (let slot = 0; slot < this.#table.touched; slot++) {
      if (this.#words[slot * TUNNEL_WORDS + STATE] !== OPEN) continue;
      if (!tunnels.has(this.#table.numbers[slot * TUNNEL_NUMBERS + TUNNEL_ID]!)) continue;
      this.#tcp.end(slot, reason);
    }
    this.#report();
  }

  /** Gives back what the loop itself holds. The tunnels are gone already. */
  end(): void {
    this.#pipes.close();
    this.#report();
  }

  #updateTime(): void {
    this.#time[0] = this.#clock.now();
    this.#time[1] = this.#clock.wall();
  }

  #dispatch(key: number, events: number, serial: number): void {
    const slot = key >> 1;
    const side = key & 1;
    const base = slot * TUNNEL_WORDS;
    // An event of a socket that was closed earlier in this turn, its slot perhaps in use again.
    if (this.#words[base + SERIAL + side] !== serial) return;
    const state = this.#words[base + STATE];
    if (state === LINGERING) this.#lingering.ready(slot);
    else if (state === READING_HEADER) {
      if (this.#headers.ready(slot, events)) this.#tcp.begin(slot);
    } else if (state !== FREE) this.#tcp.ready(slot, side, events);
  }

  /** Gives those who have more to do one more turn each. */
  #serveQueue(): void {
    for (let count = this.#turns.length; count > 0; count--) {
      const slot = this.#turns.next();
      if (slot >= 0) this.#tcp.goOn(slot);
    }
  }

  #expired(slot: number): void {
    if (!this.#wheel.isDue(slot)) return;
    const state = this.#words[slot * TUNNEL_WORDS + STATE];
    if (state === LINGERING) this.#lingering.end(slot);
    else if (state === READING_HEADER) {
      if (this.#headers.expired(slot)) this.#tcp.begin(slot);
    } else if (state !== FREE) this.#tcp.expired(slot);
  }

  /** Wakes the control plane when it waits for events and there are some. */
  #report(): void {
    this.#counters[PIPES_DENIED] = this.#relay.pipesDenied;
    if (Atomics.load(this.#control, LISTENING) === 0 || !this.#recorder.waiting) return;
    if (Atomics.compareExchange(this.#control, LISTENING, 1, 0) === 1) this.#tell();
  }
}
