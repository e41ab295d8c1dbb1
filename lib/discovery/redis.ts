// The discovery source "redis": the pool as l4loadbalancer has it in Redis. The key says which servers there are,
// two channels change it, and the balancer that holds the lease writes all changes back.
//
// What was published and is not written yet counts already: each balancer lays it over what it reads. So a change
// takes effect at once, and is not lost if the holder of the lease dies: whoever takes the lease writes it.

import { oneLine } from "../asking/reason.ts";
import { jittered } from "../core/timing/clock.ts";
import { counted } from "../core/values/counted.ts";
import { jsonObjectOf, parsedOrText } from "../core/values/json_object.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import {
  type DiscoveredList,
  type DiscoverySource,
  discoverySourceKind,
  type DiscoverySurroundings,
  type ReportedBackend,
  wrongArguments,
} from "./discovery_source.ts";
import { MOST_ENTRIES } from "./entries.ts";
import { RedisLink, type RedisNames, type Snapshot } from "./redis_link.ts";
import { type RedisOwn, redisPlace, redisSection } from "./redis_place.ts";
import {
  type Change,
  changedPool,
  changeWord,
  listOfPool,
  NO_POOL,
  parseServer,
  placedPool,
  readPool,
  type RedisPool,
  unwrittenChanges,
  Usability,
  writtenServers,
} from "./redis_pool.ts";

/** Attempts to write before a pause, when the keys change each time in between. */
const MOST_ATTEMPTS = 5;
/** The keys are looked at so far apart, however much is published. */
const GAP_MS = 20;
/** A lease is good for so many intervals. */
const LEASE_INTERVALS = 3;

const NEVER = new AbortController().signal;

export class RedisSource implements DiscoverySource {
  readonly #own: RedisOwn;
  readonly #surroundings: DiscoverySurroundings;
  readonly #names: RedisNames;
  #link: RedisLink | undefined;
  /** What was published and is not written, as far as is known. */
  #changes: Change[] = [];
  /** The token of our link while it held the lease. */
  #held: string | undefined;
  /** What the holder of this token had not written when its link ended. */
  #left: { readonly token: string; readonly changes: readonly Change[] } | undefined;
  /** How many messages nobody can use, and why not the first of them. */
  #useless: { readonly reason: string; readonly count: number } | undefined;
  /** The pool as it was known last. */
  #known: RedisPool | undefined;
  /** Undefined until somebody reports: then nothing is written. */
  #usability: Usability | undefined;
  /** What was said last of each trouble: each is said once, until it is over. */
  #unreadable: string | undefined;
  #unwritable: string | undefined;
  #isMissingSaid = false;
  #isRung = false;
  #waiting: AbortController | undefined;

  constructor(own: RedisOwn, surroundings: DiscoverySurroundings) {
    this.#own = own;
    this.#surroundings = surroundings;
    const { key, addChannel, removeChannel } = own;
    this.#names = {
      pool: key,
      retired: `${key}:retired`,
      lease: `${key}:lease`,
      channels: [addChannel, removeChannel],
      written: `${key}:written`,
    };
  }

  async *watch(signal: AbortSignal): AsyncIterable<DiscoveredList> {
    if (signal.aborted) return;
    const link = await this.#open(signal);
    const leave = () => {
      // What is under way fails then, and the loop ends.
      void link[Symbol.asyncDispose]();
      this.#ring();
    };
    signal.addEventListener("abort", leave, { once: true });
    if (signal.aborted) leave();
    let yielded: string | undefined;
    try {
      while (true) {
        link.check();
        const list = await this.#look(link);
        if (signal.aborted) return;
        const shown = JSON.stringify([
          list?.backends.map((it) => JSON.stringify(it)).sort(),
          list?.skipped,
        ]);
        if (list !== undefined && shown !== yielded) {
          yielded = shown;
          yield list;
        }
        await this.#rest();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener("abort", leave);
      await link[Symbol.asyncDispose]();
    }
  }

  report(backends: readonly ReportedBackend[]): void {
    this.#usability = new Usability(backends);
    this.#ring();
  }

  async #open(signal: AbortSignal): Promise<RedisLink> {
    const { timeoutMs, intervalMs } = this.#own;
    // Others have heard the same, and wrote it or will; what the holder had heard nobody else may have.
    if (this.#held !== undefined) this.#left = { token: this.#held, changes: this.#changes };
    this.#held = undefined;
    this.#changes = [];
    this.#link = await RedisLink.open({
      place: await redisPlace(this.#own),
      names: this.#names,
      timeoutMs,
      leaseMs: LEASE_INTERVALS * intervalMs,
      clock: this.#surroundings.clock,
      heard: (channel, text) => this.#heard(channel, text),
      ended: () => this.#ring(),
    }, signal);
    return this.#link;
  }

  /** Reads the keys, and writes them if that is ours to do. @returns undefined while nothing is known. */
  async #look(link: RedisLink): Promise<DiscoveredList | undefined> {
    this.#sayUseless();
    for (let attempt = 1;; attempt++) {
      const before = [...this.#changes];
      const snapshot = await link.read();
      const pool = snapshot.ok ? this.#poolIn(snapshot.value) : snapshot;
      if (!snapshot.ok || !pool.ok) return this.#cannotRead(pool.ok ? "" : pool.message);
      this.#unreadable = undefined;
      this.#takeUp(snapshot.value);
      // What others wrote in the meantime may not have been in the keys yet.
      const changes = [...new Set([...before, ...this.#changes])];
      if (pool.value === undefined && !changes.some(({ kind }) => kind === "add")) {
        this.#changes = [];
        this.#sayMissing();
        return undefined;
      }
      this.#isMissingSaid = false;
      const wanted = changedPool(pool.value ?? NO_POOL, changes);
      this.#known = wanted;
      if (this.#usability === undefined || !await this.#isHolder(link, snapshot.value)) {
        return listOfPool(wanted);
      }
      const placed = placedPool(wanted, this.#usability);
      const isWritten = snapshot.value.pool !== undefined && pool.value !== undefined &&
        changes.length === 0 && textOf(placed) === textOf(pool.value);
      const outcome = isWritten
        ? "written"
        : await this.#write(link, snapshot.value, placed, changes);
      if (outcome === "written") {
        this.#known = { ...placed, skipped: isWritten ? placed.skipped : [] };
      }
      if (outcome !== "changed" || attempt === MOST_ATTEMPTS) return listOfPool(this.#known);
    }
  }

  /** Goes on with what we had not written when we lost the lease, unless another has taken it since. */
  #takeUp({ holder }: Snapshot): void {
    if (this.#left === undefined) return;
    const { token, changes } = this.#left;
    this.#left = undefined;
    if (holder === undefined || holder === token) this.#changes = [...changes, ...this.#changes];
  }

  /** The pool in the keys. If it has gone from there, it is the one that was known; undefined: none was. */
  #poolIn({ pool, retired }: Snapshot): Result<RedisPool | undefined> {
    if (pool !== undefined) return readPool(pool, retired);
    if (this.#known !== undefined || retired === "") return success(this.#known);
    return readPool("[]", retired);
  }

  /** Whether the lease is ours, which it becomes if it is free or its holder has left a change unwritten. */
  async #isHolder(link: RedisLink, { holder }: Snapshot): Promise<boolean> {
    if (this.#surroundings.isTrial) return false;
    const [oldest] = this.#changes;
    const ageMs = oldest === undefined ? 0 : this.#surroundings.clock.now() - oldest.heardAtMs;
    const isLeft = ageMs > 2 * this.#own.intervalMs;
    const answer = holder === link.token
      ? await link.renewLease()
      : holder === undefined || isLeft
      ? await link.takeLease(isLeft)
      : success(false);
    if (!answer.ok) this.#cannotWrite(answer.message);
    this.#held = answer.ok && answer.value ? link.token : undefined;
    return this.#held !== undefined;
  }

  async #write(
    link: RedisLink,
    before: Snapshot,
    { inUse, retired }: RedisPool,
    changes: readonly Change[],
  ): Promise<unknown> {
    const answer = await link.write(
      before,
      writtenServers(inUse),
      retired.length === 0 ? "" : writtenServers(retired),
      changes.map(changeWord),
    );
    if (!answer.ok) return this.#cannotWrite(answer.message);
    if (answer.value === "written") {
      const written = new Set(changes);
      this.#changes = this.#changes.filter((change) => !written.has(change));
      this.#unwritable = undefined;
    }
    return answer.value;
  }

  /** Says why the keys are of no use: by a failure of the watch at first, which goes on then and waits. */
  #cannotRead(reason: string): undefined {
    if (reason === this.#unreadable) return;
    this.#unreadable = reason;
    throw new Error(reason);
  }

  #cannotWrite(reason: string): undefined {
    if (reason === this.#unwritable) return;
    this.#unwritable = reason;
    this.#surroundings.say("warning", `Cannot write the key "${this.#names.pool}": ${reason}`);
  }

  #sayMissing(): void {
    if (this.#isMissingSaid) return;
    this.#isMissingSaid = true;
    const { key, addChannel } = this.#own;
    this.#surroundings.waits(
      `has no key "${key}": waiting for it, or for a server on the channel "${addChannel}"`,
    );
  }

  #heard(channel: string, text: string): void {
    if (channel === this.#names.written) return this.#heardWritten(text);
    const server = this.#changes.length >= MOST_ENTRIES
      ? failure<never>("too many changes wait to be written")
      : parseServer(text);
    if (server.ok) {
      const kind = channel === this.#own.addChannel ? "add" : "remove";
      const heardAtMs = this.#surroundings.clock.now();
      this.#changes.push({ kind, server: server.value, heardAtMs });
    } else {
      const reason = `Cannot use "${
        oneLine(text, 60)
      }" on the channel "${channel}": ${server.message}`;
      this.#useless = { reason, ...this.#useless, count: (this.#useless?.count ?? 0) + 1 };
    }
    this.#ring();
  }

  #heardWritten(text: string): void {
    const notice = readNotice(text);
    if (notice?.by === this.#link?.token) return;
    this.#changes = [...unwrittenChanges(this.#changes, notice?.changes ?? [])];
    this.#ring();
  }

  #sayUseless(): void {
    if (this.#useless === undefined) return;
    const { reason, count } = this.#useless;
    this.#useless = undefined;
    const more = count === 1 ? "" : `; and ${counted(count - 1, "message")} more`;
    this.#surroundings.say("warning", `${oneLine(reason, 400)}${more}`);
  }

  #ring(): void {
    this.#isRung = true;
    this.#waiting?.abort();
  }

  /** Waits until something was heard, reported or lost, and no longer than the interval. */
  async #rest(): Promise<void> {
    const { clock, random } = this.#surroundings;
    await clock.sleep(GAP_MS, NEVER);
    this.#waiting = new AbortController();
    if (!this.#isRung) {
      await clock.sleep(jittered(this.#own.intervalMs, random), this.#waiting.signal).catch(
        () => {},
      );
    }
    this.#waiting = undefined;
    this.#isRung = false;
  }
}

function textOf({ inUse, retired }: RedisPool): string {
  return `${writtenServers(inUse)}${writtenServers(retired)}`;
}

/** What a balancer tells the others; undefined if it was none. */
function readNotice(
  text: string,
): { readonly by: string; readonly changes: readonly string[] } | undefined {
  const { by, changes } = jsonObjectOf(parsedOrText(text));
  return typeof by === "string" && Array.isArray(changes)
    ? { by, changes: changes.filter((it) => typeof it === "string") }
    : undefined;
}

export const redis = discoverySourceKind("redis", redisSection, {
  doc: "a key of Redis and two channels, as l4loadbalancer has them",
  form: "redis://HOST[:PORT][/DB]",
  fromText: (text) => /^rediss?:\/\//.test(text) ? { url: text } : undefined,
  usage: "[URL]",
  fromArguments: (args) => {
    const [url] = args;
    if (args.length > 1) return wrongArguments(args, "one URL, such as redis://localhost");
    return success(url === undefined ? {} : { url });
  },
}, (own, surroundings) => new RedisSource(own, surroundings));
