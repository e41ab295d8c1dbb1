// The worker's epoll loop: accepts clients, dispatches events to dialler and relay, minds deadlines.
// It blocks the thread and comes back only when the control plane has a message, or is to stop.
//
// `!` on typed-array reads: slots come from the tunnel table.

import {
  CONNECT,
  NO_BACKEND as NOBODY,
  OPEN as CONNECTED,
  OUT_OF_DESCRIPTORS as NO_DESCRIPTOR,
  WAIT,
} from "../../core/dial/dial_policy.ts";
import { Acceptor, type Listener } from "./acceptor.ts";
import { Dialer } from "./dialer.ts";
import {
  FD,
  FLAGS,
  FREE,
  FRONTEND,
  HEARTBEAT,
  LAST_MOVE,
  LISTENING,
  MESSAGES_READ,
  MESSAGES_SENT,
  OPEN,
  PIPES_DENIED,
  REASON,
  SERIAL,
  STATE,
  TUNNEL_NUMBERS,
  TUNNEL_WORDS,
} from "./layout.ts";
import {
  EMFILE,
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
  type Libc,
} from "./libc.ts";
import { Ledger } from "./ledger.ts";
import type { ListenerSpec, WorkerSetup } from "./control_messages.ts";
import { Pipes } from "./pipes.ts";
import { LISTENER_KEY, Poller, WAKE_KEY } from "./poller.ts";
import {
  CONNECT_FAILURE,
  IDLE_TIMEOUT,
  NO_BACKEND,
  OUT_OF_DESCRIPTORS,
  Recorder,
  SHUTDOWN,
} from "./records.ts";
import { Reserve } from "./reserve.ts";
import { SocketOptions } from "./socket_options.ts";
import { Sessions } from "./sessions.ts";
import { TurnQueue } from "./turn_queue.ts";
import { TimerWheel } from "./timer_wheel.ts";
import {
  BUDGET_EXHAUSTED,
  ENDED,
  KEEPALIVE_SET,
  OVER,
  READABLE,
  Relay,
  SHORT_READ_INCONCLUSIVE,
  TunnelTable,
  WRITABLE,
} from "./tunnel.ts";

/** The longest sleep, so that the heartbeat goes on. */
const MAX_SLEEP_MS = 1000;
/** When tunnels are looked at after a reload. */
const LOOK_MS = 100;
/** There is something to read, be it the end. */
const READ = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
/** Times a flag: of both sides. */
const SIDES = 1 | 1 << 1;
/** After the bytes comes the end, an error or urgent data: a short read is not the last. */
const READ_ON = EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI;

export class Loop {
  readonly #control: Int32Array;
  readonly #counters: Float64Array;
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #table: TunnelTable;
  readonly #poller: Poller;
  readonly #wheel: TimerWheel;
  readonly #recorder: Recorder;
  readonly #ledger: Ledger;
  readonly #pipes: Pipes;
  readonly #relay: Relay;
  readonly #dialer: Dialer;
  readonly #acceptor: Acceptor;
  readonly #options: SocketOptions;
  readonly #tell: () => void;
  readonly #clockOffset: number;
  readonly #sessions: Sessions;
  /** Tunnels that have more to move than their turn allowed. */
  readonly #waiting: TurnQueue;
  /** [now, now as milliseconds since the epoch]: an array, since a field would box each number. */
  readonly #time = new Float64Array(2);

  /** @param tell the control plane that events wait in the ring. */
  constructor(libc: Libc, setup: WorkerSetup, tell: () => void) {
    const { memory } = setup;
    this.#control = memory.control;
    this.#counters = memory.counters;
    this.#words = memory.words;
    this.#numbers = memory.numbers;
    this.#tell = tell;
    this.#clockOffset = performance.timeOrigin - setup.originMs;
    this.#updateTime();
    this.#table = new TunnelTable(memory);
    this.#poller = new Poller(libc, memory, setup.epollFd);
    this.#wheel = new TimerWheel(memory, this.#time[0]!);
    this.#recorder = new Recorder(memory, setup.engine);
    this.#ledger = new Ledger(memory.words, setup.engine, setup.number);
    this.#pipes = new Pipes(libc, memory.pipes);
    this.#relay = new Relay(libc, this.#table, this.#pipes);
    this.#options = new SocketOptions(libc, setup.keepalive);
    this.#acceptor = new Acceptor(
      libc,
      setup,
      this.#table,
      this.#poller,
      this.#recorder,
      this.#ledger,
    );
    this.#dialer = new Dialer({
      libc,
      memory,
      poller: this.#poller,
      wheel: this.#wheel,
      recorder: this.#recorder,
      ledger: this.#ledger,
      reserve: new Reserve(libc, setup.engine),
      plans: this.#acceptor,
      time: this.#time,
      random: Math.random,
    });
    this.#sessions = new Sessions(setup, this.#time, {
      libc,
      table: this.#table,
      wheel: this.#wheel,
      recorder: this.#recorder,
      ledger: this.#ledger,
      relay: this.#relay,
      dialer: this.#dialer,
      acceptor: this.#acceptor,
      options: this.#options,
    });
    this.#waiting = new TurnQueue(memory);
    this.#poller.addWake(setup.wakeFds[setup.number]!);
  }

  get acceptor(): Acceptor {
    return this.#acceptor;
  }

  /** Begins whoever waits at the closing listeners or in the handoff, and then nobody until `listen`. */
  hold(closing: readonly number[]): void {
    this.#updateTime();
    this.#acceptor.hold();
    for (const id of closing) this.#acceptOn(this.#acceptor.find(id), true);
    this.#receive(true);
  }

  /** Accepts on exactly these from now on. */
  listen(listeners: readonly ListenerSpec[]): void {
    this.#updateTime();
    // Who has come meanwhile to one that closes still goes by the plans of before.
    for (const listener of this.#acceptor.others(listeners)) this.#acceptOn(listener, true);
    this.#acceptor.listen(listeners);
    // The idle timeout may be another now: every tunnel is looked at anew.
    for (let slot = 0; slot < this.#table.touched; slot++) {
      if (this.#words[slot * TUNNEL_WORDS + STATE] === OPEN) {
        this.#wheel.set(slot, this.#time[0]! + LOOK_MS);
      }
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
      const count = poller.wait(this.#waiting.length > 0 ? 0 : this.#restMs());
      handoff.setAsleep(false);
      this.#updateTime();
      Atomics.add(control, HEARTBEAT, 1);
      for (let i = 0; i < count; i++) {
        const key = poller.key(i);
        if (key >= 0) this.#dispatch(key, poller.flags(i), poller.serial(i));
        else if (key <= LISTENER_KEY) {
          this.#acceptOn(this.#acceptor.find(LISTENER_KEY - key), false);
        } else if (key === WAKE_KEY) this.#acceptor.wakened();
      }
      this.#receive(false);
      this.#serveQueue();
      const due = wheel.advance(time[0]!);
      for (let i = 0; i < due; i++) this.#expired(wheel.due[i]!);
      // Whoever waits for a descriptor, in any worker, can have those of the spare pipes.
      if (this.#ledger.outOfDescriptors) this.#pipes.close();
      this.#acceptor.resume(time[0]!, this.#ledger.outOfDescriptors);
      this.#report();
    }
  }

  /** How long nothing need be done, if no event comes. */
  #restMs(): number {
    const { handoff } = this.#acceptor;
    handoff.setAsleep(true);
    if (!handoff.empty && !this.#table.full) return 0;
    const now = this.#time[0]!;
    return this.#wheel.sleepMs(now, this.#acceptor.sleepMs(now, MAX_SLEEP_MS));
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

  /** Takes the clients that other workers have accepted for this one; `all`: though control messages waits. */
  #receive(all: boolean): void {
    const { handoff } = this.#acceptor;
    while (!handoff.empty && !this.#table.full && (all || !this.#hasMessages())) {
      const slot = this.#acceptor.receive(this.#time[0]!, this.#time[1]!);
      if (slot >= 0) this.#begin(slot);
    }
  }

  /** Finds a backend for a client. */
  #begin(slot: number): void {
    this.#dialled(slot, this.#dialer.begin(slot));
  }

  /** Tells whether the control plane has said something that is not acted on yet. */
  #hasMessages(): boolean {
    return Atomics.load(this.#control, MESSAGES_SENT) !==
      Atomics.load(this.#control, MESSAGES_READ);
  }

  /** Ends every tunnel, and those that would become one. */
  cut(): void {
    this.#updateTime();
    for (let slot = 0; slot < this.#table.touched; slot++) {
      const base = slot * TUNNEL_WORDS;
      const state = this.#words[base + STATE]!;
      if (state === FREE) continue;
      if (state === OPEN) {
        this.#words[base + REASON] = SHUTDOWN;
        this.#sessions.close(slot);
      } else {
        this.#dialled(slot, this.#dialer.giveUp(slot));
      }
    }
    // Now there is a record for each of them.
    while (!this.#acceptor.handoff.empty) {
      const slot = this.#acceptor.receive(this.#time[0]!, this.#time[1]!);
      if (slot >= 0) this.#sessions.turnAway(slot, NO_BACKEND);
    }
    this.#report();
  }

  /** Gives back what the loop itself holds. The tunnels are gone already. */
  end(): void {
    this.#pipes.close();
    this.#report();
  }

  #updateTime(): void {
    this.#time[0] = performance.now() + this.#clockOffset;
    this.#time[1] = Date.now();
  }

  #dispatch(key: number, events: number, serial: number): void {
    const slot = key >> 1;
    const side = key & 1;
    const base = slot * TUNNEL_WORDS;
    const words = this.#words;
    // An event of a socket that was closed earlier in this turn, its slot perhaps in use again.
    if (words[base + SERIAL + side] !== serial) return;
    const state = words[base + STATE]!;
    let set = 0;
    if ((events & READ) !== 0) set |= READABLE << side;
    if ((events & READ_ON) !== 0) set |= SHORT_READ_INCONCLUSIVE << side;
    if (state === OPEN) {
      const before = words[base + FLAGS]!;
      if ((events & EPOLLOUT) !== 0) set |= WRITABLE << side;
      words[base + FLAGS] = before | set;
      if ((events & EPOLLERR) !== 0 && (before & (ENDED << side)) !== 0) {
        // Reset after its regular end: no read will tell.
        if (this.#after(slot, this.#relay.broken(slot, side, this.#time[0]!))) return;
      }
      if ((set & (READABLE << side)) !== 0 && this.#pump(slot, side)) return;
      // The other direction was waiting for this side to take bytes.
      if ((set & (WRITABLE << side)) !== 0 && (before & (WRITABLE << side)) === 0) {
        this.#pump(slot, 1 - side);
      }
      return;
    }
    words[base + FLAGS]! |= set;
    // The client's bytes, and even its end, wait until a backend is there.
    if (side === 0 || state === FREE) return;
    const failed = (events & (EPOLLERR | EPOLLHUP)) !== 0;
    if (!failed && (events & EPOLLOUT) === 0) return;
    this.#dialled(slot, this.#dialer.advance(slot, !failed));
  }

  /** Acts on what the dialler has come to. */
  #dialled(slot: number, action: number): void {
    switch (action) {
      case CONNECT:
      case WAIT:
        if (this.#ledger.outOfDescriptors) {
          const frontend = this.#words[slot * TUNNEL_WORDS + FRONTEND]!;
          this.#acceptor.pause(frontend, EMFILE, this.#time[0]!, this.#time[1]!);
        }
        break;
      case CONNECTED:
        this.#open(slot);
        break;
      case NOBODY:
        this.#sessions.turnAway(slot, NO_BACKEND);
        break;
      case NO_DESCRIPTOR:
        this.#sessions.turnAway(slot, OUT_OF_DESCRIPTORS);
        break;
      default:
        this.#sessions.turnAway(slot, CONNECT_FAILURE);
    }
  }

  #open(slot: number): void {
    this.#sessions.open(slot);
    // Either side may have spoken already.
    const flags = this.#words[slot * TUNNEL_WORDS + FLAGS]!;
    if ((flags & READABLE) !== 0 && this.#pump(slot, 0)) return;
    if ((flags & (READABLE << 1)) !== 0) this.#pump(slot, 1);
  }

  /** @returns true when the tunnel is closed. */
  #pump(slot: number, d: number): boolean {
    const now = this.#time[0]!;
    const result = this.#relay.pump(slot, d, now);
    const move = slot * TUNNEL_NUMBERS + LAST_MOVE;
    // Idle from the move on and not from the turn's beginning: a turn may take long.
    if (this.#numbers[move] === now && this.#acceptor.idleTimeoutMs(slot) > 0) {
      this.#numbers[move] = performance.now() + this.#clockOffset;
    }
    return this.#after(slot, result);
  }

  #after(slot: number, result: number): boolean {
    if (result === OVER) {
      this.#sessions.close(slot);
      return true;
    }
    if (result === BUDGET_EXHAUSTED) this.#waiting.add(slot);
    return false;
  }

  /** Gives those who wait one more turn each. */
  #serveQueue(): void {
    for (let count = this.#waiting.length; count > 0; count--) {
      const slot = this.#waiting.next();
      if (slot >= 0 && !this.#pump(slot, 0)) this.#pump(slot, 1);
    }
  }

  #expired(slot: number): void {
    if (!this.#wheel.isDue(slot)) return;
    const base = slot * TUNNEL_WORDS;
    const state = this.#words[base + STATE]!;
    const now = this.#time[0]!;
    if (state === FREE) return;
    if (state !== OPEN) {
      this.#dialled(slot, this.#dialer.expired(slot));
      return;
    }
    if ((this.#words[base + FLAGS]! & KEEPALIVE_SET) === 0) {
      this.#words[base + FLAGS]! |= KEEPALIVE_SET;
      this.#options.keepAlive(this.#words[base + FD + 1]!);
    }
    const idleTimeoutMs = this.#acceptor.idleTimeoutMs(slot);
    if (idleTimeoutMs === 0) return;
    if (this.#idleEnd(slot, idleTimeoutMs) <= now) {
      // This thread may have stood still: what has come meanwhile counts.
      this.#words[base + FLAGS]! |= (READABLE | WRITABLE) * SIDES;
      if (this.#pump(slot, 0) || this.#pump(slot, 1)) return;
    }
    const end = this.#idleEnd(slot, idleTimeoutMs);
    if (now < end) this.#wheel.set(slot, end);
    else {
      this.#words[base + REASON] = IDLE_TIMEOUT;
      this.#sessions.close(slot);
    }
  }

  #idleEnd(slot: number, idleTimeoutMs: number): number {
    return this.#numbers[slot * TUNNEL_NUMBERS + LAST_MOVE]! + idleTimeoutMs;
  }

  /** Wakes the control plane when it waits for events and there are some. */
  #report(): void {
    this.#counters[PIPES_DENIED] = this.#relay.pipesDenied;
    if (!this.#recorder.waiting) return;
    if (Atomics.compareExchange(this.#control, LISTENING, 1, 0) === 1) this.#tell();
  }
}
