// Feeds one pool: asks its generators for tokens, has backends join that tokens name for the first time, puts
// tokens into the ring, and tells the generators which ones are over. Generators speak SP (sp/puller.ts).

import type { Pool } from "../core/pool/pool.ts";
import { NO_ROW } from "../core/pick/choice.ts";
import {
  ACTIVE,
  MOST_TOKENS,
  TOKEN_HEAD,
  TOKENS_DISCARDED,
  TOKENS_STARVED,
} from "../core/pick/pick_table.ts";
import { discardTokens } from "../core/pick/tokens.ts";
import { queuedIn } from "../core/dial/pool_queue.ts";
import type { Clock, Random } from "../core/timing/clock.ts";
import { Ticker } from "../core/timing/polling.ts";
import { isNews } from "../core/timing/throttled_condition.ts";
import type { Address } from "../core/values/address.ts";
import { messageOf } from "../core/values/errors.ts";
import { printable } from "../core/values/printable.ts";
import type { Result } from "../core/values/result.ts";
import type { FeedReport } from "../admin/report.ts";
import type { BackendConfig, FeedConfig } from "../config/config.ts";
import type { LogArea } from "../log/setup.ts";
import { formatWord } from "../sp/back_channel.ts";
import { formatEndpoint } from "../sp/endpoint.ts";
import { Puller } from "../sp/puller.ts";
import { TokenAccount } from "./token_account.ts";

export interface PoolFeedParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: LogArea;
  readonly pool: Pool;
  /** Reads what a token names, or says why it names no backend. */
  readonly read: (text: string) => Result<BackendConfig>;
  /** Why the pool has no room for these backends; undefined: it has. */
  readonly whyFull: (backends: readonly BackendConfig[]) => string | undefined;
  /** Makes the pool have what {@linkcode PoolFeed.backends} tells. */
  readonly join: () => Promise<void>;
}

/** A longer token is none: as much as the back-channel carries back. */
const MAX_BYTES = 1024;
const TICK_MS = 1000;
/**
 * So many tokens are pulled ahead at least; more, up to those that fit, while clients come: twice as many as
 * came within a tick. A token that waits long is a choice of long ago.
 */
const LEAST_AHEAD = 2;
/** The secondary feeds are asked once the primary ones have given nothing for so many ticks. */
const STARVED_TICKS = 1;
/** They are let go when the primary ones have gone well for so many ticks. */
const CALM_TICKS = 3;
/** How long a backend that no token names any more stays. */
const FORGET_MS = 5 * 60_000;
/** One that the pool does not have by order is offered again after so long. */
const REJOIN_MS = 10_000;
/** So many texts of tokens are remembered with what they mean. */
const MOST_READ = 4096;

/** Feeds of the first kind are asked always, those of the second while the first starve. */
type Tier = "primary" | "secondary";

/** A generator, and what has come of it. */
interface Source {
  readonly endpoint: Address;
  readonly name: string;
  readonly tier: Tier;
  readonly puller: Puller;
  state: string;
  sinceMs: number;
  received: number;
  /** Tokens that are asked for and have not come. */
  wanted: number;
  /** Those of no use since the last tick: as many fewer are asked for until then. */
  useless: number;
  /** Tokens that have come and are not over, by their text: as the generator counts them. */
  readonly standing: Map<string, number>;
  /** What is remembered of bad tokens (core/timing/throttled_condition.ts). */
  readonly told: Int32Array;
  closed: boolean;
}

interface FedToken {
  readonly id: string;
  readonly text: string;
  readonly source: Source;
}

/** A backend that tokens have named. */
interface Known {
  backend: BackendConfig;
  namedMs: number;
  /** When the pool was asked to have it. */
  joinedMs: number;
}

const decoder = new TextDecoder();

export class PoolFeed implements AsyncDisposable {
  readonly #parts: PoolFeedParts;
  readonly #account: TokenAccount<FedToken>;
  readonly #ticker: Ticker;
  readonly #known = new Map<string, Known>();
  /** What tokens have been read as. */
  readonly #read = new Map<string, Result<BackendConfig>>();
  /** Tokens whose backends are about to join, and those behind them: their order is the generator's choice. */
  readonly #joining: FedToken[] = [];
  #join: Promise<void> | undefined;
  #sources: readonly Source[] = [];
  readonly #closing = new Set<Promise<void>>();
  #tier: Tier = "primary";
  /** Ticks in a row in which the primary feeds starved, or did not. */
  #spell = 0;
  #hasGiven = false;
  /** How many tokens are to wait, and how many clients have taken in this tick. */
  #ahead = LEAST_AHEAD;
  #taken = 0;
  #settling = false;
  readonly #discardedBefore: number;
  readonly #starvedBefore: number;
  #received = 0;
  #bad = 0;
  #stopped = false;
  #resting = false;
  /** What is remembered of backends that could not join (core/timing/throttled_condition.ts). */
  readonly #told = new Int32Array(1);
  #watching: Promise<void> | undefined;

  constructor(parts: PoolFeedParts) {
    this.#parts = parts;
    const { clock, random, pool } = parts;
    this.#account = new TokenAccount(pool.table);
    this.#account.withdraw(clock.now());
    this.#discardedBefore = Atomics.load(pool.table.words, TOKENS_DISCARDED);
    this.#starvedBefore = Atomics.load(pool.table.words, TOKENS_STARVED);
    this.#ticker = new Ticker(clock, random, TICK_MS, () => this.#tick());
  }

  /** Backends that tokens have named, those first that were named first. */
  get backends(): readonly BackendConfig[] {
    return Array.from(this.#known.values(), ({ backend }) => backend);
  }

  /** Pulls from these. What another configuration does not change goes on as it is. */
  async follow({ primary, secondary }: FeedConfig): Promise<void> {
    const wanted = [
      ...primary.map((endpoint) => ({ endpoint, tier: "primary" as const })),
      ...secondary.map((endpoint) => ({ endpoint, tier: "secondary" as const })),
    ];
    // Another configuration may read them otherwise.
    this.#read.clear();
    const before = this.#sources;
    this.#sources = wanted.map(({ endpoint, tier }) => {
      const name = formatEndpoint(endpoint);
      const known = before.find((one) => one.name === name && one.tier === tier);
      return known ?? this.#makeSource(endpoint, name, tier);
    });
    for (const source of before) if (!this.#sources.includes(source)) this.#close(source);
    this.#ask();
    this.#watching ??= this.#watch();
    await this.#ticker.start();
  }

  /** No clients come any more: tokens go back, but for those who wait. What is told of sessions is told on. */
  rest(): void {
    this.#resting = true;
    this.#giveBack();
  }

  /** A session of the pool has ended, or was not made. */
  sessionOver(): void {
    if (this.#settling) return;
    this.#settling = true;
    queueMicrotask(() => {
      this.#settling = false;
      this.#settle();
    });
  }

  report(timeOf: (atMs: number) => string): FeedReport {
    const { words } = this.#parts.pool.table;
    this.#look();
    const discarded = Atomics.load(words, TOKENS_DISCARDED) - this.#discardedBefore >>> 0;
    const waiting = this.#account.waiting.length + this.#joining.length;
    return {
      uses: this.#tier,
      waiting,
      starved: Atomics.load(words, TOKENS_STARVED) - this.#starvedBefore >>> 0,
      received: this.#received,
      used: Math.max(0, this.#received - this.#bad - waiting - discarded),
      discarded,
      bad: this.#bad,
      sources: this.#sources.map(({ name, tier, state, sinceMs, received, standing }) => ({
        endpoint: name,
        tier,
        connected: state === CONNECTED,
        state,
        since: timeOf(sinceMs),
        received,
        standing: sumOf(standing.values()),
      })),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    for (const source of this.#sources) this.#close(source);
    Atomics.notify(this.#parts.pool.table.words, TOKEN_HEAD);
    await this.#ticker[Symbol.asyncDispose]();
    await this.#watching;
    // A pool that is asked to take something in may wait until this is done: it is its own business.
    await Promise.all(this.#closing);
  }

  #makeSource(endpoint: Address, name: string, tier: Tier): Source {
    const { clock, random, log, pool } = this.#parts;
    const source: Source = {
      endpoint,
      name,
      tier,
      puller: new Puller(endpoint, {
        clock,
        random,
        maxBytes: MAX_BYTES,
        greeting: () =>
          [...source.standing].map(([token, count]) => formatWord({ kind: "have", token, count })),
        onMessage: (bytes) => this.#take(source, bytes),
        onState: (state) => {
          source.state = state;
          source.sinceMs = clock.now();
          if (source.closed) return;
          if (state === CONNECTED) log.info(`${pool.name}: feed ${name} is connected`);
          else log.warning(`${pool.name}: feed ${name} gives no tokens: ${state}`);
        },
      }),
      state: "not connected yet",
      sinceMs: clock.now(),
      received: 0,
      wanted: 0,
      useless: 0,
      standing: new Map(),
      told: new Int32Array(1),
      closed: false,
    };
    return source;
  }

  /** Its tokens count no more: nobody could be told what became of them. */
  #close(source: Source): void {
    source.closed = true;
    const closing = source.puller[Symbol.asyncDispose]().finally(() =>
      this.#closing.delete(closing)
    );
    this.#closing.add(closing);
    this.#keepOnly((token) => token.source !== source);
  }

  /** Has control over what threads take, without looking again and again. */
  async #watch(): Promise<void> {
    const { words } = this.#parts.pool.table;
    while (!this.#stopped) {
      this.#look();
      this.#ask();
      const taken = Atomics.waitAsync(words, TOKEN_HEAD, this.#account.head);
      if (taken.async) await taken.value;
    }
  }

  #take(source: Source, bytes: Uint8Array): void {
    if (source.closed) return;
    const { clock } = this.#parts;
    source.wanted--;
    source.received++;
    this.#received++;
    const text = decoder.decode(bytes).trim();
    source.standing.set(text, (source.standing.get(text) ?? 0) + 1);
    if (source.tier === "primary") this.#hasGiven = true;
    if (this.#needsNone) return this.#end([{ id: "", text, source }]);
    const read = this.#readOnce(text);
    if (!read.ok) return this.#refuse(source, text, read.message);
    const backend = read.value;
    const { id } = backend;
    const token = { id, text, source };
    const known = this.#known.get(id);
    const nowMs = clock.now();
    if (known !== undefined) {
      known.namedMs = nowMs;
      const askedMs = nowMs - known.joinedMs;
      const isMissing = this.#rowOf(id) === NO_ROW && askedMs >= REJOIN_MS;
      const isOther = askedMs >= TICK_MS && !isSame(known.backend, backend);
      if (this.#joining.length === 0 && !isMissing && !isOther) return this.#put(token);
      if (isMissing || isOther) {
        known.joinedMs = nowMs;
        known.backend = backend;
      }
      this.#joining.push(token);
      return this.#joinNow();
    }
    const full = this.#makeRoomFor(backend);
    if (full !== undefined) return this.#refuse(source, text, full);
    this.#known.set(id, { backend, namedMs: nowMs, joinedMs: nowMs });
    this.#joining.push(token);
    this.#joinNow();
  }

  /** A token that names no backend, or one that there is no room for. Its generator hears of it, and is asked for another in a while only. */
  #refuse(source: Source, text: string, reason: string): void {
    const { clock, log, pool } = this.#parts;
    this.#bad++;
    source.useless++;
    this.#end([{ id: "", text, source }]);
    if (!isNews(source.told, 0, clock.now())) return;
    const said = `sent "${text.slice(0, 120)}", which is of no use: ${reason}`;
    log.warning(`${pool.name}: feed ${source.name} ${printable(said)}`);
  }

  #put(token: FedToken): void {
    const row = this.#rowOf(token.id);
    if (row === NO_ROW) return this.#discard(token);
    if (this.#account.put(token, row)) return;
    // A primary feed is back while tokens of secondary ones fill the ring.
    if (token.source.tier === "primary") this.#keepOnly(({ source }) => source.tier === "primary");
    if (!this.#account.put(token, row)) this.#discard(token);
  }

  #rowOf(id: string): number {
    const member = this.#parts.pool.member(id);
    return member === undefined || member.leaving ? NO_ROW : member.row;
  }

  #readOnce(text: string): Result<BackendConfig> {
    const known = this.#read.get(text);
    if (known !== undefined) return known;
    if (this.#read.size >= MOST_READ) this.#read.clear();
    const read = this.#parts.read(text);
    this.#read.set(text, read);
    return read;
  }

  #discard(token: FedToken): void {
    token.source.useless++;
    discardTokens(this.#parts.pool.table.words, 1);
    this.#end([token]);
  }

  /** Takes tokens out of the ring. */
  #keepOnly(isKept: (token: FedToken) => boolean): void {
    const nowMs = this.#parts.clock.now();
    for (const token of this.#account.withdraw(nowMs)) {
      const row = isKept(token) ? this.#rowOf(token.id) : NO_ROW;
      if (row !== NO_ROW && this.#account.put(token, row)) continue;
      discardTokens(this.#parts.pool.table.words, 1);
      this.#end([token]);
    }
  }

  /** Has backends join, one order after the other. */
  #joinNow(): void {
    this.#join ??= this.#joinAll().finally(() => this.#join = undefined);
  }

  async #joinAll(): Promise<void> {
    while (this.#joining.length > 0 && !this.#stopped) {
      // What comes in this turn of the event loop joins together.
      await Promise.resolve();
      const ids = new Set(this.#known.keys());
      try {
        await this.#parts.join();
      } catch (error) {
        const { clock, log, pool } = this.#parts;
        const isNew = isNews(this.#told, 0, clock.now());
        if (isNew) log.error(`${pool.name}: ${messageOf(error)}`);
        // The pool takes all or none: what stayed would keep others out, too.
        for (const id of ids) if (this.#rowOf(id) === NO_ROW) this.#known.delete(id);
      }
      const next = this.#joining.findIndex(({ id }) => !ids.has(id));
      const joined = this.#joining.splice(0, next < 0 ? this.#joining.length : next);
      for (const token of joined) this.#put(token);
      this.#ask();
    }
  }

  /** Tells the generators which tokens are over. */
  #end(tokens: readonly FedToken[]): void {
    for (const { text, source } of tokens) {
      const left = (source.standing.get(text) ?? 0) - 1;
      if (left > 0) source.standing.set(text, left);
      else source.standing.delete(text);
      if (!source.closed) source.puller.send(formatWord({ kind: "end", token: text }));
    }
  }

  #settle(): void {
    const nowMs = this.#look();
    this.#end(this.#account.settle(nowMs, (id) => this.#activeOf(id)));
    if (!this.#stopped) this.#ask();
  }

  #activeOf(id: string): number {
    const { pool } = this.#parts;
    const member = pool.member(id);
    return member === undefined ? 0 : pool.table.read(member.row, ACTIVE);
  }

  get #needsNone(): boolean {
    return this.#resting && queuedIn(this.#parts.pool.table) === 0;
  }

  /** Sees which tokens clients have taken. @returns now. */
  #look(): number {
    const nowMs = this.#parts.clock.now();
    this.#taken += this.#account.look(nowMs).length;
    return nowMs;
  }

  /** Gives back what is not needed: the oldest. */
  #giveBack(): void {
    if (queuedIn(this.#parts.pool.table) > 0) return;
    const most = this.#needsNone ? 0 : Math.max(this.#ahead, this.#sources.length);
    let surplus = this.#account.waiting.length - most;
    if (surplus > 0) this.#keepOnly(() => surplus-- <= 0);
  }

  /** Asks for as many tokens as there may be. */
  #ask(): void {
    if (this.#needsNone) return;
    const isAwaited = queuedIn(this.#parts.pool.table) > 0;
    this.#ahead = isAwaited
      ? MOST_TOKENS
      : Math.min(MOST_TOKENS, Math.max(this.#ahead, 2 * this.#taken));
    const held = new Map<Source, number>();
    for (const { source } of [...this.#account.waiting, ...this.#joining]) {
      held.set(source, (held.get(source) ?? 0) + 1);
    }
    for (const source of this.#sources) {
      const { tier, wanted, useless } = source;
      if (tier !== "primary" && this.#tier === "primary") continue;
      const equals = this.#sources.filter((one) => one.tier === tier);
      const share = Math.max(1, Math.floor(this.#ahead / equals.length));
      const room = tier === "primary"
        ? share
        : this.#ahead - sumOf(held.values()) - sumOf(equals.map((one) => one.wanted));
      const count = Math.min(share - wanted - useless - (held.get(source) ?? 0), room);
      if (count <= 0) continue;
      source.wanted += count;
      source.puller.want(count);
    }
  }

  #tick(): void {
    if (this.#stopped) return;
    for (const source of this.#sources) source.useless = 0;
    this.#chooseTier();
    this.#look();
    this.#ahead = Math.max(LEAST_AHEAD, this.#ahead - 1);
    this.#giveBack();
    this.#settle();
    this.#taken = 0;
    this.#forgetUnnamed();
  }

  /** Goes over to the secondary feeds when the primary ones starve, and back when they have done well. */
  #chooseTier(): void {
    const isPrimary = this.#tier === "primary";
    if (this.#sources.every(({ tier }) => tier === "primary")) {
      this.#tier = "primary";
      return;
    }
    const primary = this.#sources.filter(({ tier }) => tier === "primary");
    const isConnected = primary.some(({ state }) => state === CONNECTED);
    const hasToken = this.#account.waiting.some(({ source }) => source.tier === "primary");
    const goesWell = isConnected && (this.#hasGiven || hasToken);
    this.#hasGiven = false;
    this.#spell = goesWell === isPrimary ? 0 : this.#spell + 1;
    if (this.#spell <= (isPrimary ? STARVED_TICKS : CALM_TICKS)) return;
    this.#spell = 0;
    this.#tier = isPrimary ? "secondary" : "primary";
    const { log, pool } = this.#parts;
    if (isPrimary) {
      log.warning(`${pool.name}: no primary feed gives tokens: asks the secondary ones`);
    } else log.info(`${pool.name}: a primary feed gives tokens again`);
  }

  /** Lets backends go that no token has named for long, and that have no session. */
  #forgetUnnamed(): void {
    const nowMs = this.#parts.clock.now();
    let isAny = false;
    for (const [id, { namedMs }] of this.#known) {
      if (nowMs - namedMs < FORGET_MS || this.#isNeeded(id)) continue;
      this.#known.delete(id);
      isAny = true;
    }
    if (!isAny) return;
    this.#parts.join().catch((error: unknown) => this.#parts.log.error(messageOf(error)));
  }

  /** Forgets the oldest backend where that makes room for another. @returns why there is none. */
  #makeRoomFor(backend: BackendConfig): string | undefined {
    const { whyFull } = this.#parts;
    const full = whyFull([...this.backends, backend]);
    if (full === undefined) return undefined;
    const [oldest] = [...this.#known]
      .filter(([id]) => this.#rowOf(id) !== NO_ROW && !this.#hasTokens(id))
      .sort(([, one], [, other]) => one.namedMs - other.namedMs);
    if (oldest === undefined) return full;
    const [oldestId] = oldest;
    const others = this.backends.filter(({ id }) => id !== oldestId);
    const stillFull = whyFull([...others, backend]);
    if (stillFull === undefined) this.#known.delete(oldestId);
    return stillFull;
  }

  #isNeeded(id: string): boolean {
    return this.#hasTokens(id) || this.#account.isTaken(id) || this.#activeOf(id) > 0;
  }

  #hasTokens(id: string): boolean {
    return [...this.#account.waiting, ...this.#joining].some((token) => token.id === id);
  }
}

const CONNECTED = "connected";

/** Whether two tokens say the same of a backend. What is read once is one object. */
function isSame(one: BackendConfig, other: BackendConfig): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}

function sumOf(numbers: Iterable<number>): number {
  let sum = 0;
  for (const number of numbers) sum += number;
  return sum;
}
