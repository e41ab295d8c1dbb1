// Decides the sessions of a recording again, by any strategy: the program's own strategies, table and
// kernels, fed with the recorded samples, states, rules, clients and draws in the order of time.
//
// What is assumed of a world that was not: a session that lands elsewhere takes its load along (the
// learnt cost of a session, which load averages show with their usual lag) and ends when it ended; all
// other load, health and refused connects stay where they were; clients that were turned away are left out.
//
// Whether a strategy makes the recorded choice is asked with every session put back to where it went, since one
// near-equal that falls otherwise changes all that follow. What is not recorded: the phase of the control plane's
// ticks and of pacing, and what was learnt before the recording began.

import { parseBackendAddress } from "../../core/values/address.ts";
import { SNAPSHOT_WORDS, takeSnapshot } from "../../core/pick/decision_snapshot.ts";
import { readSnapshot } from "../../core/pick/snapshot_reader.ts";
import { ROTATION, strideOf } from "../../core/pick/kernels/rotation.ts";
import {
  Choice,
  countTunnel,
  endTunnel,
  pick,
  release,
  Tried,
} from "../../core/pick/pick_kernels.ts";
import {
  ACTIVE,
  CURSOR,
  HEADER_WORDS,
  PACE_LIMIT,
  PASS,
  ROW_WORDS,
  STICKY_SECONDS,
  WEIGHTED,
} from "../../core/pick/pick_table.ts";
import { mixWords, Source } from "../../core/pick/source.ts";
import { recall, remember, renew } from "../../core/pick/sticky.ts";
import { enterYoung, LONG_AGO } from "../../core/pick/young.ts";
import type { StrategyName } from "../../strategy/registry.ts";
import type { PickLine } from "../record_format.ts";
import { Course } from "./course.ts";
import { Measure, type Measures } from "./measure.ts";
import type { LearntLoad } from "./outside_load.ts";
import type { RecordedPool, RecordedSession, ReplayEvent } from "./recording.ts";
import { type ReplayedMember, ReplayedPool } from "./replayed_pool.ts";

/** One strategy's course through a recording. */
export interface Replayed {
  readonly measures: Measures;
  /** Sessions for which no backend was to be had. */
  readonly turnedAway: number;
  /** Sessions that land on another backend than recorded. */
  readonly elsewhere: number;
}

/** How a strategy decides in the very situations that were recorded. */
export interface Agreement {
  /** Sessions for which it chooses the recorded backend. */
  readonly same: number;
  /** Of the others, those that chance decided, then or now: near-equals, or a draw. */
  readonly otherByChance: number;
}

/** Replays one pool's recording: every session stays where the strategy puts it. */
export function replay(
  pool: RecordedPool,
  learnt: LearntLoad,
  strategy: StrategyName,
): Replayed {
  return new Replay(pool, learnt, strategy, false).run();
}

/**
 * Asks the strategy for every session of a recording, and then puts it where it was recorded to be: one
 * choice that differs does not change the situation of the next.
 */
export function agree(
  pool: RecordedPool,
  learnt: LearntLoad,
  strategy: StrategyName,
): Agreement {
  return new Replay(pool, learnt, strategy, true).run();
}

/** Where a session is, and the step in which it came (core/pick/young.ts). */
interface Placed {
  readonly member: ReplayedMember;
  readonly step: number;
}

class Replay {
  readonly #events: readonly ReplayEvent[];
  readonly #learnt: LearntLoad;
  readonly #isForced: boolean;
  /** Picks whose draw the recording does not have. */
  #unrecorded = 0;
  readonly #measure: Measure;
  readonly #choice = new Choice();
  readonly #source = new Source();
  readonly #snapshot = new Int32Array(SNAPSHOT_WORDS);
  readonly #pool: ReplayedPool;
  /** By row, as they were before the last pick. */
  readonly #passes: number[] = [];
  #placed = new Map<RecordedSession, Placed>();
  #turnedAway = 0;
  #elsewhere = 0;
  #same = 0;
  #otherByChance = 0;

  /** @param isForced whether every session goes where it was recorded to go, whatever is chosen. */
  constructor(
    { events }: RecordedPool,
    learnt: LearntLoad,
    strategy: StrategyName,
    isForced: boolean,
  ) {
    this.#events = events;
    this.#learnt = learnt;
    this.#pool = new ReplayedPool(strategy, learnt.sessionCost, events.some(isSticky));
    this.#isForced = isForced;
    this.#measure = new Measure(learnt.sessionCost);
  }

  run(): Replayed & Agreement {
    const course = new Course(this.#measure, this.#learnt);
    for (const event of this.#events) {
      if (event.kind !== "reset") this.#pool.advance(event.t);
      course.take(event);
      this.#take(event);
    }
    return {
      measures: this.#measure.finish(),
      turnedAway: this.#turnedAway,
      elsewhere: this.#elsewhere,
      same: this.#same,
      otherByChance: this.#otherByChance,
    };
  }

  #take(event: ReplayEvent): void {
    const { t } = event;
    const pool = this.#pool;
    switch (event.kind) {
      case "reset":
        this.#placed = new Map();
        pool.reset(event.line);
        break;
      case "pool":
        pool.setPool(event.line);
        break;
      case "backend":
        pool.setState(event.line);
        break;
      case "sample":
        pool.setSample(event.line.backend, event.line);
        break;
      case "arrival":
        this.#arrive(event.session, t);
        return;
      case "refused":
        this.#turnAway(event.client, event.picks);
        return;
      case "end":
        this.#end(event.session, t);
        return;
      case "old_end":
        this.#endOld(event.backend, event.client);
        return;
    }
    pool.weigh(t);
  }

  #arrive(session: RecordedSession, t: number): void {
    const { table } = this.#pool;
    const recorded = this.#pool.member(session.backend);
    recorded?.surplus.add(-1, t);
    this.#setSource(session.client);
    if (session.sticky && recorded !== undefined) this.#wasAt(recorded);
    const tried = new Tried();
    const chosen = this.#search(session.picks, tried);
    if (chosen !== undefined) this.#compare(session, chosen.state.backend, tried);
    if (!this.#isForced) {
      if (chosen === undefined) this.#turnedAway++;
      else this.#place(session, chosen, t);
      return;
    }
    if (recorded === undefined) {
      if (chosen !== undefined) release(table, chosen.row, this.#choice.step);
      return;
    }
    if (chosen !== recorded) {
      if (chosen !== undefined) this.#undo(chosen);
      this.#enact(recorded, session.sticky);
    }
    this.#place(session, recorded, t);
  }

  /**
   * Picks until a backend takes the connection, which those that refused it then refuse now.
   * @returns where a place is reserved; undefined when nobody is left.
   */
  #search(picks: readonly PickLine[], tried: Tried): ReplayedMember | undefined {
    const { table } = this.#pool;
    const failed = new Set(picks.filter(({ failure }) => failure !== null).map((p) => p.backend));
    for (let attempt = 0; !tried.full; attempt++) {
      if (this.#isForced) this.#keepPasses();
      const random = picks[attempt]?.draw ?? (mixWords(1, this.#unrecorded++) >>> 0) / 2 ** 32;
      const row = this.#pick(tried, random);
      const member = row < 0 ? undefined : this.#pool.memberAt(row);
      if (member === undefined || !failed.has(member.state.backend)) return member;
      release(table, row, this.#choice.step);
      tried.add(row);
    }
    return undefined;
  }

  /**
   * As the client landed that came at this time. One that had to wait for a backend that stands back, or would
   * have to now, gets it: the recording does not tell to the millisecond when there was a place.
   */
  #pick(tried: Tried, random: number): number {
    const { table, queueMs } = this.#pool;
    const row = pick(table, tried, random, this.#choice, this.#source, queueMs);
    if (!this.#choice.waits) return row;
    const limit = Atomics.exchange(table.words, PACE_LIMIT, 0);
    try {
      return pick(table, tried, random, this.#choice, this.#source);
    } finally {
      Atomics.store(table.words, PACE_LIMIT, limit);
    }
  }

  /** A client got no backend. What was picked for it in vain is picked again: turns go on by it. */
  #turnAway(client: string, picks: readonly PickLine[]): void {
    if (picks.length === 0) return;
    this.#setSource(client);
    const chosen = this.#search(picks, new Tried());
    if (chosen === undefined) return;
    // It would have been served. What would have become of it is not known.
    if (this.#isForced) this.#undo(chosen);
    else release(this.#pool.table, chosen.row, this.#choice.step);
  }

  /** A session takes the place that is reserved for it. */
  #place(session: RecordedSession, member: ReplayedMember, t: number): void {
    countTunnel(this.#pool.table, member.row, this.#source);
    member.surplus.add(1, t);
    this.#placed.set(session, { member, step: this.#choice.step });
    if (member.state.backend !== session.backend) this.#elsewhere++;
    this.#measure.place(member.state.backend);
  }

  /** Remembers that a client had been somewhere before the recording began, if it knows of nothing else. */
  #wasAt({ row }: ReplayedMember): void {
    const { table } = this.#pool;
    if (table.words[STICKY_SECONDS] === 0 || recall(table, this.#source) >= 0) return;
    remember(table, this.#source, row);
    renew(table, this.#source, row);
  }

  #keepPasses(): void {
    const { table } = this.#pool;
    for (let row = 0; row < table.rows; row++) this.#passes[row] = table.read(row, PASS);
  }

  /** Takes back what the last pick did in a row. */
  #undo({ row }: ReplayedMember): void {
    const { table } = this.#pool;
    release(table, row, this.#choice.step);
    table.write(row, PASS, this.#passes[row] ?? 0);
  }

  /** Does what the last pick would have done in a row if it had chosen it. */
  #enact({ row }: ReplayedMember, isSticky: boolean): void {
    const { table } = this.#pool;
    const { words } = table;
    table.add(row, ACTIVE, 1);
    this.#choice.step = enterYoung(words, HEADER_WORDS + row * ROW_WORDS);
    if (isSticky) return;
    // Whose turn is next depends on who had the last.
    Atomics.store(words, CURSOR, row);
    if (table.kernel !== ROTATION.number || words[WEIGHTED] === 0) return;
    table.add(row, PASS, strideOf(words, HEADER_WORDS + row * ROW_WORDS));
  }

  #compare(session: RecordedSession, backend: string, tried: Tried): void {
    if (backend === session.backend) {
      this.#same++;
      return;
    }
    const recorded = session.picks.at(-1);
    if (
      this.#isByChance(tried) ||
      (recorded !== undefined && !session.sticky && isChance(recorded.why))
    ) this.#otherByChance++;
  }

  /** Whether chance had a part in the last pick. */
  #isByChance(tried: Tried): boolean {
    if (this.#choice.sticky) return false;
    takeSnapshot(this.#pool.table, tried, this.#choice, 0, this.#snapshot);
    return isChance(readSnapshot(this.#snapshot, 0, this.#pool.names).why);
  }

  #end(session: RecordedSession, t: number): void {
    this.#pool.member(session.backend)?.surplus.add(1, t);
    const placed = this.#placed.get(session);
    if (placed === undefined) return;
    const { member, step } = placed;
    this.#placed.delete(session);
    member.surplus.add(-1, t);
    this.#setSource(session.client);
    // Another backend may stand in the row of one that has left.
    if (!member.isReplaced) endTunnel(this.#pool.table, member.row, this.#source, step);
    this.#measure.hold(member.state.backend, -1);
  }

  /** The end of a session that stood before the recording: its client was there until now. */
  #endOld(backend: string, client: string | undefined): void {
    const { table } = this.#pool;
    const member = this.#pool.member(backend);
    if (member === undefined || table.read(member.row, ACTIVE) <= 0) return;
    if (client === undefined) this.#source.setUnknown();
    else this.#setSource(client);
    this.#wasAt(member);
    endTunnel(table, member.row, this.#source, LONG_AGO);
  }

  #setSource(client: string): void {
    const address = parseBackendAddress(client);
    if (address.ok) this.#source.setAddress(address.value);
    else this.#source.setUnknown();
  }
}

/** Whether clients come back to where they were from this event on. */
function isSticky(event: ReplayEvent): boolean {
  return (event.kind === "reset" || event.kind === "pool") && (event.line.sticky ?? 0) > 0;
}

function isChance(why: PickLine["why"]): boolean {
  return why === "near_equal" || why === "chance" || why === "better_of_two";
}
