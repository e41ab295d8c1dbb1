// Who may come in on the splice engine: lists of networks, the frontend's limit, limits of each client address,
// in this order; with when_full: wait, the acceptor has taken the frontend's place before.
//
// All methods run in the worker.
//
// `!` on typed-array reads: slots come from the tunnel table.

import { ADMITTED, FULL, HELD } from "../../core/admission/source_table.ts";
import { CLIENT_ADDRESS, FRONTEND, SOURCE_PLACE, TUNNEL_WORDS } from "./layout.ts";
import type { Ledger } from "./ledger.ts";
import type { Listener, Listeners } from "./listeners.ts";
import { DENIED, FRONTEND_FULL, NO_REASON, SOURCE_FULL, SOURCE_RATE } from "./records.ts";
import type { TunnelTable } from "./tunnel_table.ts";

export class Admission {
  readonly #words: Int32Array;
  readonly #ledger: Ledger;
  readonly #listeners: Listeners;
  #sourcePlace = 0;

  constructor(table: TunnelTable, ledger: Ledger, listeners: Listeners) {
    this.#words = table.words;
    this.#ledger = ledger;
    this.#listeners = listeners;
  }

  /** 1: the last client that was let in has a place in the count of its address, for SOURCE_PLACE; else 0. */
  get sourcePlace(): number {
    return this.#sourcePlace;
  }

  /**
   * Why a client without a record may not come in (records.ts). NO_REASON: it has a place in its frontend, and
   * may have one in the count of its address.
   * @param address its sockaddr.
   * @param isPlaced whether it had the place in its frontend before.
   */
  objection(listener: Listener, address: Int32Array, isPlaced: boolean, nowMs: number): number {
    this.#sourcePlace = 0;
    // A proxy is not the client: its header tells who is.
    const isProxy = this.#listeners.beginsWithHeader(listener, address);
    if (!isProxy && this.#listeners.isDenied(listener, address)) return DENIED;
    const { frontend, maxConnections } = listener.spec;
    if (!isPlaced && !this.#ledger.hasRoom(frontend, maxConnections)) return FRONTEND_FULL;
    const reason = isProxy
      ? NO_REASON
      : this.#objectionBySource(listener, frontend, address, 0, nowMs);
    if (reason !== NO_REASON || isPlaced) return reason;
    // Last: for a place that is given back, another worker would close a client meanwhile.
    if (this.#ledger.enter(frontend, maxConnections)) return NO_REASON;
    if (this.#sourcePlace !== 0) this.#ledger.leaveSource(frontend, address, 0);
    return FRONTEND_FULL;
  }

  /** The same for a client whose PROXY header has said who it is; it has its place in the frontend. */
  objectionBehindProxy(slot: number, listener: Listener, nowMs: number): number {
    const base = slot * TUNNEL_WORDS;
    const words = this.#words;
    const at = base + CLIENT_ADDRESS;
    if (this.#listeners.isDenied(listener, words, at)) return DENIED;
    this.#sourcePlace = 0;
    const reason = this.#objectionBySource(listener, words[base + FRONTEND]!, words, at, nowMs);
    words[base + SOURCE_PLACE] = this.#sourcePlace;
    return reason;
  }

  /** What the limits of its address have against a client. */
  #objectionBySource(
    { spec: { perSource } }: Listener,
    frontend: number,
    address: Int32Array,
    at: number,
    nowMs: number,
  ): number {
    if (perSource === undefined) return NO_REASON;
    const outcome = this.#ledger.enterSource(frontend, address, at, perSource, nowMs);
    if (outcome === HELD) this.#sourcePlace = 1;
    if (outcome === HELD || outcome === ADMITTED) return NO_REASON;
    return outcome === FULL ? SOURCE_FULL : SOURCE_RATE;
  }
}
