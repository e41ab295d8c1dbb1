// Reads the configuration of a running balancer again and has it taken in: by HUP and by request, one after
// the other, the newest alone where several wait.

import type { App } from "../app.ts";
import type { Locations } from "../app/locations.ts";
import type { Logs } from "../app/parts.ts";
import type { Gate } from "../admin/gate.ts";
import type { Caller, Ordered, Refusal, ReloadReport, Reloads } from "../admin/orders.ts";
import type { Config } from "../config/config.ts";
import { AT_START } from "../config/changes.ts";
import { summarizeConfigErrors } from "../config/config_error.ts";
import { warningsOf } from "../config/warnings.ts";
import { messageOf } from "../core/values/errors.ts";
import type { LogArea } from "../log/setup.ts";
import { type ConfigCommand, readRunnableConfig, type RunnableConfig } from "./config_source.ts";
import { cutTimeWarnings, grantedMs, STOP_SECONDS } from "./cut_time.ts";

type Outcome = Ordered<ReloadReport>;
type ReadFile = RunnableConfig & { readonly kind: "config" };

const FLAGS_ALONE = "nothing to reload: the configuration came from flags alone";

export class Reloading implements Reloads {
  readonly #command: ConfigCommand;
  readonly #started: Config;
  readonly #app: App;
  readonly #gate: Gate;
  readonly #logs: Logs;
  readonly #log: LogArea;
  #latest = new AbortController();
  #turn: Promise<unknown> = Promise.resolve();
  #stopped: Error | undefined;

  /** @param started the configuration that the process began with: some of it holds until its end. */
  constructor(
    command: ConfigCommand,
    started: Config,
    app: App,
    gate: Gate,
    logs: Logs,
    log: LogArea,
  ) {
    this.#command = command;
    this.#started = started;
    this.#app = app;
    this.#gate = gate;
    this.#logs = logs;
    this.#log = log;
  }

  /** Reads the configuration again and takes it in; what waits, or has not taken effect yet, is given up. */
  order(): Promise<Outcome> {
    if (this.#stopped !== undefined) {
      const text = `reload ignored: ${messageOf(this.#stopped)}`;
      this.#log.warning(text);
      return Promise.resolve(refused(409, text));
    }
    this.#latest.abort(new Error("a newer reload was ordered"));
    const { signal } = this.#latest = new AbortController();
    return this.#next(() => this.#reload(signal));
  }

  reload({ by }: Caller): Promise<Outcome> {
    this.#log.info(`${by} orders a reload`, { event: "order", by });
    return this.order();
  }

  preview(): Promise<Outcome> {
    return this.#next(async () => {
      const read = await this.#read();
      if (!read.ok) return read;
      const { config, locations, path } = read.value;
      if (path === undefined) return refused(409, FLAGS_ALONE);
      return { ok: true, value: { file: path, ...this.#app.effectOf(config, locations) } };
    });
  }

  /** From now on nothing is taken in any more, nor what has not taken effect yet. */
  stop(reason: Error): void {
    this.#stopped = reason;
    this.#latest.abort(reason);
  }

  #next(run: () => Promise<Outcome>): Promise<Outcome> {
    const ran = this.#turn.then(run);
    this.#turn = ran.catch(() => {});
    return ran;
  }

  /** A bad file changes nothing. @param signal gives the reload up as long as it has not taken effect. */
  async #reload(signal: AbortSignal): Promise<Outcome> {
    const app = this.#app;
    const log = this.#log;
    const givenUp = () => {
      const text = `reload given up: ${messageOf(signal.reason)}`;
      log.info(text);
      return refused(409, text);
    };
    const refuse = (refusal: Refusal) => {
      app.reloadRefused(refusal.error);
      const text = `reload refused, nothing has changed: ${refusal.error}`;
      log.error(text, { event: "reload_refused" });
      return refusal;
    };
    if (signal.aborted) return givenUp();
    const aborted = Promise.withResolvers<undefined>();
    signal.addEventListener("abort", () => aborted.resolve(undefined), { once: true });
    // A disk that has gone away may never answer.
    const reading = app.reopenRecording().then(() => this.#read());
    const read = await Promise.race([reading, aborted.promise]);
    if (read === undefined) return givenUp();
    if (!read.ok) return refuse(read);
    const { config, locations, path, token } = read.value;
    if (path === undefined) {
      this.#gate.token = token;
      log.warning(FLAGS_ALONE);
      return refused(409, FLAGS_ALONE);
    }
    const before = app.config;
    const done = await app.reload(config, locations, signal);
    if (!done.ok) return signal.aborted ? givenUp() : refuse(refused(409, done.reason));
    // Another file than the one that the start has named counts from the next start on.
    if (config.admin.tokenFile === this.#started.admin.tokenFile) this.#gate.token = token;
    await this.#logs.configure(config.log);
    for (const warning of allWarnings(config, locations)) log.warning(warning);
    for (const key of AT_START) {
      const [was, is, runs] = [before, config, this.#started]
        .map((one) => JSON.stringify(one[key]));
      // What this reload has changed is among its changes.
      if (is !== runs && is === was) {
        log.warning(`${key} has changed in ${path}: that takes effect at the next start`);
      }
    }
    const { changes, standing } = done;
    for (const { text, meetsChange } of standing) {
      if (meetsChange) log.warning(`an order stands against what ${path} says now: ${text}`);
    }
    log.info(`reloaded ${path}: ${changes}`, { event: "reloaded" });
    return { ok: true, value: { file: path, changes, standing } };
  }

  async #read(): Promise<{ readonly ok: true; readonly value: ReadFile } | Refusal> {
    const read = await readRunnableConfig(this.#command, this.#app.config.user);
    if (read.kind === "usage") return refused(409, read.message);
    if (read.kind === "errors") return refused(422, summarizeConfigErrors(read.errors));
    return { ok: true, value: read };
  }
}

function refused(status: Refusal["status"], error: string): Refusal {
  return { ok: false, status, error };
}

/** What is sound in a configuration, but in vain. */
export function allWarnings(config: Config, { warnings }: Locations): string[] {
  return [
    ...warningsOf(config),
    ...warnings,
    ...cutTimeWarnings(config.shutdownTimeoutMs, grantedMs(Deno.env.get(STOP_SECONDS))),
  ];
}
