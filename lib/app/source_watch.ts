// One discovery source of a pool as it is watched: its last list, which it keeps while it cannot be asked, and
// what people are told of it. Asks again after a back-off with jitter.

import { oneLine } from "../asking/reason.ts";
import type {
  DiscoveredBackend,
  DiscoveredList,
  DiscoverySource,
  DiscoverySurroundings,
  ReportedBackend,
} from "../discovery/discovery_source.ts";
import { endOf, follow } from "../discovery/followed.ts";
import { type DiscoverySourceConfig, nameOfSource } from "../discovery/registry.ts";
import type { DiscoveryReport } from "../admin/report.ts";
import type { Clock, Random } from "../core/timing/clock.ts";
import { isNews } from "../core/timing/throttled_condition.ts";
import { counted } from "../core/values/counted.ts";
import { messageOf } from "../core/values/errors.ts";
import type { LogArea } from "../log/setup.ts";

export interface SourceWatchParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: LogArea;
  readonly createDiscoverySource: (
    config: DiscoverySourceConfig,
    surroundings: DiscoverySurroundings,
  ) => DiscoverySource;
}

const NOBODY: readonly DiscoveredBackend[] = [];
/** So many entries that cannot be used are said. */
const MOST_SKIPPED = 5;

export class SourceWatch implements AsyncDisposable {
  /** What people call it. */
  readonly name: string;
  /** Resolves when it has named backends for the first time, or has said why it cannot. */
  readonly spoken: Promise<void>;
  readonly #pool: string;
  readonly #config: DiscoverySourceConfig;
  readonly #parts: SourceWatchParts;
  readonly #source: DiscoverySource;
  readonly #changed: () => void;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #speak: () => void;
  #obeysEmpty: boolean;
  #backends: readonly DiscoveredBackend[] | undefined;
  /** They as JSON: most lists are those of before. */
  #text = "";
  /** The list that names nobody is not obeyed: since when. */
  #emptySinceMs: number | undefined;
  #listedAtMs: number | undefined;
  #skipped: readonly string[] = [];
  #failure: { readonly reason: string; readonly sinceMs: number } | undefined;
  /** Whether people were told that it fails; and when it was felt last. */
  #isTold = false;
  readonly #felt = new Int32Array(1);

  /**
   * Begins to watch.
   * @param obeysEmpty whether a list that names nobody empties it.
   * @param changed told when it names others.
   * @param last what counts until it names backends itself: the list of a source whose place it takes.
   */
  constructor(
    pool: string,
    config: DiscoverySourceConfig,
    obeysEmpty: boolean,
    parts: SourceWatchParts,
    changed: () => void,
    last?: readonly DiscoveredBackend[],
  ) {
    this.#pool = pool;
    this.#config = config;
    this.name = nameOfSource(config);
    this.#obeysEmpty = obeysEmpty;
    this.#parts = parts;
    this.#changed = changed;
    this.#backends = last;
    const { clock, random } = parts;
    this.#source = parts.createDiscoverySource(config, {
      clock,
      random,
      say: (level, text) => this.#say(level, oneLine(text, 400)),
      waits: (reason) => this.#wait(oneLine(reason, 400)),
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.spoken = promise;
    this.#speak = resolve;
    this.#running = follow(this.#source, this.#stop.signal, {
      clock,
      random,
      took: (list) => this.#take(list),
      failed: (reason) => this.#fail(reason),
    });
  }

  get kind(): DiscoverySourceConfig["name"] {
    return this.#config.name;
  }

  /** The backends that it named last; none before it has spoken. */
  get backends(): readonly DiscoveredBackend[] {
    return this.#backends ?? NOBODY;
  }

  /** The same; undefined: it has not spoken. */
  get last(): readonly DiscoveredBackend[] | undefined {
    return this.#backends;
  }

  /** Whether it wants to know how the backends do. */
  get isReportedTo(): boolean {
    return this.#source.report !== undefined;
  }

  report(backends: readonly ReportedBackend[]): void {
    try {
      this.#source.report?.(backends);
    } catch (error) {
      this.#say("warning", `cannot be told how the backends do: ${oneLine(messageOf(error))}`);
    }
  }

  /** Sets whether a list that names nobody empties it; one that was not obeyed so far is then. */
  setObeysEmpty(obeysEmpty: boolean): void {
    this.#obeysEmpty = obeysEmpty;
    if (!obeysEmpty || this.#emptySinceMs === undefined) return;
    this.#emptySinceMs = undefined;
    this.#backends = [];
    this.#text = "[]";
  }

  /** What is known of it. @param wallMs the wall clock's time when the clock has `nowMs`. */
  status(nowMs: number, wallMs: number): DiscoveryReport {
    const at = (ms: number | undefined) =>
      ms === undefined ? null : new Date(wallMs - nowMs + ms).toISOString();
    const more = this.#skipped.length - MOST_SKIPPED;
    return {
      source: this.#config.name,
      name: this.name,
      backends: this.#backends?.length ?? null,
      listedAt: at(this.#listedAtMs),
      failure: this.#failure?.reason ?? null,
      failingSince: at(this.#failure?.sinceMs),
      emptySince: at(this.#emptySinceMs),
      skipped: [
        ...this.#skipped.slice(0, MOST_SKIPPED).map((text) => oneLine(text)),
        ...(more > 0 ? [`and ${more} more`] : []),
      ],
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await endOf(this.#running, this.#parts.clock);
  }

  #take({ backends, skipped, isMeant }: DiscoveredList): void {
    if (backends.length === 0 && skipped.length > 0) {
      return this.#fail(`nothing in its list can be used: ${oneLine(skipped[0] ?? "")}`);
    }
    const isFirst = this.#listedAtMs === undefined;
    this.#listedAtMs = this.#parts.clock.now();
    this.#failure = undefined;
    if (this.#isTold && !isFirst) {
      this.#say("info", `answers again, with ${counted(backends.length, "backend")}`);
    }
    this.#isTold = false;
    this.#tellSkipped(skipped);
    const had = this.#backends;
    const text = JSON.stringify(backends);
    const isKept = backends.length === 0 && isMeant !== true && !this.#obeysEmpty &&
      (had?.length ?? 0) > 0;
    if (!isKept) {
      this.#emptySinceMs = undefined;
      if (had === undefined || text !== this.#text) this.#backends = backends;
      this.#text = text;
    } else if (this.#emptySinceMs === undefined) {
      this.#emptySinceMs = this.#listedAtMs;
      const last = counted(had?.length ?? 0, "backend");
      this.#say("warning", `names nobody any more; its last list stays: ${last} (on_empty: keep)`);
    }
    if (isFirst) this.#say("info", `names ${counted(backends.length, "backend")}`);
    this.#speak();
    if (this.#backends !== had) this.#changed();
  }

  #wait(reason: string): void {
    this.#failure = { reason, sinceMs: this.#parts.clock.now() };
    this.#speak();
    this.#say("info", reason);
  }

  #fail(reason: string): void {
    const { clock } = this.#parts;
    const nowMs = clock.now();
    this.#failure = { reason, sinceMs: this.#failure?.sinceMs ?? nowMs };
    this.#speak();
    // One that comes and goes all the time is not told each time.
    if (!isNews(this.#felt, 0, nowMs) || this.#isTold) return;
    this.#isTold = true;
    const kept = this.#backends === undefined
      ? "it is asked again and again"
      : `its last list stays: ${counted(this.#backends.length, "backend")}`;
    this.#say("warning", `${reason}; ${kept}`);
  }

  #tellSkipped(skipped: readonly string[]): void {
    const isSame = skipped.length === this.#skipped.length &&
      skipped.every((text, at) => text === this.#skipped[at]);
    this.#skipped = skipped;
    const [first] = skipped;
    if (isSame || first === undefined) return;
    const more = skipped.length > 1 ? ` (and ${skipped.length - 1} more)` : "";
    this.#say("warning", `cannot use an entry of its list: ${oneLine(first)}${more}`);
  }

  #say(level: "info" | "warning", text: string): void {
    this.#parts.log[level](`${this.#pool}: ${this.name}: ${text}`, { pool: this.#pool });
  }
}
