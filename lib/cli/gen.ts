// `compute-lb gen`: lists in on stdin, tokens out to whoever pulls.

import { listenAt } from "../admin/listen.ts";
import { loadSourceMaker, type Logs, makeLogs } from "../app/parts.ts";
import { PlacedSupply } from "../app/placed_supply.ts";
import { PlainSupply, type TokenSupply } from "../app/token_supply.ts";
import { isFed, type PoolConfig } from "../config/config.ts";
import { formatConfigErrors } from "../config/config_error.ts";
import type { Address } from "../core/values/address.ts";
import { isNews } from "../core/timing/throttled_condition.ts";
import { counted } from "../core/values/counted.ts";
import { listenHint, messageOf } from "../core/values/errors.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { SYSTEM_CLOCK } from "../host/clock.ts";
import { isJournal } from "../host/journal.ts";
import { raiseDescriptorLimit } from "../host/limits.ts";
import { returnFreeMemory } from "../host/memory.ts";
import { alreadyResolved, resolve } from "../host/resolve.ts";
import { limitSendBuffers } from "../host/send_buffers.ts";
import type { LogArea } from "../log/setup.ts";
import { formatEndpoint, parseEndpoint } from "../sp/endpoint.ts";
import { Pusher, type SpListener } from "../sp/pusher.ts";
import { type ConfigCommand, readCommandConfig } from "./config_source.ts";
import { listen } from "./echo.ts";
import { EXIT_CONFIG, EXIT_FAILURE, EXIT_OK, EXIT_USAGE } from "./exit_code.ts";
import { ListReader } from "./list_reader.ts";
import { complain } from "./output.ts";
import { SignalHandlers } from "./signal_handlers.ts";

export interface GenCommand extends ConfigCommand {
  readonly endpoints: readonly string[];
  /** Which backend is next. */
  readonly order: "in turn" | "random" | "placed";
  /** The pool of the file by which tokens are placed. */
  readonly pool?: string;
  readonly sessionTimeMs: number;
  /** Of the files of ipc endpoints. */
  readonly socketMode: number;
}

/**
 * A proxy without the back-channel gets as many tokens as fit between it and us: of the kernel's own 4 MB, a new
 * list would take hours to reach one that has a client now and then.
 */
const SEND_BYTES = 2048;

/** Lists are taken so far apart, however fast they come. */
const LIST_GAP_MS = 100;

/** What a configuration must have, and a generator has otherwise: lists to come, and no clients. */
const NEEDED = { listen: ["127.0.0.1:1"], backends: ["127.0.0.1:2"] };

/** Serves until TERM or INT. */
export async function gen(command: GenCommand): Promise<number> {
  using signals = new SignalHandlers();
  const endpoints: Address[] = [];
  for (const text of command.endpoints) {
    const endpoint = parseEndpoint(text, "listen");
    if (!endpoint.ok) {
      complain(endpoint.message);
      return EXIT_USAGE;
    }
    endpoints.push(endpoint.value);
  }
  const { configFile, overrides } = command;
  const needed = configFile === undefined ? NEEDED : {};
  const read = await readCommandConfig({ ...command, overrides: { ...needed, ...overrides } });
  if (read.kind !== "config") {
    complain(read.kind === "usage" ? read.message : formatConfigErrors(read.errors));
    return read.kind === "usage" ? EXIT_USAGE : EXIT_CONFIG;
  }
  const pool = poolOf(read.config.pools, command.pool);
  if (!pool.ok) {
    complain(pool.message);
    return EXIT_USAGE;
  }
  await using logs = makeLogs(
    Deno.stderr,
    Deno.stdout,
    isJournal(Deno.env.get("JOURNAL_STREAM")),
    SYSTEM_CLOCK,
  );
  await logs.configure(read.config.log);
  const log = logs.log.area("gen");
  raiseDescriptorLimit();
  try {
    await serve(command, endpoints, pool.value, logs, log, signals);
    log.info("ended");
    return EXIT_OK;
  } catch (error) {
    log.error(messageOf(error));
    return EXIT_FAILURE;
  }
}

function poolOf(pools: readonly PoolConfig[], name: string | undefined): Result<PoolConfig> {
  const names = pools.map((pool) => pool.name).join(", ");
  if (name === undefined && pools.length > 1) {
    return failure(`Cannot tell which pool is meant: expected --pool with one of ${names}`);
  }
  const found = pools.find((pool) => pool.name === (name ?? pool.name));
  if (found === undefined) return failure(`There is no pool "${name}": expected one of ${names}`);
  if (found.strategy === "source_hash") {
    return failure("Cannot place by source_hash: a generator knows no clients");
  }
  return isFed(found)
    ? failure(`Cannot place as pool ${found.name} does: another generator places for it`)
    : success(found);
}

async function serve(
  { order, sessionTimeMs, socketMode }: GenCommand,
  endpoints: readonly Address[],
  pool: PoolConfig,
  logs: Logs,
  log: LogArea,
  signals: SignalHandlers,
): Promise<void> {
  const clock = SYSTEM_CLOCK;
  const random = Math.random;
  await using supply: TokenSupply = order !== "placed"
    ? new PlainSupply(order === "random" ? random : undefined)
    : new PlacedSupply(pool, {
      clock,
      random,
      log: logs.log.area("pool"),
      createLoadSource: loadSourceMaker(clock, random),
      resolve,
      alreadyResolved,
      sessionTimeMs,
      kick: () => pusher.kick(),
    });
  const listeners = await listenOn(endpoints, socketMode);
  limitSendBuffers(SEND_BYTES);
  for (const { addr } of listeners) log.info(`listens on ${formatEndpoint(addressOf(addr))}`);
  await using pusher = new Pusher(listeners, {
    clock,
    next: (peer) => supply.next(peer),
    heard: (peer, word) => supply.heard(peer, word),
    left: (peer) => supply.left(peer),
    say: (level, text) => log[level](text),
  });
  returnFreeMemory();
  const stop = new AbortController();
  const stopped = signals.stopped.then(() => stop.abort());
  await readLists(supply, () => pusher.kick(), log, stop.signal);
  await stopped;
}

/** Binds all of them or none. */
async function listenOn(endpoints: readonly Address[], mode: number): Promise<SpListener[]> {
  const listeners: SpListener[] = [];
  for (const address of endpoints) {
    try {
      listeners.push(
        address.transport === "unix"
          ? await listenAt(address.path, SYSTEM_CLOCK, mode)
          : await listen(address),
      );
    } catch (error) {
      for (const listener of listeners) listener.close();
      // listenAt() says which path, and what can be done.
      if (address.transport === "unix") throw error;
      const why = messageOf(error) + listenHint(error, address);
      throw new Error(`Cannot listen on ${formatEndpoint(address)}: ${why}`, { cause: error });
    }
  }
  return listeners;
}

function addressOf(addr: Deno.Addr): Address {
  return addr.transport === "tcp"
    ? { transport: "tcp", host: addr.hostname, port: addr.port }
    : { transport: "unix", path: "path" in addr ? addr.path : "?" };
}

/** Takes the lists of stdin to its end. @throws {Error} when it ends before the first one. */
async function readLists(
  supply: TokenSupply,
  kick: () => void,
  log: LogArea,
  signal: AbortSignal,
): Promise<void> {
  let waiting: readonly Uint8Array[] | undefined;
  let last: string | undefined;
  /** Of lists that come faster than they can be taken, the last one counts. */
  const takeWaiting = async () => {
    for (let items = waiting; items !== undefined && !signal.aborted; items = waiting) {
      waiting = undefined;
      const list = items.join("\n");
      if (list !== last) {
        log.info(
          items.length === 0
            ? "the list is empty: nothing is handed out"
            : `new list: ${counted(items.length, "item")}`,
        );
      }
      last = list;
      await supply.take(items);
      kick();
      await SYSTEM_CLOCK.sleep(LIST_GAP_MS, signal).catch(() => {});
    }
    taking = undefined;
  };
  let taking: Promise<void> | undefined;
  const lists = new ListReader({
    took: (items) => {
      waiting = items;
      taking ??= takeWaiting();
    },
    leftOut: (text) => isNews(told, 0, SYSTEM_CLOCK.now()) && log.warning(text),
  });
  const told = new Int32Array(1);
  const reader = Deno.stdin.readable.getReader();
  signal.addEventListener("abort", () => void reader.cancel().catch(() => {}), { once: true });
  let why = "stdin has ended";
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      lists.push(read.value);
    }
  } catch (error) {
    why = `stdin cannot be read: ${messageOf(error)}`;
  }
  if (!signal.aborted) lists.end();
  await taking;
  if (signal.aborted) return;
  if (last === undefined) {
    throw new Error(`there is nothing to hand out: no list has come, and ${why}`);
  }
  log.info(`${why}: the last list goes on`);
}
