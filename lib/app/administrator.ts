// Carries out the orders of administrators: checks them against what is there, keeps them, then makes them
// so, one after the other. What is acknowledged is kept and holds for every pick from then on.

import {
  type Administration,
  NO_ADMINISTRATION,
  type Order,
  ordered,
  overrideOf,
} from "../core/administration/administration.ts";
import {
  administered,
  NO_OVERRIDES,
  type Overrides,
  type Said,
} from "../core/administration/override.ts";
import { MAX_BACKENDS } from "../core/pool/backend.ts";
import { OWN_WORDS } from "../core/pool/member.ts";
import { identityOf } from "../core/pick/source.ts";
import type { Clock } from "../core/timing/clock.ts";
import {
  type Address,
  formatAddress,
  parseBackendAddress,
  sameAddress,
} from "../core/values/address.ts";
import { messageOf } from "../core/values/errors.ts";
import { didYouMean } from "../core/values/nearest.ts";
import type { PoolConfig } from "../config/config.ts";
import { describeLoop, describeReturn } from "../config/loops.ts";
import { someOf } from "../config/config_error.ts";
import { quote } from "../schema/quote.ts";
import type {
  BackendAddition,
  BackendAnswer,
  BackendPatch,
  Caller,
  Ordered,
  Orders,
  Refusal,
  When,
} from "../admin/orders.ts";
import { NO_STORE, type StateStore } from "../admin/state_file.ts";
import type { LogArea } from "../log/setup.ts";
import { describeOrder, timeOf } from "./administration_words.ts";
import type { FoundNames } from "./backend_names.ts";
import type { PoolController } from "./pool_controller.ts";

/** A pool as the configuration has it, and who keeps it. */
export interface GovernedPool {
  readonly configured: PoolConfig;
  readonly controller: PoolController;
  /** The port of a backend that names none; undefined: it must be named. */
  readonly defaultPort: number | undefined;
}

/** What is done in a turn: the next begins when `rest` is over, too. */
export interface Turn<T> {
  readonly value: T;
  readonly rest?: Promise<void>;
}

export interface AdministratorParts {
  readonly clock: Clock;
  readonly log: LogArea;
  /** Runs when no reload and no other order is being carried out. */
  readonly inTurn: <T>(run: () => Promise<Turn<T>>) => Promise<T>;
  /** Makes the denials of now hold, for every client from its end on. In a turn. */
  readonly turnAway: () => Promise<void>;
  readonly pool: (name: string) => GovernedPool | undefined;
  readonly poolNames: () => readonly string[];
  /** The frontend of which a backend there would be the balancer itself; undefined: none. */
  readonly frontendReached: (pool: string, address: Address) => string | undefined;
  /** What is told of a backend now. */
  readonly report: (pool: string, backend: string) => BackendAnswer | undefined;
  /** Why nothing may be changed any more. */
  readonly closed: () => string | undefined;
}

export class Administrator implements Orders {
  readonly #parts: AdministratorParts;
  #store = NO_STORE;
  #administration = NO_ADMINISTRATION;

  constructor(parts: AdministratorParts) {
    this.#parts = parts;
  }

  /** Goes on with what was ordered before, and keeps orders there. */
  restore(store: StateStore, administration: Administration): void {
    this.#store = store;
    this.#administration = administration;
  }

  /** Keeps nothing any more. */
  close(): void {
    this.#store[Symbol.dispose]();
    this.#store = NO_STORE;
  }

  get administration(): Administration {
    return this.#administration;
  }

  /** Where orders are kept; undefined: in memory alone. */
  get keptIn(): string | undefined {
    return this.#store.path;
  }

  overridesOf(pool: string): Overrides {
    return this.#administration.backends.get(pool) ?? NO_OVERRIDES;
  }

  /** A pool's configuration with what is ordered of its backends. */
  applied(configured: PoolConfig): PoolConfig {
    return withOverrides(configured, this.#administration);
  }

  backend(pool: string, backend: string): Ordered<BackendAnswer> {
    const found = this.#find(pool, backend);
    if (!found.ok) return found;
    const value = this.#parts.report(pool, found.id);
    return value === undefined
      ? { ok: false, status: 404, error: `Backend ${found.id} is in pool ${pool} no more` }
      : { ok: true, value, tag: this.#tagOf(found) };
  }

  patchBackend(
    pool: string,
    name: string,
    { state, deadline, weight, reason }: BackendPatch,
    caller: Caller,
  ): Promise<Ordered<BackendAnswer | null>> {
    return this.#order(pool, name, caller, ({ id, governed }) => {
      const said = this.#said(caller, reason);
      if (deadline !== undefined) {
        const { state: now } = overrideOf(this.#administration, pool, id);
        const fault = deadline === null ? undefined : deadlineFault(state ?? now?.state);
        if (fault !== undefined) return fault;
      }
      const until = this.#timeOf("deadline", deadline);
      if (!until.ok) return until;
      const objection = state === "enabled" ? objectionOf(governed.controller, id) : undefined;
      return {
        kind: "set",
        pool,
        backend: id,
        said,
        ...(state === undefined ? {} : { state: state === "default" ? null : state }),
        ...(until.value === undefined ? {} : { deadlineMs: until.value }),
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
  ): Promise<Ordered<BackendAnswer | null>> {
    return this.#order(pool, name, caller, ({ id }) => ({
      kind: "add",
      pool,
      backend: id,
      said: this.#said(caller, reason),
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
  ): Promise<Ordered<BackendAnswer | null>> {
    return this.#order(pool, name, caller, ({ id, governed }) => ({
      kind: "remove",
      pool,
      backend: id,
      said: this.#said(caller, reason),
      isConfigured: governed.configured.backends.some((backend) => backend.id === id),
    }));
  }

  /** A backend's own side says no longer what an administrator has overruled. */
  ownWordChanged(pool: string, backend: string, overruled: string): void {
    const { clock, log, inTurn } = this.#parts;
    const said = { by: "compute-lb", atMs: clock.wall() };
    inTurn(async () => {
      const governed = this.#parts.pool(pool);
      const { state } = overrideOf(this.#administration, pool, backend);
      if (governed === undefined || state?.overrules !== overruled) return { value: undefined };
      const next = ordered(this.#administration, {
        kind: "set",
        pool,
        backend,
        said,
        state: null,
      });
      try {
        await this.#store.save(next);
      } catch (error) {
        // It comes back with the next start, and goes again with the first answer.
        log.warning(messageOf(error));
      }
      log.info(`${pool}: ${backend} goes by what its own side says again: that has changed`);
      return { value: undefined, rest: this.#take(governed, next, new Map()) };
    }).catch((error: unknown) => log.error(messageOf(error)));
  }

  /** Carries out one order about a backend, which is made when its turn has come. */
  #order(
    pool: string,
    name: string,
    { ifMatch }: Caller,
    make: (found: Found) => Order | Refusal,
    mayBeNew = false,
  ): Promise<Ordered<BackendAnswer | null>> {
    const { inTurn, closed } = this.#parts;
    return inTurn(async (): Promise<Turn<Ordered<BackendAnswer | null>>> => {
      const why = closed();
      if (why !== undefined) return { value: refusal(409, why) };
      const found = this.#find(pool, name, mayBeNew);
      if (!found.ok) return { value: found };
      if (ifMatch !== undefined) {
        const tag = this.#tagOf(found);
        if (!(ifMatch === "*" ? found.isKnown : ifMatch.includes(tag))) {
          const error = found.isKnown
            ? `Backend ${found.id} has changed meanwhile: its tag is "${tag}"`
            : `Backend ${found.id} is not there yet`;
          return { value: refusal(412, error) };
        }
      }
      const order = make(found);
      return "ok" in order ? { value: order } : await this.#carryOut(found, order);
    });
  }

  async #carryOut(found: Found, order: Order): Promise<Turn<Ordered<BackendAnswer | null>>> {
    const { governed: { configured, controller }, id } = found;
    const { log } = this.#parts;
    const next = ordered(this.#administration, order);
    if (next === this.#administration) return { value: this.#answer(found) };
    const config = withOverrides(configured, next);
    const isNew = config.backends.some((backend) => backend.id === id) &&
      controller.pool.members.every(({ backend }) => backend.id !== id);
    let names: FoundNames = new Map();
    if (isNew) {
      names = await controller.find(config);
      const fault = this.#joinFault(found, config, names);
      if (fault !== undefined) return { value: fault };
    }
    try {
      await this.#store.save(next);
    } catch (error) {
      log.error(`an order was refused: ${messageOf(error)}`);
      return { value: refusal(503, messageOf(error)) };
    }
    log.info(describeOrder(order), { event: "order", by: order.said.by });
    const rest = this.#take(found.governed, next, names);
    return { value: this.#answer(found), rest };
  }

  /** Makes orders so, for clients that are placed from now on; what it promises is about rounds of probes. */
  #take({ configured, controller }: GovernedPool, next: Administration, names: FoundNames) {
    this.#administration = next;
    const asked = signatureOf(controller.config);
    const config = withOverrides(configured, next);
    controller.take(config, names);
    if (signatureOf(config) === asked) return Promise.resolve();
    return controller.start().catch((error: unknown) => this.#parts.log.error(messageOf(error)));
  }

  /** Why a backend cannot join its pool. */
  #joinFault({ id, pool, governed }: Found, config: PoolConfig, names: FoundNames) {
    if (config.backends.length > MAX_BACKENDS) {
      return refusal(409, `Pool ${pool} has ${MAX_BACKENDS} backends already, as many as it can`);
    }
    if (!governed.controller.pool.hasRoomFor(config.backends)) {
      const error = `Pool ${pool} has no room while those that have left still have sessions`;
      return refusal(409, error);
    }
    const backend = config.backends.find((one) => one.id === id);
    const found = names.get(id);
    const addresses = found?.ok === true ? found.value : backend ? [backend.address] : [];
    for (const address of addresses) {
      const frontend = this.#parts.frontendReached(pool, address);
      if (frontend === undefined) continue;
      const isLiteral = backend !== undefined && sameAddress(address, backend.address);
      const error = isLiteral ? describeLoop(id, frontend) : describeReturn(address, frontend);
      return refusal(409, error);
    }
    return undefined;
  }

  #find(pool: string, name: string, mayBeNew = false): Found & { readonly ok: true } | Refusal {
    const governed = this.#parts.pool(pool);
    if (governed === undefined) {
      const names = this.#parts.poolNames();
      const hint = didYouMean(pool, names) || `expected one of ${names.join(", ")}`;
      return refusal(404, `Unknown pool ${quote(pool)}: ${hint}`);
    }
    const { configured, defaultPort } = governed;
    const known = new Set(configured.backends.map(({ id }) => id));
    for (const id of this.overridesOf(pool).keys()) known.add(id);
    const found = (
      id: string,
    ) => ({ ok: true, pool, id, governed, isKnown: known.has(id) } as const);
    if (known.has(name)) return found(name);
    const address = parseBackendAddress(name, defaultPort);
    const id = address.ok ? formatAddress(address.value) : "";
    if (known.has(id) || (mayBeNew && address.ok)) return found(id);
    if (mayBeNew && !address.ok) return refusal(400, address.message);
    const hint = didYouMean(name, [...known]) || `expected one of ${someOf([...known])}`;
    return refusal(404, `Unknown backend ${quote(name)}: ${hint}`);
  }

  #answer(found: Found): Ordered<BackendAnswer | null> {
    const value = this.#parts.report(found.pool, found.id) ?? null;
    return { ok: true, value, tag: this.#tagOf(found) };
  }

  /** Another one whenever orders about the backend, or its configuration, are others. */
  #tagOf({ pool, id, governed: { configured } }: Found): string {
    const backend = configured.backends.find((one) => one.id === id) ?? null;
    const text = JSON.stringify([overrideOf(this.#administration, pool, id), backend]);
    const hash = (text: string) => (identityOf(text) >>> 0).toString(16).padStart(8, "0");
    return hash(text) + hash(`${text} `);
  }

  #said({ by }: Caller, reason: string | undefined): Said {
    const atMs = this.#parts.clock.wall();
    return { by, atMs, ...(reason === undefined ? {} : { reason }) };
  }

  /** A time that is given, by the wall clock; it must be to come. */
  #timeOf(field: string, when: When | null | undefined):
    | { readonly ok: true; readonly value: number | null | undefined }
    | Refusal {
    if (when === null || when === undefined) return { ok: true, value: when };
    const nowMs = this.#parts.clock.wall();
    const value = "atMs" in when ? when.atMs : nowMs + when.afterMs;
    if (value > nowMs) return { ok: true, value };
    const error = `Cannot use ${timeOf(value)}: expected a time to come, it is ${timeOf(nowMs)}`;
    return { ...refusal(400, error), field };
  }
}

/** A backend that was asked for. */
interface Found {
  readonly pool: string;
  readonly id: string;
  readonly governed: GovernedPool;
  /** Whether the configuration or an order names it. */
  readonly isKnown: boolean;
}

function refusal(status: Refusal["status"], error: string): Refusal {
  return { ok: false, status, error };
}

function withOverrides(configured: PoolConfig, { backends }: Administration): PoolConfig {
  const overrides = backends.get(configured.name) ?? NO_OVERRIDES;
  return { ...configured, backends: administered(configured.backends, overrides) };
}

/** What the rounds of probes and samples go by. */
function signatureOf({ backends }: PoolConfig): string {
  return JSON.stringify(backends.map(({ id, admin }) => [id, admin === "disabled"]));
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
