// Turns what the engine saw into log lines.

import { formatAddress } from "../core/address.ts";
import type { Decision, EngineEvent } from "../engine/engine.ts";
import type { AccessLog, OpenedRecord } from "../log/access_log.ts";
import type { LogArea } from "../log/setup.ts";

/** Lines about refused clients in one second; the rest of that second is counted. */
const REFUSALS_PER_SECOND = 10;

const REFUSAL_TEXT = {
  no_backend: "no backend is up, not held back and below its limit",
  connect_failed: "no backend took the connection",
  frontend_full: "the frontend's max_connections is reached",
} as const;

export class EventLog {
  #second = 0;
  #inSecond = 0;
  #suppressed = 0;

  constructor(
    readonly log: LogArea,
    readonly access: AccessLog,
    /** The name of the strategy that a pool's kernel ran for. */
    readonly strategyOf: (pool: string, kernel: string) => string,
  ) {}

  write(event: EngineEvent): void {
    switch (event.kind) {
      case "opened": {
        if (!this.access.enabled) return;
        const { decision } = event;
        const { runnerUp } = decision;
        this.access.write(event.atMs, {
          event: "opened",
          tunnel: event.tunnel,
          frontend: event.frontend,
          client: formatAddress(event.client),
          backend: event.backend,
          outgoing: formatAddress(event.outgoing),
          pool: event.pool,
          strategy: this.strategyOf(event.pool, decision.kernel),
          ...(decision.freeMilliCores === undefined
            ? {}
            : { free: decision.freeMilliCores / 1000 }),
          active: decision.active,
          ...(decision.sticky === true ? { sticky: true } : {}),
          ...(decision.paced === true ? { paced: true } : {}),
          ...(runnerUp === undefined ? {} : {
            next: runnerUp.backend,
            ...(runnerUp.freeMilliCores === undefined
              ? {}
              : { next_free: runnerUp.freeMilliCores / 1000 }),
            next_active: runnerUp.active,
          }),
          attempts: event.attempts,
          connect_ms: event.connectMs,
          ...(this.access.decisions ? explained(decision) : undefined),
        });
        return;
      }
      case "closed":
        if (!this.access.enabled) return;
        this.access.write(event.atMs, {
          event: "closed",
          tunnel: event.tunnel,
          frontend: event.frontend,
          client: formatAddress(event.client),
          backend: event.backend,
          outgoing: formatAddress(event.outgoing),
          sent: event.bytesToBackend,
          received: event.bytesToClient,
          duration_ms: event.durationMs,
          reason: event.reason,
        });
        return;
      case "connect_failed":
        this.#limited(event.atMs, () =>
          this.log.warning(
            `${event.pool}: cannot connect to ${event.backend} for ${
              formatAddress(event.client)
            }: ` +
              event.message,
            { pool: event.pool, backend: event.backend, failure: event.failure },
          ));
        return;
      case "refused":
        this.#limited(event.atMs, () =>
          this.log.error(
            `${event.frontend}: client ${formatAddress(event.client)} was closed: ` +
              `${REFUSAL_TEXT[event.reason]} (pool ${event.pool}, ${event.attempts} tried)`,
            { frontend: event.frontend, pool: event.pool, reason: event.reason },
          ));
        return;
      case "accept_failed":
        this.log.error(`${event.frontend}: cannot accept clients: ${event.message}`, {
          frontend: event.frontend,
          failure: event.failure,
        });
    }
  }

  /** An outage under load must not fill the disk with the same line. */
  #limited(atMs: number, write: () => void): void {
    const second = Math.floor(atMs / 1000);
    if (second !== this.#second) {
      if (this.#suppressed > 0) {
        this.log.error(`${this.#suppressed} more clients or connects failed in that second`);
      }
      this.#second = second;
      this.#inSecond = 0;
      this.#suppressed = 0;
    }
    if (this.#inSecond++ < REFUSALS_PER_SECOND) write();
    else this.#suppressed++;
  }
}

/** What the pick saw that gave the client its backend; nothing where the record of it was lost. */
function explained({ picks }: Decision): Pick<OpenedRecord, "why" | "seen"> | undefined {
  const snapshot = picks.at(-1)?.snapshot;
  return snapshot === undefined ? undefined : { why: snapshot.why, seen: snapshot.backends };
}
