// The frontends of the portable engine: what is known of each for as long as it is open or has clients, and who
// waits for a place in it.

import type { Address } from "../../core/values/address.ts";
import type { Frontend, PoolPlan } from "../engine.ts";
import type { Entrance } from "./admission.ts";

type Plans = ReadonlyMap<string, PoolPlan>;

const NO_PLANS: Plans = new Map();

/** What lives as long as tunnels of a frontend's name do. */
export class FrontendState implements Entrance {
  /** Whether it is listened for. */
  isOpen = true;
  /** By pool: the plans of the configuration that the settings are from. */
  plans = NO_PLANS;
  /** Clients accepted and not yet done with, tunnel or not; but for those who wait for a place. */
  active = 0;
  /** Resolved when there may be a place again; undefined while nobody waits for that. */
  #room: PromiseWithResolvers<void> | undefined;

  constructor(readonly number: number, public settings: Frontend) {}

  /** The pool that a client goes to. */
  poolOf(client: Address): string {
    const { pool, location } = this.settings;
    if (location === undefined || client.transport === "unix") return pool;
    return location.pools[location.table.findHost(client.host)] ?? pool;
  }

  /** Whether it is full and has clients wait. */
  get isWaitedFor(): boolean {
    const { maxConnections, whenFull } = this.settings;
    return this.isOpen && whenFull === "wait" && maxConnections > 0 &&
      this.active >= maxConnections;
  }

  /** Resolves when there may be a place. */
  room(): Promise<void> {
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  /** Lets those look who wait for a place. */
  stir(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}

export class Frontends {
  readonly #states = new Map<string, FrontendState>();
  #nextNumber = 0;

  get(name: string): FrontendState | undefined {
    return this.#states.get(name);
  }

  /** By name. */
  get all(): ReadonlyMap<string, FrontendState> {
    return this.#states;
  }

  /** These alone are open from now on; the others keep their plans for clients that are still to be accepted. */
  open(frontends: readonly Frontend[], plans: Plans): void {
    for (const state of this.#states.values()) state.isOpen = false;
    for (const settings of frontends) {
      let state = this.#states.get(settings.name);
      if (state === undefined) {
        state = new FrontendState(this.#nextNumber++, settings);
        this.#states.set(settings.name, state);
      }
      Object.assign(state, { settings, plans, isOpen: true });
    }
    // There may be room now, or nothing to wait for.
    for (const state of this.#states.values()) state.stir();
  }

  /** The last clients of those that are closed have been accepted. */
  forgetClosed(): void {
    for (const [name, state] of this.#states) {
      if (state.isOpen) continue;
      if (state.active === 0) this.#states.delete(name);
      else state.plans = NO_PLANS;
    }
  }
}
