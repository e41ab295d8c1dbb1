// The listening sockets of the portable engine: binding all or none, keeping those that stay.

import { acceptEach, closeQuietly } from "../../core/serving/accept_loop.ts";
import { type Address, formatAddress } from "../../core/values/address.ts";
import type { Clock } from "../../core/timing/clock.ts";
import { classify, type FailureKind, listenHint, messageOf } from "../../core/values/errors.ts";
import type { Frontend } from "../engine.ts";
import { adjustMode, bindWithMode } from "../socket_mode.ts";
import { tune } from "./connect.ts";

/** Clients that the kernel keeps waiting for us; clamped to net.core.somaxconn. */
const BACKLOG = 4096;

export interface AcceptHandlers {
  /** @returns what the next client of this listener has to wait for, if anything. */
  accepted(frontend: string, conn: Deno.Conn): Promise<void> | undefined;
  failed(frontend: string, failure: FailureKind, message: string): void;
}

interface Listening {
  readonly listener: Deno.TcpListener | Deno.UnixListener;
  readonly bound: Address;
  /** Set anew when a reload gives the same address to another frontend. */
  frontend: string;
  /** What the frontend said of a unix socket's mode. */
  mode: number | undefined;
  loop: Promise<void>;
  /** Resolved when it is closed. */
  readonly closed: PromiseWithResolvers<void>;
}

export class Listeners {
  #listening = new Map<string, Listening>();

  readonly #handlers: AcceptHandlers;
  readonly #clock: Clock;
  readonly #condition: Int32Array;

  /** @param trouble a word: descriptors run out for all listeners, and whoever else needs one, at once. */
  constructor(handlers: AcceptHandlers, clock: Clock, condition: Int32Array) {
    this.#handlers = handlers;
    this.#clock = clock;
    this.#condition = condition;
  }

  /**
   * See {@linkcode Engine.start}.
   * @param taken is called at the instant from which clients come in as those of these frontends, with what
   * `beforeAccept` has made of them; not when an address cannot be bound, nor when `beforeAccept` fails.
   */
  async replace(
    frontends: readonly Frontend[],
    beforeAccept: () => Promise<readonly Frontend[]>,
    taken: (settled: readonly Frontend[]) => void,
  ): Promise<ReadonlyMap<string, readonly Address[]>> {
    const next = new Map<string, Listening>();
    const fresh: Listening[] = [];
    const bound = new Map<string, readonly Address[]>();
    let owners: [Listening, Frontend][] = [];
    let settled = frontends;
    try {
      for (const frontend of frontends) {
        const addresses: Address[] = [];
        for (const [index, address] of frontend.listen.entries()) {
          const key = keyOf(frontend, index, address);
          let entry = this.#listening.get(key);
          if (entry === undefined) {
            const listener = await listen(address, frontend);
            entry = {
              listener,
              bound: boundAddress(listener, address),
              frontend: frontend.name,
              mode: frontend.socketMode,
              loop: Promise.resolve(),
              closed: Promise.withResolvers(),
            };
            fresh.push(entry);
          }
          owners.push([entry, frontend]);
          next.set(key, entry);
          addresses.push(entry.bound);
        }
        bound.set(frontend.name, addresses);
      }
      settled = await beforeAccept();
      const byName = new Map(settled.map((one) => [one.name, one]));
      owners = owners.map(([entry, one]) => [entry, byName.get(one.name) ?? one]);
      // Only once nothing else can fail: a reload that is refused changes nothing.
      for (const [entry, { socketMode }] of owners) {
        adjustMode(entry.bound, entry.mode, socketMode);
      }
    } catch (error) {
      for (const entry of fresh) closeQuietly(entry.listener);
      throw error;
    }
    for (const [entry, { name, socketMode }] of owners) {
      entry.frontend = name;
      entry.mode = socketMode;
    }
    taken(settled);
    for (const entry of fresh) {
      entry.loop = acceptEach<Deno.TcpConn | Deno.UnixConn>(
        entry.listener,
        this.#clock,
        (conn) => {
          tune(conn);
          const pause = this.#handlers.accepted(entry.frontend, conn);
          return pause === undefined ? undefined : Promise.race([pause, entry.closed.promise]);
        },
        (failure, message) => this.#handlers.failed(entry.frontend, failure, message),
        this.#condition,
      );
    }
    const gone = [...this.#listening].filter(([key]) => !next.has(key)).map(([, entry]) => entry);
    this.#listening = next;
    await closeAll(gone);
    return bound;
  }
}

/** A port that the kernel chooses is a new one for each mention; any other address is itself. */
function keyOf(frontend: Frontend, index: number, address: Address): string {
  const text = formatAddress(address);
  const chosen = address.transport === "tcp" && address.port === 0;
  return chosen ? `${frontend.name} ${index} ${text}` : text;
}

async function closeAll(entries: readonly Listening[]): Promise<void> {
  for (const entry of entries) {
    closeQuietly(entry.listener);
    entry.closed.resolve();
  }
  // The port is free only after the pending accept has ended (denoland/deno#22885).
  await Promise.all(entries.map((entry) => entry.loop));
}

async function listen(
  address: Address,
  { name, socketMode }: Frontend,
): Promise<Deno.TcpListener | Deno.UnixListener> {
  try {
    if (address.transport === "unix") return await listenUnix(address.path, socketMode);
    if (address.host !== "") return listenTcp(address.host, address.port);
    try {
      return listenTcp("::", address.port);
    } catch (error) {
      // No IPv6 on this machine.
      if (classify(error) === "address_in_use" || classify(error) === "permission_denied") {
        throw error;
      }
      return listenTcp("0.0.0.0", address.port);
    }
  } catch (error) {
    throw new Error(
      `Cannot listen on ${formatAddress(address)} for frontend "${name}": ${messageOf(error)}` +
        listenHint(error, address),
      { cause: error },
    );
  }
}

function listenTcp(hostname: string, port: number): Deno.TcpListener {
  return Deno.listen({ hostname, port, tcpBacklog: BACKLOG });
}

async function listenUnix(path: string, mode: number | undefined): Promise<Deno.UnixListener> {
  const make = () => bindWithMode(mode, () => Deno.listen({ transport: "unix", path }));
  try {
    return make();
  } catch (error) {
    if (classify(error) !== "address_in_use") throw error;
  }
  // A file is in the way. If nobody answers there, its owner died without removing it.
  try {
    closeQuietly(await Deno.connect({ transport: "unix", path }));
  } catch (error) {
    if (classify(error) !== "refused") throw error;
    // A connection to an ordinary file is refused as well; that one is not ours to remove.
    if ((await Deno.lstat(path)).isSocket !== true) {
      throw new Deno.errors.AddrInUse("There is a file that is no socket");
    }
    await Deno.remove(path);
    return make();
  }
  throw new Deno.errors.AddrInUse("Another process listens there");
}

function boundAddress(listener: Deno.TcpListener | Deno.UnixListener, asked: Address): Address {
  const { addr } = listener;
  if (asked.transport === "unix" || addr.transport !== "tcp") return asked;
  return { transport: "tcp", host: addr.hostname, port: addr.port };
}
