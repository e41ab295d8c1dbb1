// The worker's listeners and the plans that their clients go by: those that are open, those that are
// closed but known to clients, and which plan holds when a reload changes both at one instant.
//
// All methods run in the worker.
//
// `!` on typed-array reads: slots come from the tunnel table.

import { isDenied } from "../../core/admission/access_list.ts";
import { LocationTable } from "../../core/location/location_table.ts";
import { NetworkSet } from "../../core/location/network_set.ts";
import type { ListenerSpec } from "./control_messages.ts";
import {
  CLIENT_ADDRESS,
  FD,
  FLAGS,
  LISTENER,
  POOL,
  TUNNEL_WORDS,
  type WorkerMemory,
} from "./layout.ts";
import { addressOf, type Libc } from "./libc.ts";
import type { Plan } from "./plan.ts";
import { readSockaddrIp, SOCKADDR_BYTES, SOCKADDR_WORDS } from "./sockaddr.ts";
import { SHORT_READ_INCONCLUSIVE, VIA_PROXY } from "./tunnel_table.ts";

/** A listening socket, as the worker knows it. */
export interface Listener {
  readonly spec: ListenerSpec;
  readonly denied: readonly NetworkSet[];
  readonly location: LocationTable | undefined;
  /** Who begins with a PROXY header; undefined: nobody. */
  readonly proxies: NetworkSet | undefined;
  readonly isOpen: boolean;
  /** What refused clients read, by the number of the reason. */
  readonly refusalText: readonly (Message | undefined)[];
}

/** Bytes that are ready for send(2). */
export interface Message {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly pointer: Deno.PointerObject;
}

export class Listeners {
  readonly #libc: Libc;
  readonly #words: Int32Array;
  readonly #reached: Int32Array;
  /** By the pool's number. */
  #plans: (Plan | undefined)[] = [];
  /** The same by what was published last: another list while held. */
  #newest = this.#plans;
  /** Listeners by id; those that are closed stay known to their tunnels. */
  readonly #listeners: Listener[] = [];
  #open: Listener[] = [];
  /** Between two configurations: no listener is watched. */
  #held = false;
  readonly #ip = new Uint32Array(4);
  readonly #address = new Int32Array(SOCKADDR_BYTES / 4);
  readonly #addressPointer = addressOf(this.#address);
  readonly #length = new Int32Array(16);
  readonly #lengthPointer = addressOf(this.#length);

  constructor(libc: Libc, { words, reached }: WorkerMemory) {
    this.#libc = libc;
    this.#words = words;
    this.#reached = reached;
  }

  /** Between two configurations from now on, until {@linkcode Listeners.listen}. */
  hold(): void {
    if (!this.#held) this.#newest = [...this.#plans];
    this.#held = true;
  }

  get isHeld(): boolean {
    return this.#held;
  }

  /** Those on which clients are accepted. */
  get open(): readonly Listener[] {
    return this.#open;
  }

  /** Open listeners that are not among these. */
  others(specs: readonly ListenerSpec[]): Listener[] {
    const staying = new Set(specs.map(({ id }) => id));
    return this.#open.filter(({ spec }) => !staying.has(spec.id));
  }

  /** These alone are open from now on, and what was published while held holds. */
  listen(specs: readonly ListenerSpec[]): void {
    for (const { spec: { location: _, acceptProxyFrom: _from, ...spec } } of this.#open) {
      this.#listeners[spec.id] = {
        spec: { ...spec, denied: [], refusalText: [] },
        denied: [],
        location: undefined,
        proxies: undefined,
        isOpen: false,
        refusalText: [],
      };
    }
    this.#open = specs.map((spec) => ({
      spec,
      denied: spec.denied.map((buffer) => new NetworkSet(buffer)),
      location: spec.location && new LocationTable(spec.location),
      proxies: spec.acceptProxyFrom && new NetworkSet(spec.acceptProxyFrom),
      isOpen: true,
      refusalText: spec.refusalText.map((bytes) => bytes && { bytes, pointer: addressOf(bytes) }),
    }));
    for (const listener of this.#open) this.#listeners[listener.spec.id] = listener;
    this.#plans = this.#newest;
    this.#held = false;
  }

  /** Makes a plan its pool's own, while held from `listen` on. */
  publish(pool: number, plan: Plan | undefined): void {
    this.#newest[pool] = plan;
  }

  find(id: number): Listener | undefined {
    return this.#listeners[id];
  }

  /** Tells whether a client may not come in, by its sockaddr. */
  isDenied({ denied }: Listener, address: Int32Array, at = 0): boolean {
    if (denied.length === 0) return false;
    const words = readSockaddrIp(address, at, this.#ip);
    return words !== 0 && isDenied(denied, this.#ip, words);
  }

  /** The number of the pool that a client goes to, by its sockaddr. */
  poolOf({ spec, location }: Listener, address: Int32Array, at = 0): number {
    if (location === undefined) return spec.pools[0]!;
    const words = readSockaddrIp(address, at, this.#ip);
    return spec.pools[words === 0 ? 0 : location.find(this.#ip, words)]!;
  }

  /** Whether a client begins with a PROXY header, by its sockaddr. */
  beginsWithHeader({ proxies }: Listener, address: Int32Array): boolean {
    if (proxies === undefined) return false;
    const words = readSockaddrIp(address, 0, this.#ip);
    return words !== 0 && proxies.has(this.#ip, words);
  }

  /** The address that the client reached, as a sockaddr: the balancer's, or what a PROXY header told. */
  localAddress(slot: number): Int32Array {
    const words = this.#words;
    if ((words[slot * TUNNEL_WORDS + FLAGS]! & VIA_PROXY) !== 0) {
      const at = slot * SOCKADDR_WORDS;
      for (let i = 0; i < SOCKADDR_WORDS; i++) this.#address[i] = this.#reached[at + i]!;
      return this.#address;
    }
    const spec = this.#specOf(slot);
    if (spec.local !== undefined) return spec.local;
    this.#length[0] = SOCKADDR_BYTES;
    const fd = words[slot * TUNNEL_WORDS + FD]!;
    this.#libc.calls.getsockname(fd, this.#addressPointer, this.#lengthPointer);
    return this.#address;
  }

  /**
   * Sends a client that has no backend yet to the pool where it would go if it came in now.
   * @returns false when its listener is closed.
   */
  renew(slot: number): boolean {
    const words = this.#words;
    const base = slot * TUNNEL_WORDS;
    const listener = this.#listeners[words[base + LISTENER]!];
    if (listener?.isOpen !== true) return false;
    words[base + POOL] = this.poolOf(listener, words, base + CLIENT_ADDRESS);
    return true;
  }

  /** The plan that clients of its pool go by who come in now. */
  planOf(slot: number): Plan | undefined {
    return this.#plans[this.#words[slot * TUNNEL_WORDS + POOL]!];
  }

  idleTimeoutMs(slot: number): number {
    return this.#specOf(slot).idleTimeoutMs;
  }

  /** The flag of a client whose short reads say nothing: one on a unix socket. */
  readsShort(slot: number): number {
    return this.#specOf(slot).unix ? SHORT_READ_INCONCLUSIVE : 0;
  }

  #specOf(slot: number): ListenerSpec {
    const id = this.#words[slot * TUNNEL_WORDS + LISTENER]!;
    const listener = this.#listeners[id];
    if (listener === undefined) throw new Error(`Cannot find listener ${id}: it was never set up`);
    return listener.spec;
  }
}
