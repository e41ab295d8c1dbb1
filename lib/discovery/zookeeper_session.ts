// A session with one ZooKeeper server: reads children and data, with watches. By hand, because the client that
// there is as a package throws into the event loop on what is no ZooKeeper's, and waits for a silent one for ever.

import { connectReason } from "../asking/reason.ts";
import { closeQuietly } from "../core/serving/accept_loop.ts";
import { abandonable, closeOnAbort } from "../core/serving/close_on_abort.ts";
import { writeAll } from "../core/serving/write_all.ts";
import type { Clock } from "../core/timing/clock.ts";
import { waitAtMost, withDeadline } from "../core/timing/with_deadline.ts";
import { formatAddress, type TcpAddress } from "../core/values/address.ts";
import { joinedBytes } from "../core/values/joined_bytes.ts";
import { juteMessage, JuteReader, type Part } from "./jute.ts";
import { ANSWER_MS, noAnswer } from "./servers.ts";

/** How long the server keeps a session of which it hears nothing; it may choose another time. */
const SESSION_MS = 9000;
/** More than 100,000 names of children. */
const MOST_BYTES = 4 * 1_048_576;
const PIECE_BYTES = 65_536;
/** How long the end of a session may take to be told. */
const FAREWELL_MS = 200;

/** Types of requests. */
const GET_DATA = 4;
const GET_CHILDREN = 8;
const PING = 11;
const AUTH = 100;
const CLOSE_SESSION = -11;

/** Numbers of what belongs to no request of ours. */
const NOTIFICATION = -1;
const PING_NUMBER = -2;
const AUTH_NUMBER = -4;

const NO_NODE = -101;
const ERRORS: Readonly<Record<number, string>> = {
  [-4]: "has lost the others",
  [NO_NODE]: "there is no such node",
  [-102]: "this user may not read it",
  [-112]: "the session has expired",
  [-115]: "user and password are refused",
};

export interface ZooKeeperServer {
  readonly address: TcpAddress;
  /** With it TLS is spoken; what Deno.connectTls takes. */
  readonly tls?: { readonly caCerts: string[]; readonly cert?: string; readonly key?: string };
  /** "user:password" (scheme "digest"). */
  readonly login?: string;
}

interface Reply {
  readonly error: number;
  readonly body: JuteReader;
}

export class ZooKeeperSession implements AsyncDisposable {
  readonly #place: string;
  readonly #over = new AbortController();
  readonly #waiting = new Map<number, PromiseWithResolvers<Reply>>();
  readonly #greeting = handled<number>();
  #changed = handled<void>();
  #number = 0;
  #heardMs: number;
  #isGreeted = false;
  #writing: Promise<void> = Promise.resolve();
  #running: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly connection: Deno.TcpConn | Deno.TlsConn,
    address: TcpAddress,
    readonly clock: Clock,
  ) {
    this.#place = formatAddress(address);
    this.#heardMs = clock.now();
  }

  /** Connects and begins a session. @throws in an administrator's words. */
  static async open(
    server: ZooKeeperServer,
    clock: Clock,
    signal: AbortSignal,
  ): Promise<ZooKeeperSession> {
    const place = formatAddress(server.address);
    return await withDeadline(
      clock,
      ANSWER_MS,
      async (signal) => {
        const session = new ZooKeeperSession(await connect(server, signal), server.address, clock);
        const giveUp = () => session.#break(signal.reason);
        signal.addEventListener("abort", giveUp, { once: true });
        // The connection may have come just when it was given up.
        if (signal.aborted) giveUp();
        try {
          await session.#begin(server.login);
          return session;
        } catch (error) {
          await session[Symbol.asyncDispose]();
          throw error;
        } finally {
          signal.removeEventListener("abort", giveUp);
        }
      },
      signal,
      () => noAnswer(ANSWER_MS, place),
    );
  }

  /** The names of a node's children, in order; from now on their coming and going is a change. */
  async children(path: string): Promise<string[]> {
    const [asked] = this.#ask(GET_CHILDREN, [path]);
    const reply = await asked;
    if (reply === undefined) throw new Error(`no answer (${this.#place})`);
    if (reply.error !== 0) throw this.#failure(reply.error, path);
    return reply.body.texts().sort();
  }

  /** What stands in these nodes; undefined where one is gone. From now on another text is a change. */
  async data(paths: readonly string[]): Promise<(string | undefined)[]> {
    const replies = await Promise.all(this.#ask(GET_DATA, paths));
    return replies.map(({ error, body }, at) => {
      if (error === 0) return body.text();
      if (error === NO_NODE) return undefined;
      throw this.#failure(error, paths[at] ?? "");
    });
  }

  /** Resolves at the next change of what was read since; rejects when the session breaks. */
  change(): Promise<void> {
    return this.#changed.promise;
  }

  /** Ends the session, which the server is told if it listens. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#over.signal.aborted) {
      this.#send(juteMessage([this.#number++, CLOSE_SESSION]));
      await waitAtMost(this.clock, FAREWELL_MS, this.#writing);
    }
    this.#break(new Error("stopped"));
    await this.#running;
    await this.#writing;
  }

  async #begin(login: string | undefined): Promise<void> {
    const reading = this.#read();
    this.#running = reading;
    // Version, the last change seen, the time, and of a session to go on with number and password.
    this.#send(juteMessage([0, 0n, SESSION_MS, 0n, new Uint8Array(16), false]));
    const sessionMs = await this.#greeting.promise;
    this.#running = Promise.all([reading, this.#keepAlive(pauseIn(sessionMs))]);
    if (login !== undefined) this.#send(juteMessage([AUTH_NUMBER, AUTH, 0, "digest", login]));
  }

  /** Asks about several nodes at once, with a watch on each. */
  #ask(type: number, paths: readonly string[]): Promise<Reply>[] {
    const messages: Uint8Array[] = [];
    const replies = paths.map((path) => {
      const number = this.#number++;
      messages.push(juteMessage([number, type, path, true] satisfies Part[]));
      const reply = handled<Reply>();
      if (this.#over.signal.aborted) reply.reject(this.#over.signal.reason);
      else this.#waiting.set(number, reply);
      return reply.promise;
    });
    this.#send(joinedBytes(messages));
    return replies;
  }

  #send(bytes: Uint8Array): void {
    const { signal } = this.#over;
    this.#writing = this.#writing
      .then(() => signal.aborted ? undefined : writeAll(this.connection, bytes, signal))
      .catch((error) => this.#break(this.#lost(error)));
  }

  /** Takes messages until the connection ends. Never rejects. */
  async #read(): Promise<void> {
    const buffer = new Uint8Array(PIECE_BYTES);
    let held = new Uint8Array(0);
    try {
      for (;;) {
        const count = await this.connection.read(buffer);
        if (count === null) throw new Error(`connection closed (${this.#place})`);
        held = joinedBytes([held, buffer.subarray(0, count)]);
        while (held.length >= 4) {
          const length = new DataView(held.buffer, held.byteOffset).getInt32(0);
          if (length < 0 || length > MOST_BYTES) {
            throw new Error(
              `Cannot read a message of ${length} bytes as ZooKeeper's (${this.#place})`,
            );
          }
          if (held.length < 4 + length) break;
          this.#take(new JuteReader(held.subarray(4, 4 + length)));
          held = held.subarray(4 + length);
        }
      }
    } catch (error) {
      this.#break(this.#lost(error));
    }
  }

  #take(message: JuteReader): void {
    if (!this.#isGreeted) return this.#greet(message);
    this.#heardMs = this.clock.now();
    const number = message.int();
    message.long();
    const error = message.int();
    if (number === NOTIFICATION) {
      this.#changed.resolve();
      this.#changed = handled();
    } else if (number === AUTH_NUMBER) {
      if (error !== 0) this.#break(this.#failure(error, ""));
    } else if (number !== PING_NUMBER) {
      const waiting = this.#waiting.get(number);
      if (waiting === undefined) {
        throw new Error(`an answer to nothing that was asked (${this.#place})`);
      }
      this.#waiting.delete(number);
      waiting.resolve({ error, body: message });
    }
  }

  #greet(message: JuteReader): void {
    this.#isGreeted = true;
    const version = message.int();
    const sessionMs = message.int();
    message.long();
    message.text();
    if (version !== 0) throw new Error(`Cannot read the greeting as ZooKeeper's (${this.#place})`);
    if (sessionMs <= 0) throw new Error(`the server gives no session (${this.#place})`);
    this.#greeting.resolve(sessionMs);
  }

  /** Has the server say something now and then, and finds out when it does not. Never rejects. */
  async #keepAlive(pauseMs: number): Promise<void> {
    const { signal } = this.#over;
    try {
      for (;;) {
        await this.clock.sleep(pauseMs, signal);
        if (this.clock.now() - this.#heardMs > 2 * pauseMs) {
          throw noAnswer(2 * pauseMs, this.#place);
        }
        this.#send(juteMessage([PING_NUMBER, PING]));
      }
    } catch (error) {
      this.#break(error);
    }
  }

  #failure(error: number, path: string): Error {
    const words = ERRORS[error] ?? `ZooKeeper's error ${error}`;
    return new Error(`${path === "" ? "" : `${path}: `}${words} (${this.#place})`);
  }

  #lost(error: unknown): unknown {
    // What we say ourselves says where.
    const isOwn = error instanceof Error && error.message.includes(this.#place);
    return isOwn || this.#over.signal.aborted
      ? error
      : new Error(connectReason(error, this.#place));
  }

  /** Ends the session without a word; whoever waits is told why. */
  #break(reason: unknown): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort(reason);
    closeQuietly(this.connection);
    this.#greeting.reject(reason);
    this.#changed.reject(reason);
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }
}

async function connect(
  { address, tls }: ZooKeeperServer,
  signal: AbortSignal,
): Promise<Deno.TcpConn | Deno.TlsConn> {
  const { host: hostname, port } = address;
  try {
    if (tls === undefined) return await Deno.connect({ hostname, port, signal });
    const { cert, key, caCerts } = tls;
    const base = { hostname, port, caCerts };
    const connecting = Deno.connectTls(
      cert === undefined || key === undefined ? base : { ...base, cert, key },
    );
    const connection = await abandonable(connecting, signal);
    using _interrupt = closeOnAbort(signal, connection);
    await connection.handshake().catch((error) => {
      closeQuietly(connection);
      throw error;
    });
    return connection;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw new Error(connectReason(error, formatAddress(address)));
  }
}

/** How often the server is to hear of us, and we of it; whatever time it says. */
function pauseIn(sessionMs: number): number {
  return Math.max(100, Math.floor(Math.min(sessionMs, SESSION_MS) / 3));
}

/** A promise that may be rejected while nobody waits for it. */
function handled<T>(): PromiseWithResolvers<T> {
  const resolvers = Promise.withResolvers<T>();
  resolvers.promise.catch(() => {});
  return resolvers;
}
