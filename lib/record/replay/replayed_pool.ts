// A recorded pool as it would have been: its table under the program's own strategy, fed with the recorded
// states, rules and samples, the samples shifted by the sessions that are elsewhere now.

import { parseBackendAddress } from "../../core/values/address.ts";
import type { Backend } from "../../core/pool/backend.ts";
import type { LoadSample } from "../../core/pool/load.ts";
import {
  ACTIVE,
  DEFAULT_CAPACITY,
  ELIGIBLE,
  MAX_CONNECTIONS,
  PickTable,
} from "../../core/pick/pick_table.ts";
import { FreeCores } from "../../core/estimate/free_cores.ts";
import { ROUND_ROBIN } from "../../strategy/round_robin.ts";
import { memoryFactors } from "../../core/watch/shortages.ts";
import { identityOf } from "../../core/pick/source.ts";
import { STICKY_CLIENTS } from "../../core/pick/sticky.ts";
import { type StrategyName, strategyNamed } from "../../strategy/registry.ts";
import type { MemberView } from "../../core/pool/member_view.ts";
import type { Strategy } from "../../strategy/strategy.ts";
import { weigh } from "../../strategy/weigh.ts";
import {
  type BackendState,
  isUsable,
  type PoolLine,
  type RecordedSample,
} from "../record_format.ts";
import { TableRules } from "../../core/pick/table_rules.ts";
import { Filtered } from "./outside_load.ts";
import { INSTANT_WINDOW_MS } from "../../core/estimate/load_estimate.ts";

export interface ReplayedMember {
  readonly row: number;
  readonly backend: Backend;
  state: BackendState;
  /** The last sample, however old, and the pressure that corrects it. */
  load: LoadSample | undefined;
  cpuPressure: number | undefined;
  readonly surplus: Surplus;
  /** Whether another has its row by now. */
  isReplaced: boolean;
}

/** Sessions here less those that the recording had here, as loads show them. */
class Surplus {
  readonly #average: Filtered;
  readonly #instant: Filtered;

  constructor(t: number) {
    this.#average = new Filtered(0, t);
    this.#instant = new Filtered(0, t, INSTANT_WINDOW_MS);
  }

  add(change: number, t: number): void {
    this.#average.add(change, t);
    this.#instant.add(change, t);
  }

  at(t: number, instant: boolean): number {
    return (instant ? this.#instant : this.#average).at(t);
  }
}

/** How often the control plane weighs when nothing happens. */
const TICK_MS = 1000;
/** Of a longer silence, only the last part is gone through: nothing has changed that is weighed. */
const LONGEST_SILENCE_MS = 3_600_000;
/** What lb.conf says by default, for recordings that do not tell. */
const HASH_BALANCE = 125;
const PACE = { sessions: 8, within: 10_000 };

export class ReplayedPool {
  readonly #sessionCost: number;
  readonly #strategy: Strategy;
  readonly #table: PickTable;
  #rules: TableRules;
  #queueMs = 0;
  #fallback: Strategy = ROUND_ROBIN;
  #freeCores = new FreeCores();
  /** In the order of the configuration. */
  #members = new Map<string, ReplayedMember>();
  /** Those that were taken out of the pool, with rows that nobody else has taken. */
  #left = new Map<string, ReplayedMember>();
  #maxAgeMs = Infinity;
  #memoryWeight = 0;
  #weighedMs = 0;

  /**
   * @param sessionCost cores that a session takes along.
   * @param isSticky whether clients stick at any time of the recording; the table has room for them then.
   */
  constructor(strategy: StrategyName, sessionCost: number, isSticky: boolean) {
    this.#strategy = strategyNamed(strategy);
    this.#sessionCost = sessionCost;
    this.#table = PickTable.allocate(DEFAULT_CAPACITY, isSticky ? STICKY_CLIENTS : 0);
    this.#rules = new TableRules(this.#table, 0);
  }

  get table(): PickTable {
    return this.#table;
  }

  /** How long clients may wait for a place, in milliseconds. */
  get queueMs(): number {
    return this.#queueMs;
  }

  member(backend: string): ReplayedMember | undefined {
    return this.#members.get(backend);
  }

  memberAt(row: number): ReplayedMember | undefined {
    for (const member of this.#members.values()) if (member.row === row) return member;
    return undefined;
  }

  /** Backends by row, for snapshots. */
  get names(): readonly { backend: string }[] {
    const names: { backend: string }[] = [];
    for (const { row, state } of this.#members.values()) names[row] = { backend: state.backend };
    return names;
  }

  /** All that stood before is void. */
  reset(line: PoolLine): void {
    // Not a new table: a recording may hold very many restarts, and a table takes megabytes.
    this.#table.clear();
    this.#rules = new TableRules(this.#table, line.t);
    this.#members = new Map();
    this.#left = new Map();
    this.#freeCores = new FreeCores();
    this.#weighedMs = line.t;
    this.setPool(line);
    for (const { backend, active } of line.backends) {
      const member = this.#members.get(backend);
      if (member !== undefined) this.#table.write(member.row, ACTIVE, active);
    }
  }

  setPool(line: PoolLine): void {
    const { t, backends, fallback, hash_balance, sticky = 0, pace = PACE, queue = 0 } = line;
    this.#queueMs = queue;
    this.#maxAgeMs = line.max_age;
    this.#memoryWeight = line.memory_weight ?? 0;
    const named = strategyNamed(fallback ?? "");
    this.#fallback = named === undefined || named.needsLoad ? ROUND_ROBIN : named;
    this.#rules.set({
      hashBalance: hash_balance ?? HASH_BALANCE,
      sticky: { by: sticky === 0 ? "off" : "source", ttlMs: sticky },
      pace: { sessions: pace.sessions, withinMs: pace.within },
    });
    const before = this.#members;
    this.#members = new Map();
    const names = new Set(backends.map(({ backend }) => backend));
    for (const [name, member] of before) {
      if (names.has(name)) continue;
      this.#table.write(member.row, ELIGIBLE, 0);
      this.#left.set(name, member);
    }
    for (const state of backends) {
      const known = before.get(state.backend) ?? this.#comesBack(state);
      const member = known ?? this.#newMember(state, t);
      this.#members.set(state.backend, member);
      this.#setState(member, state);
      const { load1, taken } = state;
      if (load1 === undefined || taken === undefined) continue;
      if (taken > (member.load?.takenAtMs ?? -Infinity)) {
        this.setSample(state.backend, { ...state, load1, taken });
      }
    }
  }

  setState(state: BackendState): void {
    const member = this.#members.get(state.backend);
    if (member !== undefined) this.#setState(member, state);
  }

  /** Takes a sample in as it would have been with the sessions that are here now. */
  setSample(backend: string, sample: RecordedSample): void {
    const member = this.#members.get(backend);
    if (member === undefined) return;
    const { load1, taken, instant = false, cpu_pressure, session_cost, memory } = sample;
    const shifted = load1 + this.#sessionCost * member.surplus.at(taken, instant);
    member.cpuPressure = cpu_pressure;
    member.load = {
      load1: Math.max(0, shifted),
      takenAtMs: taken,
      instant,
      ...(session_cost === undefined ? {} : { sessionCost: session_cost }),
      ...(memory === undefined ? {} : { memoryAvailableBytes: memory, memoryTotalBytes: 1 }),
    };
  }

  /** Lets time pass: weighs as often as the control plane would have until then. */
  advance(t: number): void {
    this.#rules.advance(t);
    if (t - this.#weighedMs > LONGEST_SILENCE_MS) this.#weighedMs = t - LONGEST_SILENCE_MS;
    while (this.#weighedMs + TICK_MS < t) this.weigh(this.#weighedMs + TICK_MS);
  }

  weigh(t: number): void {
    this.#weighedMs = t;
    const members = [...this.#members.values()];
    const loads = members.map(({ load, state }) =>
      load !== undefined && state.doubted !== true && t - load.takenAtMs <= this.#maxAgeMs
        ? load
        : undefined
    );
    const factors = memoryFactors(loads, this.#memoryWeight);
    const view = members.map((member, index): MemberView => {
      const { row, backend, state, cpuPressure } = member;
      const load = loads[index];
      const weight = state.weight ?? 1;
      return {
        row,
        backend,
        usable: isUsable(state),
        backupTier: state.backup ?? 0,
        cores: state.cores,
        weight,
        loadWeight: state.load_weight ?? weight,
        memoryFactor: factors[index] ?? 1,
        ...(load === undefined ? {} : { load }),
        ...(load === undefined || cpuPressure === undefined ? {} : { cpuPressure }),
      };
    });
    weigh(this.#strategy, this.#fallback, view, this.#table, t, this.#freeCores);
  }

  #setState(member: ReplayedMember, state: BackendState): void {
    member.state = state;
    this.#table.write(member.row, MAX_CONNECTIONS, state.max);
  }

  /** One that was taken out and put back in has its row still, and its sessions. */
  #comesBack({ backend, row }: PoolLine["backends"][number]): ReplayedMember | undefined {
    const member = this.#left.get(backend);
    this.#left.delete(backend);
    return member?.row === row ? member : undefined;
  }

  #newMember(state: PoolLine["backends"][number], t: number): ReplayedMember {
    const { row, backend, cores, max } = state;
    for (const [name, member] of this.#left) {
      if (member.row !== row) continue;
      member.isReplaced = true;
      this.#left.delete(name);
    }
    // The row that it had, since turns go by rows.
    const taken = new Set(Array.from({ length: row }, (_, index) => index));
    const address = parseBackendAddress(backend);
    return {
      row: this.#table.claim(taken, identityOf(backend)),
      backend: {
        id: backend,
        address: address.ok ? address.value : { transport: "unix", path: backend },
        maxConnections: max,
        cores,
      },
      state,
      load: undefined,
      cpuPressure: undefined,
      surplus: new Surplus(t),
      isReplaced: false,
    };
  }
}
