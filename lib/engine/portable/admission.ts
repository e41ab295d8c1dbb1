// Who may come in on the portable engine: lists of networks, the frontend's limit, limits of each client
// address, in the order of splice/admission.ts.

import { isDenied } from "../../core/admission/access_list.ts";
import { FULL, HELD, SourceTable, TOO_MANY } from "../../core/admission/source_table.ts";
import { Source } from "../../core/pick/source.ts";
import type { Address } from "../../core/values/address.ts";
import { IPV6_WORDS, readIp } from "../../core/values/ip.ts";
import type { Frontend, RefusalReason } from "../engine.ts";
import type { Client } from "./dialer.ts";

/** The frontend that a client comes to. */
export interface Entrance {
  /** By which its clients' addresses are known; never given again. */
  readonly number: number;
  readonly settings: Frontend;
  /** Clients that it has. */
  readonly active: number;
}

export class Admission {
  readonly #sources = SourceTable.allocate();
  readonly #source = new Source();
  readonly #ip = new Uint32Array(IPV6_WORDS);

  /** Why a client may not come in. Otherwise it may get a place in the count of its address. */
  objection(entrance: Entrance, client: Client, nowMs: number): RefusalReason | undefined {
    const { settings, active } = entrance;
    // A proxy is not the client: its header tells who is.
    const isProxy = beginsWithHeader(settings, client.from);
    if (!isProxy && this.#isDenied(settings, client.from)) return "denied";
    const { maxConnections } = settings;
    if (maxConnections > 0 && active >= maxConnections) return "frontend_full";
    return isProxy ? undefined : this.#objectionBySource(entrance, client, nowMs);
  }

  /** The same for a client whose PROXY header has said who it is. */
  objectionBehindProxy(
    entrance: Entrance,
    client: Client,
    nowMs: number,
  ): RefusalReason | undefined {
    if (this.#isDenied(entrance.settings, client.from)) return "denied";
    return this.#objectionBySource(entrance, client, nowMs);
  }

  /** Counts a client who came before its frontend had limits for addresses. */
  hold({ number, settings }: Entrance, client: Client): void {
    if (client.hasSourcePlace || !settings.perSource?.maxConnections) return;
    this.#source.setAddress(client.from);
    client.hasSourcePlace = this.#sources.hold(number, this.#source) === HELD;
  }

  /** A client goes: its place in the count of its address is given back, if it has one. */
  leave({ number }: Entrance, client: Client): void {
    if (!client.hasSourcePlace) return;
    this.#source.setAddress(client.from);
    this.#sources.leave(number, this.#source);
  }

  #isDenied({ denied }: Frontend, from: Address): boolean {
    if (denied === undefined || from.transport === "unix") return false;
    const words = readIp(from.host, this.#ip);
    return words !== 0 && isDenied(denied, this.#ip, words);
  }

  /** What the limits of its address have against a client. */
  #objectionBySource(
    { number, settings: { perSource } }: Entrance,
    client: Client,
    nowMs: number,
  ): RefusalReason | undefined {
    if (perSource === undefined) return undefined;
    this.#source.setAddress(client.from);
    const outcome = this.#sources.enter(number, this.#source, perSource, nowMs);
    client.hasSourcePlace = outcome === HELD;
    if (outcome === FULL) return "source_full";
    return outcome === TOO_MANY ? "source_rate" : undefined;
  }
}

/** Whether a client's first bytes are a PROXY header. */
export function beginsWithHeader({ acceptProxyFrom }: Frontend, client: Address): boolean {
  if (acceptProxyFrom === undefined || client.transport === "unix") return false;
  return acceptProxyFrom.hasHost(client.host);
}
