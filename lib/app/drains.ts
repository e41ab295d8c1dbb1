// What an administrator's drain does over time: has people warned by a command of the site's, and ends the
// sessions that are left when its deadline has come.

import type { StateOrder } from "../core/administration/override.ts";
import type { Clock } from "../core/timing/clock.ts";
import { parseBackendAddress } from "../core/values/address.ts";
import { counted } from "../core/values/counted.ts";
import type { Engine, Session } from "../engine/engine.ts";
import type { LogArea } from "../log/setup.ts";
import { Errand } from "./errand.ts";
import { timeOf } from "./administration_words.ts";
import { reportSession } from "./sessions.ts";

/** A backend that is drained by order. */
export interface StandingDrain {
  readonly pool: string;
  readonly backend: string;
  readonly order: StateOrder;
}

export interface DrainsParts {
  readonly clock: Clock;
  readonly log: LogArea;
  readonly engine: Pick<Engine, "sessions" | "end">;
  /** All that stand. */
  readonly standing: () => readonly StandingDrain[];
  /** Sessions that a backend of a pool has; undefined: to be looked for among all. */
  readonly active: (pool: string, backend: string) => number | undefined;
  /** The command that warns people on backends of a pool; empty: there is none. */
  readonly notify: (pool: string) => readonly string[];
}

/** People are warned so long before the deadline, besides at the beginning. */
const WARNED_BEFORE_MS = [600_000, 60_000];
/** How long a command may take. */
const NOTIFY_MS = 30_000;

/** What is still to be told of a deadline. */
interface Outlook {
  readonly deadlineMs: number;
  /** Times before it at which nobody was warned yet. */
  readonly warnings: readonly number[];
}

export class Drains implements AsyncDisposable {
  readonly #parts: DrainsParts;
  readonly #outlooks = new Map<string, Outlook>();
  readonly #stop = new AbortController();
  /** Commands run one at a time. */
  #turn: Promise<void> = Promise.resolve();
  readonly #errand: Errand;

  constructor(parts: DrainsParts) {
    this.#parts = parts;
    this.#errand = new Errand(parts.clock, this.#stop.signal);
  }

  /** A drain has begun, or has another deadline. */
  began(drain: StandingDrain): void {
    this.#warn(drain);
  }

  /** Ends a command that runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("stopped"));
    await this.#turn;
  }

  /** Looks whether a time has come. Wants a call every second or so. */
  tick(): void {
    const nowMs = this.#parts.clock.wall();
    const keys = new Set<string>();
    let sessions: readonly Session[] | undefined;
    for (const drain of this.#parts.standing()) {
      const { deadlineMs } = drain.order;
      if (deadlineMs === undefined) continue;
      const key = keyOf(drain);
      keys.add(key);
      const leftMs = deadlineMs - nowMs;
      if (leftMs <= 0) {
        const isEmpty = this.#parts.active(drain.pool, drain.backend) === 0;
        if (!isEmpty) this.#cut(drain, sessions ??= this.#parts.engine.sessions());
        continue;
      }
      const known = this.#outlooks.get(key);
      const { warnings } = known?.deadlineMs === deadlineMs ? known : {
        // Of a time that has passed already, people were told at the beginning.
        warnings: WARNED_BEFORE_MS.filter((beforeMs) => leftMs > beforeMs),
      };
      const due = warnings.some((beforeMs) => leftMs <= beforeMs);
      const ahead = warnings.filter((beforeMs) => leftMs > beforeMs);
      this.#outlooks.set(key, { deadlineMs, warnings: ahead });
      if (due) this.#warn(drain);
    }
    for (const key of this.#outlooks.keys()) if (!keys.has(key)) this.#outlooks.delete(key);
  }

  /** Ends what is left; until it has ended, it is told to again. */
  #cut({ pool, backend }: StandingDrain, sessions: readonly Session[]): void {
    const { engine, log } = this.#parts;
    const tunnels = sessionsOf(sessions, pool, backend).map(({ tunnel }) => tunnel);
    if (tunnels.length === 0) return;
    log.warning(
      `${pool}: ${backend}: the deadline of its drain has come, ` +
        `${counted(tunnels.length, "session")} ${tunnels.length === 1 ? "is" : "are"} ended`,
      { event: "drained", pool, backend, sessions: tunnels.length },
    );
    engine.end(tunnels, "drained");
  }

  /** Has people warned, if there is a command and anybody to warn. */
  #warn(drain: StandingDrain): void {
    if (this.#parts.notify(drain.pool).length === 0) return;
    this.#turn = this.#turn.then(() => this.#notify(drain));
  }

  async #notify(drain: StandingDrain): Promise<void> {
    const { log, notify } = this.#parts;
    const { pool, backend, order } = drain;
    const command = notify(pool);
    // It may have been taken back, or have got another deadline, meanwhile.
    const stands = this.#parts.standing().some((one) =>
      keyOf(one) === keyOf(drain) && one.order.deadlineMs === order.deadlineMs
    );
    const sessions = sessionsOf(this.#parts.engine.sessions(), pool, backend);
    if (!stands || command.length === 0 || sessions.length === 0) return;
    const { by, reason = "", deadlineMs } = order;
    const deadline = deadlineMs === undefined ? "" : timeOf(deadlineMs);
    const address = parseBackendAddress(backend);
    const host = address.ok && address.value.transport === "tcp" ? address.value.host : "localhost";
    const env = {
      CLB_POOL: pool,
      CLB_BACKEND: backend,
      CLB_HOST: host,
      CLB_SESSIONS: `${sessions.length}`,
      CLB_DEADLINE: deadline,
      CLB_BY: by,
      CLB_REASON: reason,
    };
    const input = `${
      JSON.stringify({
        pool,
        backend,
        host,
        deadline: deadline === "" ? null : deadline,
        by,
        reason: reason === "" ? null : reason,
        sessions: sessions.map(reportSession),
      })
    }\n`;
    const ran = await this.#errand.run(command, { env, input }, NOTIFY_MS);
    const people = `${pool}: people with ${counted(sessions.length, "session")} on ${backend}`;
    if (ran.ok) log.info(`${people} are warned of its drain`);
    else log.warning(`${people} may not know of its drain: drain.notify: ${ran.message}`);
  }
}

function sessionsOf(sessions: readonly Session[], pool: string, backend: string): Session[] {
  return sessions.filter((session) => session.pool === pool && session.backend === backend);
}

function keyOf({ pool, backend }: StandingDrain): string {
  return `${pool} ${backend}`;
}
