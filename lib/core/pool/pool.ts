// A pool: its backends with what is known of each (health, administration, load, address), and the table
// that kernels pick from. It decides nothing about placement (strategies do) and does no I/O: results of
// probes, samples and look-ups are handed in with the time.

import { type Address, formatAddress } from "../values/address.ts";
import { type AgentAdvice, AgentStanding, describeAdvice } from "./agent_advice.ts";
import { type Backend, MAX_WEIGHT } from "./backend.ts";
import { counted } from "../values/counted.ts";
import { BACKENDS_FAULT, type FailureKind } from "../values/errors.ts";
import type { AdminState, HealthState, ProbeResult } from "./health.ts";
import { type LoadResult, type LoadSample, sampleIn } from "./load.ts";
import { type Cores, KnownCores } from "./known_cores.ts";
import type { PoolChange } from "./pool_change.ts";
import { tellAge, tellSample, tellSilence } from "./load_told.ts";
import { type HoldCause, isOverruled, Member, type Obstacle } from "./member.ts";
import { ACTIVE, ELIGIBLE, MAX_CONNECTIONS, type PickTable } from "../pick/pick_table.ts";
import { type HealthTransition, RiseFall } from "./rise_fall.ts";
import { identityOf } from "../pick/source.ts";

export interface PoolRules {
  readonly rise: number;
  readonly fall: number;
  /** A load sample older than this is no sample. */
  readonly loadMaxAgeMs: number;
  /**
   * Without active probes, a backend that connects took down is tried again after this time; absent
   * when probes bring it back.
   */
  readonly retryAfterMs?: number;
  /**
   * How long the row of a backend that has left is given to no other: as long as a connection that is
   * being made may still look for a backend by the old plan.
   */
  readonly rowRestMs: number;
}

export class Pool {
  readonly #members = new Map<string, Member>();
  #rules: PoolRules;
  #forgiven: ReadonlySet<Obstacle> = new Set();
  readonly #cores = new KnownCores(() => this.#members.values());
  /** The longest rowRestMs so far: connections may still be made by the plan of an earlier reload. */
  #rowRestMs: number;

  constructor(readonly name: string, rules: PoolRules, readonly table: PickTable) {
    this.#rules = rules;
    this.#rowRestMs = rules.rowRestMs;
  }

  /** Those that are in the pool, in the order of the configuration. */
  get members(): readonly Member[] {
    return [...this.#members.values()].filter((member) => !member.leaving);
  }

  /** Those that have left but still hold tunnels. */
  get leaving(): readonly Member[] {
    return [...this.#members.values()].filter((member) => member.leaving);
  }

  member(id: string): Member | undefined {
    return this.#members.get(id);
  }

  setRules(rules: PoolRules): void {
    this.#rules = rules;
    this.#rowRestMs = Math.max(this.#rowRestMs, rules.rowRestMs);
    for (const member of this.#members.values()) {
      member.health.setThresholds(rules.rise, rules.fall);
    }
  }

  /** Whether the table has rows for these backends and for those that leave or have left. */
  hasRoomFor(backends: readonly Backend[]): boolean {
    const fresh = backends.filter(({ id }) => !this.#members.has(id)).length;
    return this.#members.size + fresh <= this.table.capacity;
  }

  /** Sessions of those that have left. */
  get leavingSessions(): number {
    return this.leaving.reduce((sum, { row }) => sum + this.table.read(row, ACTIVE), 0);
  }

  /** Makes these the backends. Those that stay keep what is known of them; those that go drain. */
  setBackends(backends: readonly Backend[], nowMs: number): PoolChange[] {
    this.#cores.changed();
    const changes: PoolChange[] = [];
    const ids = new Set(backends.map((backend) => backend.id));
    for (const member of this.members) {
      if (ids.has(member.backend.id)) continue;
      this.#cores.forget(member.backend.id);
      member.leaving = true;
      member.leftMs = nowMs;
      this.table.write(member.row, ELIGIBLE, 0);
      const active = this.table.read(member.row, ACTIVE);
      const text = active === 0
        ? "left the pool"
        : `left the pool, its ${counted(active, "session")} go${active === 1 ? "es" : ""} on`;
      changes.push({ level: "info", backend: member.backend.id, text });
    }
    const first = this.#members.size === 0;
    for (const backend of backends) {
      const known = this.#members.get(backend.id);
      if (known === undefined) {
        this.#members.set(backend.id, this.#newMember(backend, nowMs));
      } else {
        // Taken out and put back in, it stands where it stands in the list.
        this.#members.delete(backend.id);
        this.#members.set(backend.id, known);
        known.backend = backend;
      }
      if (!first && (known === undefined || known.leaving)) {
        changes.push({ level: "info", backend: backend.id, text: "joined the pool" });
      }
      const member = this.#members.get(backend.id);
      if (member === undefined) continue;
      member.leaving = false;
      this.#administer(member, backend.admin ?? "enabled", nowMs);
      this.table.write(member.row, MAX_CONNECTIONS, this.maxConnectionsOf(member));
    }
    return changes;
  }

  observeProbe(id: string, result: ProbeResult, nowMs: number): PoolChange[] {
    const member = this.#members.get(id);
    if (member === undefined) return [];
    const before = member.health.state;
    const transition = member.health.observe(result.ok);
    const reason = result.ok ? result.detail ?? "answered the probe" : result.reason;
    return this.#afterHealth(member, before, transition, reason, nowMs);
  }

  /** Takes in what the engine saw when it connected. */
  observeConnect(id: string, failure: FailureKind | undefined, nowMs: number): PoolChange[] {
    const member = this.#members.get(id);
    if (member === undefined) return [];
    if (failure === undefined) {
      member.connectFailures = 0;
      member.lastConnectedMs = nowMs;
      return [];
    }
    if (!BACKENDS_FAULT.has(failure)) return [];
    member.connectFailures++;
    if (member.connectFailures < this.#rules.fall) return [];
    const before = member.health.state;
    const reason = `${counted(member.connectFailures, "connection")} failed in a row: ${failure}`;
    return this.#afterHealth(member, before, member.health.force("down"), reason, nowMs);
  }

  observeLoad(id: string, result: LoadResult, nowMs: number): PoolChange[] {
    const member = this.#members.get(id);
    if (member === undefined) return [];
    const changes: PoolChange[] = [];
    if (result.kind === "offline") {
      member.offlineSaidMs = nowMs;
      const { reason = "its load source says OFFLINE" } = result;
      changes.push(...this.hold(id, "offline", reason, nowMs));
    } else if (result.kind !== "failed") {
      changes.push(...this.release(id, "offline", "its load source takes it back"));
    }
    if (result.kind === "advice") changes.push(...this.#apply(member, result.advice, nowMs));
    const sample = sampleIn(result, this.coresOf(member).cores, nowMs);
    if (sample === undefined) return [...changes, ...tellSilence(member, result)];
    const isFresh = nowMs - sample.takenAtMs <= this.#rules.loadMaxAgeMs;
    changes.push(...tellSample(member, sample, isFresh));
    member.load = sample;
    if (sample.cores !== undefined && sample.cores !== member.learntCores) {
      member.learntCores = sample.cores;
      this.#cores.changed();
    }
    return changes;
  }

  /** Takes in what a look-up of the backend's name gave. A failure keeps the addresses of before. */
  observeName(id: string, addresses: readonly Address[], failure?: string): PoolChange[] {
    const member = this.#members.get(id);
    if (member === undefined) return [];
    const told = member.nameFailure !== undefined;
    member.nameFailure = failure;
    if (failure !== undefined) {
      if (told) return [];
      const kept = member.addresses.map(formatAddress).join(", ");
      const text = kept === ""
        ? `cannot be used: ${failure}`
        : `keeps its last addresses (${kept}): ${failure}`;
      return [{ level: "warning", backend: id, text }];
    }
    member.addresses = addresses;
    return told ? [{ level: "info", backend: id, text: "resolves again" }] : [];
  }

  /** Takes in that a look-up gave addresses that must not be used; those of before are not, either. */
  refuseName(id: string, reason: string): PoolChange[] {
    const member = this.#members.get(id);
    if (member === undefined) return [];
    const told = member.addresses.length === 0 && member.nameFailure === reason;
    member.addresses = [];
    member.nameFailure = reason;
    return told ? [] : [{ level: "warning", backend: id, text: `cannot be used: ${reason}` }];
  }

  /**
   * Lets time pass: backends that have left are forgotten after their last tunnel, and what connects took
   * down is tried again where no probe would bring it back.
   */
  tick(nowMs: number): PoolChange[] {
    this.#sweep(nowMs);
    const { retryAfterMs, loadMaxAgeMs } = this.#rules;
    const changes: PoolChange[] = [];
    for (const member of this.members) {
      changes.push(...tellAge(member, nowMs, loadMaxAgeMs));
      if (nowMs - member.offlineSaidMs <= loadMaxAgeMs) continue;
      const { id } = member.backend;
      changes.push(...this.release(id, "offline", "its load source has said nothing for too long"));
    }
    if (retryAfterMs === undefined) return changes;
    const retried = this.members.flatMap((member) => {
      if (member.health.state !== "down" || nowMs - member.healthSinceMs < retryAfterMs) return [];
      member.connectFailures = 0;
      const transition = member.health.force("unknown");
      return this.#afterHealth(member, "down", transition, "is tried again", nowMs);
    });
    return [...changes, ...retried];
  }

  /** Forgets what a load source has said of a backend that is asked otherwise, or not at all, from now on. */
  forgetLoad(id: string, reason = "it is asked for its load otherwise"): PoolChange[] {
    const member = this.#members.get(id);
    if (member === undefined) return [];
    member.load = undefined;
    member.agedLoadTold = false;
    member.loadFailure = undefined;
    member.silenceTold = false;
    member.learntCores = undefined;
    this.#cores.changed();
    member.agent = undefined;
    this.table.write(member.row, MAX_CONNECTIONS, this.maxConnectionsOf(member));
    member.loadDoubt = undefined;
    member.figuresDoubted = false;
    return (["offline", "agent"] as const).flatMap((cause) => this.release(id, cause, reason));
  }

  /** Sends no new session to a backend until {@linkcode release} is called for the same cause. */
  hold(id: string, cause: HoldCause, reason: string, nowMs: number): PoolChange[] {
    const member = this.#members.get(id);
    if (member === undefined) return [];
    const held = member.holds.get(cause);
    member.holds.set(cause, { reason, sinceMs: held?.sinceMs ?? nowMs });
    if (held !== undefined) return [];
    return [{ level: "warning", backend: id, text: `is held back: ${reason}` }];
  }

  /** Ends what {@linkcode hold} began; nothing happens where nothing is held. */
  release(id: string, cause: HoldCause, reason: string): PoolChange[] {
    const holds = this.#members.get(id)?.holds;
    if (holds?.delete(cause) !== true) return [];
    const [other] = holds.values();
    const text = other === undefined
      ? `is no longer held back: ${reason}`
      : `is still held back, though ${reason}: ${other.reason}`;
    return [{ level: "info", backend: id, text }];
  }

  /** Its share of sessions beside others, as things stand now; 0 when it shall have none. */
  weightOf(member: Member): number {
    return Math.min(MAX_WEIGHT, this.loadWeightOf(member) * (member.agent?.share ?? 1));
  }

  /**
   * The same for strategies that go by the load: without its agent's percentage, which tells the load a
   * second time.
   */
  loadWeightOf({ backend, share }: Member): number {
    return (backend.weight ?? 1) * share;
  }

  /** Most sessions that it takes at a time: as its agent says, else as configured; 0: no limit. */
  maxConnectionsOf({ agent, backend }: Member): number {
    return agent?.maxConnections ?? backend.maxConnections;
  }

  /** Makes these the obstacles that keep no session away from now on: a matter of panic.ts. */
  setForgiven(obstacles: ReadonlySet<Obstacle>): void {
    this.#forgiven = obstacles;
  }

  /** What {@linkcode setForgiven} made so. */
  get forgiven(): ReadonlySet<Obstacle> {
    return this.#forgiven;
  }

  /** Whether a new session may be sent there at all, or could be but for these obstacles. */
  isUsable(member: Member, butFor?: ReadonlySet<Obstacle>): boolean {
    const free = (obstacle: Obstacle) => this.#forgiven.has(obstacle) || butFor?.has(obstacle);
    return !member.leaving && member.admin === "enabled" &&
      (member.health.state !== "down" || free("down") === true) &&
      (member.holds.size === 0 ||
        member.holds.keys().every((cause) => free(cause) || isOverruled(member, cause))) &&
      member.addresses.length > 0 && this.weightOf(member) > 0;
  }

  /** The last sample unless it is too old, or its load is not to be believed. */
  freshLoad(member: Member, nowMs: number): LoadSample | undefined {
    return member.loadDoubt === undefined ? this.#freshSample(member, nowMs) : undefined;
  }

  /** The same for what samples tell besides the load, which may be true where the load is not. */
  freshFigures(member: Member, nowMs: number): LoadSample | undefined {
    return member.figuresDoubted ? undefined : this.#freshSample(member, nowMs);
  }

  #freshSample({ load }: Member, nowMs: number): LoadSample | undefined {
    const isFresh = load !== undefined && nowMs - load.takenAtMs <= this.#rules.loadMaxAgeMs;
    return isFresh ? load : undefined;
  }

  /** Its cores, and where that number is from. */
  coresOf(member: Member): Cores {
    return this.#cores.of(member);
  }

  /** Says once that cores are an assumption, of all backends with a load of which that is so. */
  tellAssumedCores(): PoolChange[] {
    return this.#cores.tellAssumed(this.members);
  }

  /** Takes in what a backend's agent says; it holds until the agent says otherwise. */
  #apply(member: Member, advice: AgentAdvice, nowMs: number): PoolChange[] {
    const { id } = member.backend;
    const agent = member.agent ??= new AgentStanding();
    const limit = this.maxConnectionsOf(member);
    agent.apply(advice);
    const changes: PoolChange[] = [];
    if (limit !== this.maxConnectionsOf(member)) {
      const now = this.maxConnectionsOf(member);
      this.table.write(member.row, MAX_CONNECTIONS, now);
      const many = now === 0 ? "any number of sessions" : `at most ${counted(now, "session")}`;
      const text = `takes ${many}: its agent says so`;
      changes.push({ level: "info", backend: id, text });
    }
    const { objection } = agent;
    if (objection === undefined) {
      const text = `its agent says ${describeAdvice(advice)}`;
      return [...changes, ...this.release(id, "agent", text)];
    }
    const reason = `its agent says ${objection}`;
    const before = member.holds.get("agent")?.reason;
    changes.push(...this.hold(id, "agent", reason, nowMs));
    if (before !== undefined && before !== reason) {
      changes.push({ level: "info", backend: id, text: `is still held back: ${reason}` });
    }
    return changes;
  }

  /** What is not probed is not known to be up or down. */
  #administer(member: Member, admin: AdminState, nowMs: number): void {
    const before = member.admin;
    member.admin = admin;
    if (before === admin || (before !== "disabled" && admin !== "disabled")) return;
    member.health.force("unknown");
    member.healthReason = admin === "disabled" ? "not probed while disabled" : "not probed yet";
    member.healthSinceMs = nowMs;
    member.connectFailures = 0;
  }

  #sweep(nowMs: number): void {
    for (const { backend, row, leftMs } of this.leaving) {
      const rested = nowMs - leftMs >= this.#rowRestMs;
      if (!rested || this.table.read(row, ACTIVE) !== 0) continue;
      this.#members.delete(backend.id);
      this.#cores.changed();
    }
  }

  #newMember(backend: Backend, nowMs: number): Member {
    const taken = new Set([...this.#members.values()].map((member) => member.row));
    const health = new RiseFall(this.#rules.rise, this.#rules.fall);
    return new Member(backend, this.table.claim(taken, identityOf(backend.id)), health, nowMs);
  }

  #afterHealth(
    member: Member,
    before: HealthState,
    transition: HealthTransition,
    reason: string,
    nowMs: number,
  ): PoolChange[] {
    if (transition !== "changed") return [];
    const { state } = member.health;
    member.healthReason = reason;
    member.healthSinceMs = nowMs;
    if (state === "up") member.connectFailures = 0;
    return [{
      level: state === "down" ? "warning" : "info",
      backend: member.backend.id,
      text: `is ${state} (was ${before}): ${reason}`,
    }];
  }
}
