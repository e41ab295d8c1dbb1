// Tokens by a strategy: a pool without clients, whose picks are handed out. What is under way to a proxy or stands
// there counts as a session of its backend, as far as proxies say so by the back-channel.

import type { PoolConfig } from "../config/config.ts";
import { Choice, countTunnel, pick, release } from "../core/pick/pick_kernels.ts";
import { ACTIVE } from "../core/pick/pick_table.ts";
import type { Pool } from "../core/pool/pool.ts";
import { formatHost } from "../core/values/address.ts";
import { counted } from "../core/values/counted.ts";
import type { DiscoveredBackend } from "../discovery/discovery_source.ts";
import { parseLines } from "../discovery/entries.ts";
import type { Word } from "../sp/back_channel.ts";
import type { Peer } from "../sp/pusher.ts";
import { mergeDiscovered } from "./merged_backends.ts";
import { PoolController, type PoolControllerParts } from "./pool_controller.ts";
import type { TokenSupply } from "./token_supply.ts";

export interface PlacedSupplyParts extends Omit<PoolControllerParts, "publish" | "weighed"> {
  /** How long a session is thought to last of a proxy that says nothing of its sessions; 0: it does not count. */
  readonly sessionTimeMs: number;
  /** Told when there may be tokens again. */
  readonly kick: () => void;
}

/** So many faults of a list are told one by one. */
const MOST_TOLD = 3;
/** Backends that one proxy may have sessions on; more than a pool can have, with those that have left it. */
const MOST_HELD = 16_384;
/** Tokens of silent proxies that count at a time; the oldest are forgotten first. */
const MOST_GUESSED = 100_000;

/** What one proxy has of one backend. */
interface Held {
  /** Undefined: the pool does not have the backend. */
  row: number | undefined;
  /** Sessions that the proxy had when it connected. */
  standing: number;
  /** When each of its tokens was picked (core/pick/young.ts). */
  readonly steps: number[];
}

export class PlacedSupply implements TokenSupply {
  readonly #controller: PoolController;
  readonly #parts: PlacedSupplyParts;
  readonly #choice = new Choice();
  readonly #held = new Map<Peer, Map<string, Held>>();
  readonly #guessed: { readonly row: number; readonly step: number; readonly untilMs: number }[] =
    [];
  /** The bytes of each backend's token, by its row. */
  #tokens: Uint8Array[] = [];
  #ids: string[] = [];
  /** What was wrong with the last list. */
  #told = "";

  /** @param config of a pool; its backends are those of the lists. */
  constructor(config: PoolConfig, parts: PlacedSupplyParts) {
    this.#parts = parts;
    // Clients are nobody that the generator knows, so none comes back.
    this.#controller = new PoolController(
      { ...config, backends: [], sticky: { ...config.sticky, by: "off" } },
      { ...parts, publish: () => {}, weighed: (pool) => this.#weighed(pool) },
    );
  }

  /** A list that cannot be used, or none of whose lines can, leaves the last one standing. */
  async take(lines: readonly Uint8Array[]): Promise<void> {
    const { log } = this.#parts;
    const decoder = new TextDecoder();
    const { backends, skipped } = parseLines(lines.map((line) => decoder.decode(line)).join("\n"));
    const { config } = this.#controller;
    const whole: DiscoveredBackend[] = [];
    const faults = [...skipped];
    for (const backend of backends) {
      const { hasPort, address } = backend.address;
      if (hasPort || address.transport === "unix") whole.push(backend);
      else faults.push(`${formatHost(address.host)}: expected a port`);
    }
    const none = { ...config, backends: [] };
    const { backends: found } = mergeDiscovered(none, [whole], undefined, () => undefined);
    const more = faults.length - MOST_TOLD;
    const told = faults.slice(0, MOST_TOLD).map((fault) => `cannot use a line: ${fault}`);
    if (more > 0) told.push(`nor ${counted(more, "line")} more`);
    const isEmpty = found.length === 0 && lines.length > 0;
    const hasRoom = this.#controller.pool.hasRoomFor(found);
    if (isEmpty) told.push("keeps its last list: this one holds no backend");
    else if (!hasRoom) {
      told.push(`keeps its last list: there is no room for ${counted(found.length, "backend")}`);
    }
    // Refreshers say the same list again and again.
    if (told.join() !== this.#told) { for (const text of told) log.warning(text); }
    this.#told = told.join();
    if (!isEmpty && hasRoom) await this.#controller.reconfigure({ ...config, backends: found });
  }

  next(peer: Peer): Uint8Array | undefined {
    const { pool } = this.#controller;
    const row = pick(pool.table, null, this.#parts.random(), this.#choice);
    if (row < 0) return undefined;
    const [token, id] = [this.#tokens[row], this.#ids[row]];
    const { step } = this.#choice;
    const held = peer.speaks && id !== undefined ? this.#heldBy(peer, id, row) : undefined;
    if (held !== undefined) held.steps.push(step);
    else this.#guess(row, step);
    countTunnel(pool.table, row);
    return token;
  }

  heard(peer: Peer, word: Exclude<Word, { kind: "want" }>): void {
    const { table } = this.#controller.pool;
    const held = this.#heldBy(peer, word.token, this.#rowOf(word.token));
    if (held === undefined) return;
    if (word.kind === "have") {
      if (held.row !== undefined) table.add(held.row, ACTIVE, word.count - held.standing);
      held.standing = word.count;
    } else if (held.standing > 0) {
      // Those that stood before its last connect have begun before those that it was sent since.
      held.standing--;
      if (held.row !== undefined) table.add(held.row, ACTIVE, -1);
    } else {
      const step = held.steps.shift();
      if (step !== undefined && held.row !== undefined) release(table, held.row, step);
    }
    if (held.standing === 0 && held.steps.length === 0) this.#held.get(peer)?.delete(word.token);
  }

  left(peer: Peer): void {
    const { table } = this.#controller.pool;
    for (const { row, standing, steps } of this.#held.get(peer)?.values() ?? []) {
      if (row === undefined) continue;
      table.add(row, ACTIVE, -standing);
      for (const step of steps) release(table, row, step);
    }
    this.#held.delete(peer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#controller[Symbol.asyncDispose]();
  }

  #rowOf(id: string): number | undefined {
    return this.#controller.pool.member(id)?.row;
  }

  /** What a peer has of a backend; undefined when it has sessions on too many. */
  #heldBy(peer: Peer, id: string, row: number | undefined): Held | undefined {
    let all = this.#held.get(peer);
    if (all === undefined) this.#held.set(peer, all = new Map());
    let held = all.get(id);
    if (held === undefined && all.size < MOST_HELD) {
      all.set(id, held = { row, standing: 0, steps: [] });
    }
    return held;
  }

  #guess(row: number, step: number): void {
    const { clock, sessionTimeMs } = this.#parts;
    this.#guessed.push({ row, step, untilMs: clock.now() + sessionTimeMs });
    if (sessionTimeMs === 0 || this.#guessed.length > MOST_GUESSED) this.#forgetGuessed(1);
  }

  /** Takes off those whose time is over, and the oldest, so many at least. */
  #forgetGuessed(atLeast: number): void {
    const nowMs = this.#parts.clock.now();
    const over = this.#guessed.findIndex(({ untilMs }) => untilMs > nowMs);
    const count = Math.max(atLeast, over < 0 ? this.#guessed.length : over);
    for (const { row, step } of this.#guessed.splice(0, count)) {
      release(this.#controller.pool.table, row, step);
    }
  }

  /** What is known has changed, or a second has passed. */
  #weighed(pool: Pool): void {
    this.#forgetGuessed(0);
    const encoder = new TextEncoder();
    this.#ids = [];
    this.#tokens = [];
    for (const { row, backend } of pool.members) {
      this.#ids[row] = backend.id;
      this.#tokens[row] = encoder.encode(backend.id);
    }
    // Sessions of backends that the pool did not have when they were told count from now on.
    for (const all of this.#held.values()) {
      for (const [id, held] of all) {
        if (held.row !== undefined) continue;
        held.row = pool.member(id)?.row;
        if (held.row !== undefined) pool.table.add(held.row, ACTIVE, held.standing);
      }
    }
    this.#parts.kick();
  }
}
