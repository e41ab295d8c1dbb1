// The two connections to a Redis, one for commands and one for channels, and the commands that the pool takes.
// Whatever ends one connection ends both: whoever wants more makes a new link.

import type { Redis } from "ioredis";
import { connectReason, oneLine } from "../asking/reason.ts";
import type { Clock } from "../core/timing/clock.ts";
import { waitAtMost } from "../core/timing/with_deadline.ts";
import { formatDuration } from "../core/values/duration.ts";
import { classify, messageOf } from "../core/values/errors.ts";
import { failure, type Result, success } from "../core/values/result.ts";

export interface RedisPlace {
  readonly host: string;
  readonly port: number;
  readonly database: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** In PEM: authorities to trust, our certificate and its key; undefined: no TLS. */
  readonly tls:
    | { readonly ca: string[]; readonly cert?: string; readonly key?: string }
    | undefined;
}

/** The names of what is in Redis. */
export interface RedisNames {
  readonly pool: string;
  readonly retired: string;
  readonly lease: string;
  readonly channels: readonly string[];
  /** The channel on which the balancers tell each other what they have written. */
  readonly written: string;
}

/** The keys at one instant. */
export interface Snapshot {
  /** Undefined: the key is not there. */
  readonly pool: string | undefined;
  /** "": the key is not there. */
  readonly retired: string;
  readonly holder: string | undefined;
}

export interface RedisLinkOptions {
  readonly place: RedisPlace;
  readonly names: RedisNames;
  /** How long a connect and an answer may take. */
  readonly timeoutMs: number;
  /** How long a lease is good. */
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly heard: (channel: string, text: string) => void;
  readonly ended: () => void;
}

/** A reason that lies in what Redis answered: the connections stand. */
class Refusal extends Error {}

/** No pool of MOST_ENTRIES servers is longer. */
const MOST_BYTES = 4_194_304;
/** How long the lease's return may take at the end, and the connections' close. */
const GOODBYE_MS = 500;

const RENEW = `if redis.call("get", KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call("pexpire", KEYS[1], ARGV[2])`;

const RELEASE = `if redis.call("get", KEYS[1]) ~= ARGV[1] then return 0 end
redis.call("publish", ARGV[2], ARGV[3])
return redis.call("del", KEYS[1])`;

/** Writes both keys if the lease is still ours and they are still as they were read. */
const WRITE = `if redis.call("get", KEYS[1]) ~= ARGV[1] then return "lease" end
if (redis.call("get", KEYS[2]) or "") ~= ARGV[2] then return "changed" end
if (redis.call("get", KEYS[3]) or "") ~= ARGV[3] then return "changed" end
redis.call("set", KEYS[2], ARGV[4])
if ARGV[5] == "" then redis.call("del", KEYS[3]) else redis.call("set", KEYS[3], ARGV[5]) end
redis.call("publish", ARGV[6], ARGV[7])
return "written"`;

export class RedisLink implements AsyncDisposable {
  /** Who we are to the others. */
  readonly token = crypto.randomUUID();
  readonly #options: RedisLinkOptions;
  readonly #commands: Redis;
  readonly #channels: Redis;
  readonly #closed: Promise<unknown>;
  #lost: Error | undefined;
  #leaving: Promise<void> | undefined;
  #isDisconnected = false;
  #renewedAtMs = -Infinity;

  /** Connects and subscribes. @throws {Error} that says why that cannot be. */
  static async open(options: RedisLinkOptions, signal: AbortSignal): Promise<RedisLink> {
    // Loaded when somebody has a pool in Redis.
    const { Redis } = await import("ioredis");
    await tamePackage();
    const own = connectionOptions(options);
    const link = new RedisLink(options, new Redis(own), new Redis(own));
    const stop = () => link.#disconnect();
    signal.addEventListener("abort", stop, { once: true });
    try {
      await Promise.all([link.#enter(link.#commands), link.#enter(link.#channels)]);
      await link.#channels.subscribe(...options.names.channels, options.names.written);
      return link;
    } catch (error) {
      const reason = link.#reason(error);
      await link[Symbol.asyncDispose]();
      throw reason;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  private constructor(options: RedisLinkOptions, commands: Redis, channels: Redis) {
    this.#options = options;
    this.#commands = commands;
    this.#channels = channels;
    this.#closed = Promise.all([this.#commands, this.#channels].map((connection) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      connection.on("error", (error) => this.#lose(error));
      connection.on("connect", () => {
        connection.stream.on("data", ({ length }: Uint8Array) => {
          const bytes = (UNANSWERED_BYTES.get(connection) ?? 0) + length;
          UNANSWERED_BYTES.set(connection, bytes);
          // All keys come in one answer.
          if (bytes > 4 * MOST_BYTES) this.#lose(new Error("it sends an answer without an end"));
        });
      });
      connection.on("end", () => {
        this.#lose(new Error("connection closed"));
        resolve();
      });
      return promise;
    }));
    this.#channels.on("message", (channel, text) => options.heard(channel, text));
  }

  async #enter(connection: Redis): Promise<void> {
    const { user, password, database } = this.#options.place;
    await connection.connect();
    // The package would take a password that nobody wants for right, and write on stderr.
    if (password !== undefined) {
      await (user === undefined ? connection.auth(password) : connection.auth(user, password));
    }
    if (database !== 0) await connection.select(database);
  }

  /** Reads all keys at one instant. @returns a failure where they hold what nobody can read. */
  async read(): Promise<Result<Snapshot>> {
    const { pool, retired, lease } = this.#options.names;
    const replies = await this.#ask(() =>
      Promise.all([
        this.#commands.multi().exists(pool).getrangeBuffer(pool, 0, MOST_BYTES)
          .getrangeBuffer(retired, 0, MOST_BYTES).getrangeBuffer(lease, 0, MOST_BYTES).exec(),
        // The other connection has nothing to say for long, and would not be missed.
        this.#channels.ping(),
      ])
    );
    const [exists, ...values] = replies[0] ?? [];
    const read = [pool, retired, lease].map((key, at) => readText(key, values[at]));
    const texts: string[] = [];
    for (const text of read) {
      if (!text.ok) return text;
      texts.push(text.value);
    }
    const [poolText = "", retiredText = "", holder = ""] = texts;
    return success({
      pool: exists?.[1] === 0 ? undefined : poolText,
      retired: retiredText,
      holder: holder === "" ? undefined : holder,
    });
  }

  /**
   * Takes the lease if it is free, or from its holder.
   * @returns whether it is ours now; a failure where Redis does not let us.
   */
  async takeLease(isForced: boolean): Promise<Result<boolean>> {
    // Nobody would give it back.
    if (this.#leaving !== undefined) return success(false);
    const { names, leaseMs, clock } = this.#options;
    const answer = await this.#tried(() =>
      isForced
        ? this.#commands.set(names.lease, this.token, "PX", leaseMs)
        : this.#commands.set(names.lease, this.token, "PX", leaseMs, "NX")
    );
    if (!answer.ok) return answer;
    if (answer.value === "OK") this.#renewedAtMs = clock.now();
    return success(answer.value === "OK");
  }

  /** Makes the lease good for its whole time again, if some of that is over. @returns whether it is ours. */
  async renewLease(): Promise<Result<boolean>> {
    const { names, leaseMs, clock } = this.#options;
    const nowMs = clock.now();
    if (nowMs - this.#renewedAtMs < leaseMs / 6) return success(true);
    const answer = await this.#tried(() =>
      this.#commands.eval(RENEW, 1, names.lease, this.token, leaseMs)
    );
    if (!answer.ok) return answer;
    if (answer.value === 1) this.#renewedAtMs = nowMs;
    return success(answer.value === 1);
  }

  /**
   * Writes both keys at once, and tells the others which changes are in them.
   * @returns "changed" if they are no longer as in the snapshot, "lease" if the lease is not ours.
   */
  async write(
    before: Snapshot,
    pool: string,
    retired: string,
    changes: readonly string[],
  ): Promise<Result<unknown>> {
    const { names } = this.#options;
    const notice = JSON.stringify({ by: this.token, changes });
    return await this.#tried(() =>
      this.#commands.eval(
        WRITE,
        3,
        ...[names.lease, names.pool, names.retired],
        ...[this.token, before.pool ?? "", before.retired],
        ...[pool, retired, names.written, notice],
      )
    );
  }

  /** @throws {Error} that says why, when a connection has ended. */
  check(): void {
    if (this.#lost !== undefined) throw this.#reason(this.#lost);
  }

  /** Gives the lease up, if it is ours, and closes. What is under way ends within half a second. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#leaving ??= this.#leave();
  }

  async #leave(): Promise<void> {
    const { names, clock } = this.#options;
    if (this.#lost === undefined && this.#renewedAtMs > 0) {
      const notice = JSON.stringify({ by: this.token, changes: [] });
      const texts = [names.lease, this.token, names.written, notice];
      const released = this.#commands.eval(RELEASE, 1, ...texts).catch(() => {});
      await waitAtMost(clock, GOODBYE_MS, released);
    }
    this.#disconnect();
    await this.#closed;
  }

  #disconnect(): void {
    if (this.#isDisconnected) return;
    this.#isDisconnected = true;
    for (const connection of [this.#commands, this.#channels]) {
      if (connection.status !== "end") connection.disconnect();
    }
  }

  #lose(error: Error): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    this.#disconnect();
    // Who floods us would be read from until its end.
    for (const { stream } of [this.#commands, this.#channels]) stream?.destroy();
    this.#options.ended();
  }

  async #ask<T>(command: () => Promise<T>): Promise<T> {
    try {
      return await command();
    } catch (error) {
      throw this.#reason(error);
    }
  }

  /** The same of a command that Redis may refuse while it answers others. */
  async #tried<T>(command: () => Promise<T>): Promise<Result<T>> {
    try {
      return success(await this.#ask(command));
    } catch (error) {
      if (error instanceof Refusal) return failure(error.message);
      throw error;
    }
  }

  /** Why a connection or a command has failed, for an administrator. */
  #reason(error: unknown): Error {
    const { place: { host, port }, timeoutMs } = this.#options;
    const place = `${host}:${port}`;
    // The first thing that went wrong says more than what it led to.
    const cause = this.#lost ?? error;
    if (cause instanceof Refusal) return cause;
    if (isReply(cause)) return new Refusal(`Redis says: ${oneLine(replyText(cause))} (${place})`);
    return new Error(reasonText(cause, place, timeoutMs));
  }
}

/** What the package knows of one connection's answers. */
interface AnswerHandler {
  readonly redis: object;
  returnFatalError(error: unknown): void;
}

/** How many bytes have come on a connection since its last answer was whole. */
const UNANSWERED_BYTES = new WeakMap<object, number>();

const FAILED_HANDLERS = new WeakSet<AnswerHandler>();

/**
 * Has a connection end when its server answers what was not asked, or otherwise than Redis does. The package
 * would throw that where nobody can catch it, and the process would end.
 */
async function tamePackage(): Promise<void> {
  const { default: handler } = await import("ioredis/built/DataHandler.js");
  // The types have the class itself here.
  const { default: DataHandler = handler } = Object(handler);
  Object.defineProperty(DataHandler.prototype, "dispatch", {
    configurable: true,
    value(this: AnswerHandler, run: () => void): void {
      if (FAILED_HANDLERS.has(this)) return;
      UNANSWERED_BYTES.set(this.redis, 0);
      try {
        run();
      } catch (error) {
        FAILED_HANDLERS.add(this);
        this.returnFatalError(error);
      }
    },
  });
}

function connectionOptions({ place, timeoutMs }: RedisLinkOptions) {
  return {
    host: place.host,
    port: place.port,
    // What all servers speak, and what needs no right of its own (HELLO, CLIENT, INFO).
    protocol: 2,
    disableClientInfo: true,
    enableReadyCheck: false,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    disconnectTimeout: GOODBYE_MS / 5,
    // What was published while a connection was down is lost: the next link reads all anew.
    retryStrategy: () => null,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    lazyConnect: true,
    ...(place.tls === undefined ? {} : { tls: place.tls }),
  } as const;
}

/** An answer with an error in it; other errors are of the connection. */
function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
}

/** Of a transaction that was discarded, the first of the reasons. */
function replyText(error: Error): string {
  const [first] = "previousErrors" in error && Array.isArray(error.previousErrors)
    ? error.previousErrors
    : [];
  return first === undefined ? error.message : messageOf(first);
}

function reasonText(error: unknown, place: string, timeoutMs: number): string {
  const message = messageOf(error);
  if (message === "Command timed out" || classify(error) === "timeout") {
    return `no answer within ${formatDuration(timeoutMs)} (${place})`;
  }
  if (/please report/i.test(message)) return `it does not speak as Redis does (${place})`;
  return message === "connection closed" ? `${message} (${place})` : connectReason(error, place);
}

/** What a key holds; "" if it is not there. */
function readText(
  key: string,
  [error, value]: readonly [Error | null, unknown] = [null, null],
): Result<string> {
  if (error !== null) {
    const reason = error.message.startsWith("WRONGTYPE") ? "it holds no string" : error.message;
    return failure(`Cannot read the key "${key}": ${oneLine(reason)}, expected a list as text`);
  }
  if (!(value instanceof Uint8Array)) return failure(`Cannot read the key "${key}"`);
  if (value.length > MOST_BYTES) {
    return failure(`Cannot use the key "${key}": expected at most ${MOST_BYTES} bytes`);
  }
  try {
    return success(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value));
  } catch {
    return failure(`Cannot read the key "${key}": it is no UTF-8`);
  }
}
