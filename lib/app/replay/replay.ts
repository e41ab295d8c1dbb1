// Decides the sessions of a recording again, by any strategy: the program's own strategies, table and
// kernels, fed with the recorded samples, states and sessions in the order of time.
//
// What is assumed of a world that was not: a session that lands elsewhere takes its load along (the
// learnt cost of a session, which load averages show with their usual lag) and ends when it ended; all
// other load, health and refused connects stay where they were; clients that were turned away are left out.

import { parseBackendAddress } from "../../core/address.ts";
import type { Backend } from "../../core/backend.ts";
import { readSnapshot, SNAPSHOT_WORDS, takeSnapshot } from "../../core/decision_snapshot.ts";
import type { LoadSample } from "../../core/load.ts";
import { Choice, countTunnel, endTunnel, pick, release, Tried } from "../../core/pick_kernels.ts";
import {
  ACTIVE,
  CLOCK,
  CURSOR,
  DEFAULT_CAPACITY,
  ELIGIBLE,
  HASH_BALANCE,
  MAX_CONNECTIONS,
  PACE_LIMIT,
  PickTable,
  STARTED,
  STICKY_SECONDS,
} from "../../core/pick_table.ts";
import { Chance } from "../../core/simulation/chance.ts";
import { identityOf, Source } from "../../core/source_hash.ts";
import { PACE_STEPS, Pacer } from "../../core/pace.ts";
import { STICKY_CLIENTS } from "../../core/sticky.ts";
import { createStrategy, type StrategyName } from "../../strategy/registry.ts";
import type { MemberView, Strategy } from "../../strategy/strategy.ts";
import type { BackendState, PickLine, PoolLine } from "../record_format.ts";
import { Measure, type Measures } from "./measure.ts";
import { Filtered, type LearntLoad } from "./outside_load.ts";
import type { RecordedPool, RecordedSession, ReplayEvent } from "./recording.ts";

/** One strategy's course through a recording. */
export interface Replayed {
  readonly measures: Measures;
  /** Sessions for which no backend was to be had. */
  readonly turnedAway: number;
}

/** How a strategy decides in the very situations that were recorded. */
export interface Agreement {
  /** Sessions for which it chooses the recorded backend. */
  readonly same: number;
  /** Of the others, those that chance decided, then or now: near-equals, or a draw. */
  readonly otherByChance: number;
}

/** How often the control plane weighs when nothing happens. */
const TICK_MS = 1000;
/** Of a longer silence, only the last part is gone through: nothing has changed that is weighed. */
const LONGEST_SILENCE_MS = 3_600_000;
const FALLBACK = "round_robin";

interface Member {
  readonly row: number;
  readonly backend: Backend;
  state: BackendState;
  load: LoadSample | undefined;
  /** Sessions here less those that the recording had here, as a load average shows them. */
  readonly surplus: Filtered;
  hasLeft: boolean;
}

/** Replays one pool's recording: every session stays where the strategy puts it. */
export function replay(
  pool: RecordedPool,
  learnt: LearntLoad,
  strategy: StrategyName,
): Replayed {
  return new Replay(learnt, strategy, false).run(pool.events);
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
  return new Replay(learnt, strategy, true).run(pool.events);
}

/** Measures the course that was recorded. */
export function measureRecorded(pool: RecordedPool, learnt: LearntLoad): Measures {
  const measure = new Measure(learnt.sessionCost);
  const course = new Course(measure, learnt);
  for (const event of pool.events) {
    course.take(event);
    if (event.kind === "arrival") measure.place(event.session.backend);
    else if (event.kind === "end") measure.hold(event.session.backend, -1);
  }
  return measure.finish();
}

/** Tells a measure what happens whatever the placement. */
class Course {
  #next = 0;

  constructor(readonly measure: Measure, readonly learnt: LearntLoad) {}

  take(event: ReplayEvent): void {
    const { measure } = this;
    const { outside } = this.learnt;
    if (event.kind === "reset") measure.reset(event.t, event.line.interval);
    if (event.kind === "reset" || event.kind === "pool") {
      measure.advance(event.t);
      this.#servers(event.line, event.kind === "reset");
    }
    for (let span = outside[this.#next]; span && span.t <= event.t; span = outside[this.#next]) {
      measure.advance(span.t);
      measure.setOutside(span.backend, span.tasks);
      this.#next++;
    }
    measure.advance(event.t);
    if (event.kind === "backend") {
      const { backend, cores, state } = event.line;
      measure.setServer(backend, cores, state === "ready");
    } else if (event.kind === "old_end") measure.hold(event.backend, -1);
  }

  #servers(line: PoolLine, isReset: boolean): void {
    this.measure.retireOthers(new Set(line.backends.map(({ backend }) => backend)));
    for (const { backend, cores, state, active } of line.backends) {
      this.measure.setServer(backend, cores, state === "ready");
      if (isReset) this.measure.hold(backend, active);
    }
  }
}

class Replay {
  readonly #learnt: LearntLoad;
  readonly #strategyName: StrategyName;
  readonly #isForced: boolean;
  /** For picks whose draw the recording does not have. */
  readonly #chance = new Chance(1);
  readonly #measure: Measure;
  readonly #choice = new Choice();
  readonly #source = new Source();
  readonly #snapshot = new Int32Array(SNAPSHOT_WORDS);
  #table = PickTable.allocate(1);
  #pacer = new Pacer(this.#table);
  #originMs = 0;
  #paceStepMs = TICK_MS;
  #pacedMs = 0;
  #strategy: Strategy;
  #fallback: Strategy = createStrategy(FALLBACK);
  #members = new Map<string, Member>();
  #placed = new Map<RecordedSession, Member>();
  #maxAgeMs = Infinity;
  #weighedMs = 0;
  #turnedAway = 0;
  #same = 0;
  #otherByChance = 0;

  /** @param isForced whether every session goes where it was recorded to go, whatever is chosen. */
  constructor(learnt: LearntLoad, strategy: StrategyName, isForced: boolean) {
    this.#learnt = learnt;
    this.#strategyName = strategy;
    this.#strategy = createStrategy(strategy);
    this.#isForced = isForced;
    this.#measure = new Measure(learnt.sessionCost);
  }

  run(events: readonly ReplayEvent[]): Replayed & Agreement {
    const course = new Course(this.#measure, this.#learnt);
    for (const event of events) {
      if (event.kind !== "reset") this.#tick(event.t);
      course.take(event);
      this.#take(event);
    }
    return {
      measures: this.#measure.finish(),
      turnedAway: this.#turnedAway,
      same: this.#same,
      otherByChance: this.#otherByChance,
    };
  }

  #take(event: ReplayEvent): void {
    const { t } = event;
    switch (event.kind) {
      case "reset":
        this.#table = PickTable.allocate(DEFAULT_CAPACITY, STICKY_CLIENTS);
        this.#pacer = new Pacer(this.#table);
        this.#originMs = t;
        this.#pacedMs = t;
        this.#members = new Map();
        this.#placed = new Map();
        this.#strategy = createStrategy(this.#strategyName);
        this.#setPool(event.line);
        for (const { backend, active } of event.line.backends) {
          const member = this.#members.get(backend);
          if (member !== undefined) this.#table.write(member.row, ACTIVE, active);
        }
        break;
      case "pool":
        this.#setPool(event.line);
        break;
      case "backend": {
        const member = this.#members.get(event.line.backend);
        if (member === undefined) return;
        member.state = event.line;
        this.#table.write(member.row, MAX_CONNECTIONS, event.line.max);
        break;
      }
      case "sample": {
        const member = this.#members.get(event.line.backend);
        if (member === undefined) return;
        this.#sample(member, event.line.load1, event.line.taken);
        break;
      }
      case "arrival":
        this.#arrive(event.session, t);
        return;
      case "end":
        this.#end(event.session, t);
        return;
      case "old_end": {
        const member = this.#members.get(event.backend);
        if (member !== undefined && this.#table.read(member.row, ACTIVE) > 0) {
          release(this.#table, member.row);
        }
        return;
      }
    }
    this.#weigh(t);
  }

  #setPool(line: PoolLine): void {
    const { t, backends, fallback } = line;
    this.#maxAgeMs = line.max_age;
    const { words } = this.#table;
    Atomics.store(words, HASH_BALANCE, line.rules?.hash_balance ?? 0);
    Atomics.store(words, STICKY_SECONDS, line.rules?.sticky ?? 0);
    Atomics.store(words, PACE_LIMIT, line.rules?.pace ?? 0);
    this.#paceStepMs = (line.rules?.pace_within ?? TICK_MS) / PACE_STEPS;
    const name = FALLBACK_NAMES.find((known) => known === fallback) ?? FALLBACK;
    if (this.#fallback.name !== name) this.#fallback = createStrategy(name);
    const names = new Set(backends.map(({ backend }) => backend));
    for (const [name, member] of this.#members) {
      if (names.has(name)) continue;
      member.hasLeft = true;
      this.#table.write(member.row, ELIGIBLE, 0);
      this.#members.delete(name);
    }
    for (const state of backends) {
      let member = this.#members.get(state.backend);
      if (member === undefined) {
        member = {
          row: this.#claim(state),
          backend: backendOf(state),
          state,
          load: undefined,
          surplus: new Filtered(0, t),
          hasLeft: false,
        };
        this.#members.set(state.backend, member);
        const { load1, taken } = state;
        if (load1 !== undefined && taken !== undefined) this.#sample(member, load1, taken);
      }
      member.state = state;
      this.#table.write(member.row, MAX_CONNECTIONS, state.max);
    }
  }

  /** Gives a backend the row that it had, since turns go by rows. */
  #claim({ row, backend }: { row: number; backend: string }): number {
    const before = new Set(Array.from({ length: row }, (_, index) => index));
    return this.#table.claim(before, identityOf(backend));
  }

  /** A sample as it would have been, with the sessions that are here now and not those of the recording. */
  #sample(member: Member, load1: number, taken: number): void {
    const shifted = load1 + this.#learnt.sessionCost * member.surplus.at(taken);
    member.load = { load1: Math.max(0, shifted), takenAtMs: taken };
  }

  /** As if the last pick had not been made. */
  #takeBack(row: number): void {
    release(this.#table, row);
    this.#table.add(row, STARTED, -1);
  }

  #setSource({ client }: RecordedSession): void {
    const address = parseBackendAddress(client);
    if (address.ok) this.#source.setAddress(address.value);
    else this.#source.setUnknown();
  }

  #arrive(session: RecordedSession, t: number): void {
    this.#setSource(session);
    this.#members.get(session.backend)?.surplus.add(-1, t);
    const failed = new Set(
      session.picks.filter(({ failure }) => failure !== null)
        .map(({ backend }) => backend),
    );
    const tried = new Tried();
    for (let attempt = 0; !tried.full; attempt++) {
      const random = session.picks[attempt]?.draw ?? this.#chance.next();
      const row = pick(this.#table, tried, random, this.#choice, this.#source);
      const member = row < 0 ? undefined : this.#memberAt(row);
      if (member === undefined) break;
      if (failed.has(member.state.backend)) {
        release(this.#table, row);
        tried.add(row);
        continue;
      }
      this.#compare(session, member.state.backend, tried);
      if (!this.#isForced) return this.#place(session, member, t);
      this.#takeBack(row);
      break;
    }
    const recorded = this.#members.get(session.backend);
    if (!this.#isForced) this.#turnedAway++;
    else if (recorded !== undefined) {
      this.#table.add(recorded.row, ACTIVE, 1);
      this.#table.add(recorded.row, STARTED, 1);
      // Whose turn is next depends on who had the last.
      Atomics.store(this.#table.words, CURSOR, recorded.row);
      this.#place(session, recorded, t);
    }
  }

  /** A session takes the place that is reserved for it. */
  #place(session: RecordedSession, member: Member, t: number): void {
    countTunnel(this.#table, member.row, this.#source);
    member.surplus.add(1, t);
    this.#placed.set(session, member);
    this.#measure.place(member.state.backend);
  }

  #compare(session: RecordedSession, backend: string, tried: Tried): void {
    if (backend === session.backend) {
      this.#same++;
      return;
    }
    takeSnapshot(this.#table, tried, this.#choice, 0, this.#snapshot);
    const { why } = readSnapshot(this.#snapshot, 0, this.#names());
    const recorded = session.picks.at(-1);
    if (isChance(why) || (recorded !== undefined && isChance(recorded.why))) this.#otherByChance++;
  }

  #end(session: RecordedSession, t: number): void {
    this.#members.get(session.backend)?.surplus.add(1, t);
    const member = this.#placed.get(session);
    if (member === undefined) return;
    this.#placed.delete(session);
    member.surplus.add(-1, t);
    // Another backend may stand in the row of one that has left.
    this.#setSource(session);
    if (!member.hasLeft) endTunnel(this.#table, member.row, this.#source);
    this.#measure.hold(member.state.backend, -1);
  }

  #memberAt(row: number): Member | undefined {
    for (const member of this.#members.values()) if (member.row === row) return member;
    return undefined;
  }

  #names(): { backend: string }[] {
    const names: { backend: string }[] = [];
    for (const { row, state } of this.#members.values()) names[row] = { backend: state.backend };
    return names;
  }

  /** Weighs as often as the control plane would have until then. */
  #tick(t: number): void {
    if (t - this.#weighedMs > LONGEST_SILENCE_MS) this.#weighedMs = t - LONGEST_SILENCE_MS;
    while (this.#weighedMs + TICK_MS < t) this.#weigh(this.#weighedMs + TICK_MS);
    Atomics.store(this.#table.words, CLOCK, Math.floor((t - this.#originMs) / 1000));
    // After so many steps, nothing is lately any more.
    const stepMs = this.#paceStepMs;
    const longest = (PACE_STEPS + 1) * stepMs;
    if (t - this.#pacedMs > longest) this.#pacedMs = t - longest;
    for (; this.#pacedMs + stepMs <= t; this.#pacedMs += stepMs) this.#pacer.step();
  }

  #weigh(t: number): void {
    this.#weighedMs = t;
    const view = [...this.#members.values()].map((member): MemberView => {
      const { row, backend, state, load } = member;
      const isFresh = load !== undefined && t - load.takenAtMs <= this.#maxAgeMs;
      return {
        row,
        backend,
        usable: state.state === "ready",
        cores: state.cores,
        weight: state.weight ?? 1,
        ...(isFresh ? { load } : {}),
      };
    });
    if (!this.#strategy.weigh(view, this.#table, t)) this.#fallback.weigh(view, this.#table, t);
  }
}

const FALLBACK_NAMES = ["round_robin", "least_connections", "random"] as const;

function isChance(why: PickLine["why"]): boolean {
  return why === "near_equal" || why === "chance";
}

function backendOf({ backend, max, cores }: BackendState): Backend {
  const address = parseBackendAddress(backend);
  return {
    id: backend,
    address: address.ok ? address.value : { transport: "unix", path: backend },
    maxConnections: max,
    cores,
  };
}
