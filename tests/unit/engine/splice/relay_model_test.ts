import { assert, assertEquals } from "@std/assert";
import {
  allocateWorkerMemory,
  FD,
  FLAGS,
  OPEN,
  STATE,
  TUNNEL_WORDS,
} from "../../../../lib/engine/splice/layout.ts";
import {
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
  type Libc,
  openLibc,
} from "../../../../lib/engine/splice/libc.ts";
import { Pipes } from "../../../../lib/engine/splice/pipes.ts";
import { BUDGET_EXHAUSTED, OVER, Relay } from "../../../../lib/engine/splice/relay.ts";
import {
  ENDED,
  READABLE,
  SHORT_READ_INCONCLUSIVE,
  TunnelTable,
  WRITABLE,
} from "../../../../lib/engine/splice/tunnel_table.ts";
import { fakeLibc, FakeSocket, FIRST_FD } from "../../../support/fake_sockets.ts";
import { numbersFrom } from "../../../support/tables.ts";

const SIDES = [0, 1] as const;
const READ = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
const READ_ON = EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI;
const TUNNELS = 150;

/** How a peer ends: in the regular way, by a reset, or gone so that writing to it gives one. */
type End = "regular" | "reset" | "gone";

/** One tunnel of the real relay between two peers of whom chance decides. */
class Model {
  readonly random: () => number;
  readonly sockets: readonly [FakeSocket, FakeSocket];
  readonly goals: readonly [number, number];
  readonly ends: readonly [End, End];
  /** The client reads nothing before it has sent everything; its backend always reads. */
  readonly sendsFirst: boolean;
  isOver = false;
  readonly #relay: Relay;
  readonly #words: Int32Array;
  readonly #readsShort: boolean;
  #isQueued = false;

  constructor(seed: number, libc: Libc) {
    const random = this.random = numbersFrom(seed);
    const socket = () => new FakeSocket(2000 + this.upTo(150_000), 2000 + this.upTo(80_000));
    const goal = () => this.chance(0.3) ? this.upTo(3) : this.upTo(400_000);
    const end = (): End => this.chance(0.6) ? "regular" : this.chance(0.5) ? "reset" : "gone";
    this.sockets = [socket(), socket()];
    this.goals = [goal(), goal()];
    this.ends = [end(), end()];
    this.sendsFirst = this.ends[1] !== "regular" && this.chance(0.5);
    this.#readsShort = this.chance(0.3);
    const fake = fakeLibc(libc, this.sockets, {
      random,
      interrupts: this.chance(0.3),
      hasPipes: this.chance(0.8),
      readsShort: this.#readsShort,
    });
    const memory = allocateWorkerMemory(1);
    const table = new TunnelTable(memory);
    this.#relay = new Relay(fake, table, new Pipes(fake, memory.pipes));
    this.#words = memory.words;
    const base = table.take() * TUNNEL_WORDS;
    assertEquals(base, 0);
    this.#words[STATE] = OPEN;
    this.#words[FLAGS] = (WRITABLE | (this.#readsShort ? SHORT_READ_INCONCLUSIVE : 0)) * 3;
    for (const side of SIDES) this.#words[FD + side] = FIRST_FD + side;
  }

  chance(share: number): boolean {
    return this.random() < share;
  }

  upTo(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  /** Dispatches events as the worker's loop does, at most so many rounds. */
  turn(rounds: number): void {
    for (let round = 0; round < rounds && !this.isOver; round++) {
      const order = this.chance(0.5) ? [0, 1] : [1, 0];
      for (const side of order) {
        const socket = this.sockets[side === 0 ? 0 : 1];
        const { events } = socket;
        socket.events = 0;
        if (events !== 0 && !this.isOver) this.#dispatch(side, events);
      }
      if (this.#isQueued && !this.isOver) {
        this.#isQueued = false;
        if (!this.#pump(0)) this.#pump(1);
      }
    }
  }

  peerEnds(side: 0 | 1): void {
    const socket = this.sockets[side];
    if (socket.hasEnded) return;
    if (this.ends[side] === "regular") socket.peerEnds();
    else if (this.ends[side] === "reset") socket.reset();
    else socket.peerGoes();
  }

  peerSends(side: 0 | 1, most: number): void {
    const socket = this.sockets[side];
    socket.peerSends(Math.min(most, this.goals[side] - socket.sent));
  }

  peerReads(side: 0 | 1, most: number): void {
    const hasSent = this.sockets[0].hasEnded || this.sockets[0].sent >= this.goals[0];
    if (side === 1 || !this.sendsFirst || hasSent) this.sockets[side].peerReads(most);
  }

  #dispatch(side: number, events: number): void {
    const before = this.#words[FLAGS] ?? 0;
    let set = 0;
    if ((events & READ) !== 0) set |= READABLE << side;
    if ((events & READ_ON) !== 0) set |= SHORT_READ_INCONCLUSIVE << side;
    if ((events & EPOLLOUT) !== 0) set |= WRITABLE << side;
    this.#words[FLAGS] = before | set;
    if ((events & EPOLLERR) !== 0 && (before & (ENDED << side)) !== 0) {
      if (this.#after(this.#relay.broken(0, side, 0))) return;
    }
    if ((set & (READABLE << side)) !== 0 && this.#pump(side)) return;
    if ((set & (WRITABLE << side)) !== 0 && (before & (WRITABLE << side)) === 0) {
      this.#pump(1 - side);
    }
  }

  #pump(direction: number): boolean {
    return this.#after(this.#relay.pump(0, direction, 0));
  }

  #after(result: number): boolean {
    if (result === OVER) this.isOver = true;
    if (result === BUDGET_EXHAUSTED) this.#isQueued = true;
    return this.isOver;
  }
}

Deno.test("whatever two peers do, every byte comes through in order and every tunnel ends", () => {
  const first = Math.floor(Math.random() * 2 ** 31);
  const libc = openLibc();
  for (let seed = first; seed < first + TUNNELS; seed++) {
    const model = new Model(seed, libc);
    // At first as chance has it ...
    for (let step = 0; step < 300; step++) {
      const side = model.chance(0.5) ? 0 : 1;
      const deed = model.upTo(4);
      if (model.chance(0.05)) model.sockets[side].peerUrges();
      if (deed < 2) model.peerSends(side, 1 + model.upTo(model.chance(0.5) ? 100 : 80_000));
      else if (deed === 2) model.peerReads(side, 1 + model.upTo(200_000));
      else if (model.chance(0.01)) model.peerEnds(side);
      if (model.chance(0.7)) model.turn(1 + model.upTo(3));
    }
    // ... then everybody who is there reads, sends what is left, and ends.
    for (let step = 0; step < 3000 && !model.isOver; step++) {
      for (const side of SIDES) {
        model.peerReads(side, 1 << 20);
        model.peerSends(side, 1 << 18);
        // A backend that waits for a client that waits for it dies some time.
        const isLate = side === 1 && model.sendsFirst && step > 20;
        if (isLate || model.sockets[side].sent >= model.goals[side]) model.peerEnds(side);
      }
      model.turn(50);
    }
    const { sockets, goals, ends } = model;
    for (const socket of sockets) socket.peerReads(1 << 30);
    const state = `seed ${seed}: ${ends}, sent ${sockets.map(({ sent }) => sent)} of ${goals}, ` +
      `received ${sockets.map(({ received }) => received)}`;
    assert(model.isOver, `the tunnel does not end, ${state}`);
    assert(!sockets.some(({ isCorrupt }) => isCorrupt), `bytes are wrong, ${state}`);
    if (ends[0] !== "regular" || ends[1] !== "regular") continue;
    assertEquals(
      sockets.map(({ received }) => received),
      [sockets[1].sent, sockets[0].sent],
      state,
    );
  }
  libc.close();
});
