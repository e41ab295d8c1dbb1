// Turns what the engine saw into log lines.

import { formatAddress } from "../core/values/address.ts";
import type { Clock } from "../core/timing/clock.ts";
import { kernelAt } from "../core/pick/kernels/registry.ts";
import type { EngineEvent, RefusalReason } from "../engine/engine.ts";
import type { AccessLog } from "../log/access_log.ts";
import type { LogArea } from "../log/setup.ts";

/** Lines about refused clients in one second; the rest of that second is counted. */
const REFUSALS_PER_SECOND = 10;

const REFUSAL_TEXT = {
  no_backend: "no backend is up, not held back and below its limit",
  connect_failed: "no backend took the connection",
  denied: "deny or allow of the frontend, or an administrator's deny, keeps its address out",
  frontend_full: "the frontend's max_connections is reached",
  bad_proxy_header:
    "accept_proxy_from names its network, and it sent no sound PROXY header in time",
  source_full: "its address has as many connections as per_source.max_connections allows",
  source_rate: "too many connections came from its address (per_source.rate)",
  out_of_descriptors:
    "compute-lb has no file descriptor or memory left for it: raise the limit on open files " +
    "(ulimit -n, LimitNOFILE=) or lower max_connections",
  queue_full: "every backend is full, and as many clients wait as queue.max allows",
  queue_timeout: "every backend was full for as long as queue.timeout lets a client wait",
  starved: "no token of the pool's feed that it could use came in time",
  client_left: "it has gone while it waited in the queue",
} as const;

/** Refusals that lb.conf asks for, and clients that went by themselves: nothing is wrong. */
const BY_RULE: ReadonlySet<RefusalReason> = new Set([
  "denied",
  "source_full",
  "source_rate",
  "client_left",
]);

export class EventLog implements AsyncDisposable {
  #second = 0;
  #inSecond = 0;
  #suppressed = 0;
  readonly #stop = new AbortController();
  /** Waits for the end of a second in which lines were suppressed. */
  #telling: Promise<void> | undefined;

  constructor(
    readonly log: LogArea,
    readonly access: AccessLog,
    /** The name of the strategy that a pool's kernel ran for. */
    readonly strategyOf: (pool: string, kernel: string) => string,
    readonly clock: Clock,
  ) {}

  /** Says how many lines were suppressed last. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#telling;
  }

  write(event: EngineEvent): void {
    switch (event.kind) {
      case "opened": {
        if (!this.access.enabled) return;
        const kernel = kernelAt(event.choice.kernel).name;
        this.access.opened(event, this.strategyOf(event.pool, kernel));
        return;
      }
      case "closed":
        this.access.closed(event);
        return;
      case "connect_failed":
        // The refusal says it, and the backend has no part in it.
        if (event.failure === "out_of_descriptors") return;
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
        this.#limited(event.atMs, () => {
          const { frontend, pool, client, reason, attempts } = event;
          const closed = `${frontend}: client ${formatAddress(client)} was closed: ` +
            REFUSAL_TEXT[reason];
          const about = { frontend, pool, reason };
          if (BY_RULE.has(reason)) this.log.info(closed, about);
          else this.log.error(`${closed} (pool ${pool}, ${attempts} tried)`, about);
        });
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
      this.#tellSuppressed();
      this.#second = second;
      this.#inSecond = 0;
    }
    if (this.#inSecond++ < REFUSALS_PER_SECOND) return write();
    this.#suppressed++;
    this.#telling ??= this.#tellInTime();
  }

  /** The next failure, at which it could be told as well, may be days away. */
  async #tellInTime(): Promise<void> {
    await this.clock.sleep(1000, this.#stop.signal).catch(() => {});
    this.#telling = undefined;
    this.#tellSuppressed();
  }

  #tellSuppressed(): void {
    if (this.#suppressed === 0) return;
    this.log.error(`${this.#suppressed} more clients or connects failed within a second`);
    this.#suppressed = 0;
  }
}
