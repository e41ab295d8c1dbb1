// Carries out the orders of administrators: checks them against what is there, keeps them, then makes them
// so, one after the other. What is acknowledged is kept and holds for every pick from then on.

import {
  type Administration,
  type Order,
  ordered,
  overrideOf,
} from "../core/administration/administration.ts";
import { OWN_WORDS } from "../core/pool/member.ts";
import { ACTIVE } from "../core/pick/pick_table.ts";
import { Ticker } from "../core/timing/polling.ts";
import { messageOf } from "../core/values/errors.ts";
import { type Config, isFed, type PoolConfig } from "../config/config.ts";
import type {
  BackendAddition,
  BackendAnswer,
  BackendPatch,
  Caller,
  Ordered,
  Orders,
  Refusal,
} from "../admin/orders.ts";
import type { SessionReport } from "../admin/session_report.ts";
import type { StateStore } from "../admin/state_file.ts";
import { describeOrder, describeStanding, type StandingOrder } from "./administration_words.ts";
import type { FoundNames } from "./backend_names.ts";
import { DenialOrders } from "./denial_orders.ts";
import { Drains, type StandingDrain } from "./drains.ts";
import { OrderBook } from "./order_book.ts";
import type { OrderParts, Turn } from "./order_parts.ts";
import {
  conditionFault,
  findTarget,
  isRefusal,
  joinFault,
  type OrderTarget,
  refusal,
  saidBy,
  tagOf,
  timeGiven,
  withOrders,
} from "./order_target.ts";
import type { PoolController } from "./pool_controller.ts";
import type { Ordering } from "./pools.ts";
import { reportPool } from "./report.ts";
import { reportSession } from "./sessions.ts";

/** How often it is looked whether a time has come. */
const TICK_MS = 1000;

type Answered = Ordered<BackendAnswer | null>;

export class Administrator implements Orders, Ordering, AsyncDisposable {
  readonly #parts: OrderParts;
  readonly #book: OrderBook;
  readonly #denials: DenialOrders;
  readonly #drains: Drains;
  readonly #ticker: Ticker;

  constructor(parts: OrderParts) {
    this.#parts = parts;
    const { clock, random, log, engine, config } = parts;
    this.#book = new OrderBook(log);
    this.#denials = new DenialOrders(parts, this.#book);
    this.#drains = new Drains({
      clock,
      log,
      engine,
      standing: () => this.#standingDrains(),
      active: (pool, backend) => this.#activeOf(pool, backend),
      notify: (pool) => config().pools.find(({ name }) => name === pool)?.drain.notify ?? [],
    });
    this.#ticker = new Ticker(clock, random, TICK_MS, () => {
      this.#drains.tick();
      this.#denials.tick();
    });
  }

  get administration(): Administration {
    return this.#book.administration;
  }

  /** Where orders are kept; undefined: in memory alone. */
  get keptIn(): string | undefined {
    return this.#book.keptIn;
  }

  /** Goes on with what was ordered before, and keeps orders there. */
  restore(store: StateStore, administration: Administration): void {
    this.#book.restore(store, administration);
  }

  /** Says what is ordered from before, and looks after what ends by itself. */
  async start(): Promise<void> {
    for (const { text } of this.standing(this.#parts.config())) {
      this.#parts.log.info(`ordered: ${text}`);
    }
    await this.#ticker.start();
  }

  /** Keeps nothing any more: another process may. */
  close(): void {
    this.#book.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ticker[Symbol.asyncDispose]();
    await this.#drains[Symbol.asyncDispose]();
    this.close();
  }

  applied(configured: PoolConfig): PoolConfig {
    return withOrders(configured, this.#book.administration);
  }

  /** Orders that stand, in words. @param before the configuration that this one replaces. */
  standing(config: Config, before?: Config): StandingOrder[] {
    return describeStanding(this.#book.administration, config, before);
  }

  /** What is known of a pool, with what is ordered. */
  report(controller: PoolController): ReturnType<typeof reportPool> {
    const { clock, config } = this.#parts;
    const { name } = controller.config;
    const configured = config().pools.find((pool) => pool.name === name)?.backends ?? [];
    const overrides = this.#book.overridesOf(name);
    return reportPool(controller, configured, overrides, clock.now(), clock.wall());
  }

  backend(pool: string, name: string): Ordered<BackendAnswer> {
    const target = this.#find(pool, name);
    if (isRefusal(target)) return target;
    const answer = this.#answer(target);
    if (!answer.ok) return answer;
    const { value, tag = "" } = answer;
    return value === null
      ? refusal(404, `Backend ${target.id} is in pool ${pool} no more`)
      : { ok: true, value, tag };
  }

  patchBackend(
    pool: string,
    name: string,
    { state, deadline, weight, reason }: BackendPatch,
    caller: Caller,
  ): Promise<Answered> {
    const { clock } = this.#parts;
    return this.#order(pool, name, caller, ({ id, controller }) => {
      if (deadline !== undefined && deadline !== null) {
        const { state: now } = overrideOf(this.#book.administration, pool, id);
        const fault = deadlineFault(state ?? now?.state);
        if (fault !== undefined) return fault;
      }
      const until = timeGiven(clock, "deadline", deadline);
      if (isRefusal(until)) return until;
      const objection = state === "enabled" ? objectionOf(controller, id) : undefined;
      return {
        kind: "set",
        pool,
        backend: id,
        said: saidBy(clock, caller, reason),
        ...(state === undefined ? {} : { state: state === "default" ? null : state }),
        ...(until.atMs === undefined ? {} : { deadlineMs: until.atMs }),
        ...(objection === undefined ? {} : { overrules: objection }),
        ...(weight === undefined ? {} : { weight }),
      };
    });
  }

  addBackend(
    pool: string,
    name: string,
    { cores, weight, maxConnections, reason }: BackendAddition,
    caller: Caller,
  ): Promise<Answered> {
    const { clock } = this.#parts;
    return this.#order(pool, name, caller, ({ id }) => ({
      kind: "add",
      pool,
      backend: id,
      said: saidBy(clock, caller, reason),
      ...(cores === undefined ? {} : { cores }),
      ...(weight === undefined ? {} : { weight }),
      ...(maxConnections === undefined ? {} : { maxConnections }),
    }), true);
  }

  removeBackend(
    pool: string,
    name: string,
    reason: string | undefined,
    caller: Caller,
  ): Promise<Answered> {
    const { clock } = this.#parts;
    return this.#order(pool, name, caller, ({ id, configured }) => ({
      kind: "remove",
      pool,
      backend: id,
      said: saidBy(clock, caller, reason),
      // Who is not named now may be with the next list, or the next token.
      isConfigured: configured.discovery.length > 0 || isFed(configured) ||
        configured.backends.some((backend) => backend.id === id),
    }));
  }

  deny(
    ...order: Parameters<Orders["deny"]>
  ): ReturnType<Orders["deny"]> {
    return this.#denials.deny(...order);
  }

  undeny(...order: Parameters<Orders["undeny"]>): ReturnType<Orders["undeny"]> {
    return this.#denials.undeny(...order);
  }

  frontendTag(frontend: string): string | undefined {
    return this.#denials.tagOf(frontend);
  }

  kill(id: number, reason: string | undefined, { by }: Caller): Ordered<SessionReport> {
    const { engine, log } = this.#parts;
    const session = engine.sessions().find(({ tunnel }) => tunnel === id);
    if (session === undefined) {
      return refusal(404, `Unknown session ${id}: it has ended, or never was`);
    }
    const value = reportSession(session);
    const why = reason === undefined ? "" : ` (${reason})`;
    const text = `${by} ends session ${id} of ${value.client} on ${value.backend}${why}`;
    log.info(text, { event: "order", by });
    engine.end([id], "killed");
    return { ok: true, value };
  }

  ownWordChanged(pool: string, backend: string, overruled: string): void {
    const { clock, log, inTurn } = this.#parts;
    const order = {
      kind: "set",
      pool,
      backend,
      said: { by: "compute-lb", atMs: clock.wall() },
      state: null,
    } as const;
    inTurn(async () => {
      const target = this.#find(pool, backend);
      const { state } = overrideOf(this.#book.administration, pool, backend);
      if (isRefusal(target) || state?.overrules !== overruled) return { value: undefined };
      const next = ordered(this.#book.administration, order);
      if (await this.#book.keep(next) !== undefined) return { value: undefined };
      log.info(`${pool}: ${backend}: its own side says something else now, and that counts again`);
      return { value: undefined, rest: this.#take(target, new Map()) };
    }).catch((error: unknown) => log.error(messageOf(error)));
  }

  /** Carries out one order about a backend, which is made when its turn has come. */
  #order(
    pool: string,
    name: string,
    { ifMatch }: Caller,
    make: (target: OrderTarget) => Order | Refusal,
    mayBeNew = false,
  ): Promise<Answered> {
    const { inTurn, closed } = this.#parts;
    return inTurn(async (): Promise<Turn<Answered>> => {
      const why = closed();
      if (why !== undefined) return { value: refusal(409, why) };
      const target = this.#find(pool, name, mayBeNew);
      if (isRefusal(target)) return { value: target };
      const { id, isKnown } = target;
      const tag = isKnown ? tagOf(target, this.#book.administration) : undefined;
      const fault = conditionFault(`Backend ${id}`, tag, ifMatch);
      if (fault !== undefined) return { value: fault };
      const order = make(target);
      return isRefusal(order) ? { value: order } : await this.#carryOut(target, order);
    });
  }

  async #carryOut(target: OrderTarget, order: Order): Promise<Turn<Answered>> {
    const { id, configured, controller } = target;
    const { log } = this.#parts;
    const before = this.#book.administration;
    const next = ordered(before, order);
    if (next === before) return { value: this.#answer(target) };
    const config = withOrders(configured, next);
    const isNew = config.backends.some((backend) => backend.id === id) &&
      controller.pool.members.every(({ backend }) => backend.id !== id);
    let names: FoundNames = new Map();
    if (isNew) {
      names = await controller.find(config);
      const fault = joinFault(target, config, names, this.#parts.pools());
      if (fault !== undefined) return { value: fault };
    }
    const unkept = await this.#book.keep(next);
    if (unkept !== undefined) return { value: unkept };
    log.info(describeOrder(order), { event: "order", by: order.said.by });
    const rest = this.#take(target, names);
    const { state } = overrideOf(next, configured.name, id);
    const isNews = state !== overrideOf(before, configured.name, id).state;
    if (state?.state === "draining" && isNews) {
      this.#drains.began({ pool: configured.name, backend: id, order: state });
    }
    return { value: this.#answer(target), rest };
  }

  /** Makes orders so, for clients that are placed from now on; what it promises is about rounds of probes. */
  #take({ configured }: OrderTarget, names: FoundNames): Promise<void> {
    return this.#parts.pools().retake(configured, names)
      .catch((error: unknown) => this.#parts.log.error(messageOf(error)));
  }

  #find(pool: string, name: string, mayBeNew = false): OrderTarget | Refusal {
    const { config, pools } = this.#parts;
    return findTarget(config(), pools(), this.#book.administration, pool, name, mayBeNew);
  }

  #answer(target: OrderTarget): Answered {
    const report = this.report(target.controller);
    const isIt = ({ id }: { readonly id: string }) => id === target.id;
    const value = report.removed.find(isIt) ?? report.backends.find(isIt) ?? null;
    return { ok: true, value, tag: tagOf(target, this.#book.administration) };
  }

  #standingDrains(): StandingDrain[] {
    return [...this.#book.administration.backends].flatMap(([pool, overrides]) =>
      [...overrides].flatMap(([backend, { state }]) =>
        state?.state === "draining" ? [{ pool, backend, order: state }] : []
      )
    );
  }

  /** Sessions of a backend; undefined: the pool knows it no more, but the engine may. */
  #activeOf(name: string, backend: string): number | undefined {
    const pool = this.#parts.pools().get(name)?.pool;
    const member = pool?.member(backend);
    return member && pool?.table.read(member.row, ACTIVE);
  }
}

/** What a backend's own side says against sessions. */
function objectionOf({ pool }: PoolController, id: string): string | undefined {
  const holds = pool.member(id)?.holds;
  const cause = OWN_WORDS.find((word) => holds?.has(word));
  return cause === undefined ? undefined : holds?.get(cause)?.reason;
}

function deadlineFault(state: string | undefined): Refusal | undefined {
  if (state === "draining") return undefined;
  const error = `Cannot set it: expected a drain, the state is ${state ?? "enabled"}`;
  return { ...refusal(409, error), field: "deadline" };
}
