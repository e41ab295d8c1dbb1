// A PUSH socket: hands tokens out to whoever connects, each to one peer. It keeps none itself: a token is made at
// the instant at which a peer can take it, so none grows old here.

import { acceptEach, closeQuietly } from "../core/serving/accept_loop.ts";
import { isNews } from "../core/timing/throttled_condition.ts";
import type { Clock } from "../core/timing/clock.ts";
import { formatAddress, unmapHost } from "../core/values/address.ts";
import { MOST_WORD_BYTES, parseWord, type Word } from "./back_channel.ts";
import { PUSH } from "./framing.ts";
import { BUFFER_BYTES, type Connection, endReason, SpError, SpLink } from "./link.ts";

export type SpListener = Deno.TcpListener | Deno.UnixListener;

/** Whoever pulls, for as long as the connection lasts. */
export interface Peer {
  /** For people; not unique. */
  readonly name: string;
  /** Whether it heeds the back-channel: then it says what it wants, has and ends. */
  readonly speaks: boolean;
}

export interface PusherOptions {
  readonly clock: Clock;
  /** Makes a token for a peer, which is under way to it then; undefined: there is none for anybody until `kick`. */
  readonly next: (peer: Peer) => Uint8Array | undefined;
  /** Told what a peer says of sessions. */
  readonly heard?: (peer: Peer, word: Exclude<Word, { kind: "want" }>) => void;
  /** Told that a peer is gone: nothing that it had is heard of any more, until it says so itself. */
  readonly left?: (peer: Peer) => void;
  readonly say: (level: "info" | "warning" | "error", text: string) => void;
}

/** More than a site has proxies, with a thread each. */
const MOST_PEERS = 1024;
/** Nothing: a sign of life for peers of ours, which do not take it for a token. */
const BEAT = new Uint8Array();

/** A peer with all that is known of it. */
interface Pulling extends Peer {
  speaks: boolean;
  /** Tokens it has asked for, and tokens that it was sent. */
  wanted: number;
  sent: number;
  readonly link: SpLink;
}

export class Pusher implements AsyncDisposable {
  readonly #listeners: readonly SpListener[];
  readonly #options: PusherOptions;
  readonly #accepting: Promise<unknown>;
  readonly #conversations = new Map<Connection, Promise<void>>();
  /** Those that can take a token, the one that has waited longest first. */
  readonly #ready = new Set<Pulling>();
  readonly #peers = new Set<Pulling>();
  readonly #shortage = new Int32Array(1);
  readonly #crowd = new Int32Array(1);
  readonly #strangers = new Int32Array(1);
  #ended = false;

  /** @param listeners closed when this is disposed of. */
  constructor(listeners: readonly SpListener[], options: PusherOptions) {
    this.#listeners = listeners;
    this.#options = options;
    const { clock, say } = options;
    this.#accepting = Promise.all(listeners.map((listener) =>
      acceptEach<Connection>(
        listener,
        clock,
        (conn) => this.#admit(conn),
        (_, message) => say("error", `cannot take peers: ${message}`),
        this.#shortage,
      )
    ));
  }

  /** Those that pull now. */
  get peers(): ReadonlySet<Peer> {
    return this.#peers;
  }

  /** There may be tokens again. */
  kick(): void {
    for (const peer of this.#ready) {
      const token = this.#options.next(peer);
      if (token === undefined) return;
      this.#ready.delete(peer);
      peer.sent++;
      peer.link.put(token);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    for (const listener of this.#listeners) closeQuietly(listener);
    for (const conn of this.#conversations.keys()) closeQuietly(conn);
    await this.#accepting;
    await Promise.all(this.#conversations.values());
  }

  /** Never rejects, and never waits: a peer that is slow is nobody else's concern. */
  #admit(conn: Connection): void {
    const { clock, say } = this.#options;
    if (this.#ended || this.#conversations.size >= MOST_PEERS) {
      closeQuietly(conn);
      if (!this.#ended && isNews(this.#crowd, 0, clock.now())) {
        say("warning", `turns peers away: there are ${MOST_PEERS} already`);
      }
      return;
    }
    const conversation = this.#converse(conn).finally(() => this.#conversations.delete(conn));
    this.#conversations.set(conn, conversation);
  }

  async #converse(conn: Connection): Promise<void> {
    const { clock, left, say } = this.#options;
    const link: SpLink = new SpLink(conn, {
      clock,
      own: PUSH,
      mostBytes: MOST_WORD_BYTES,
      drained: () => this.#offer(peer),
    });
    const peer: Pulling = { name: nameOf(conn), speaks: false, wanted: 0, sent: 0, link };
    try {
      await using _link = link;
      await link.greeted();
      // What it has and wants comes with its header; one that says nothing takes what it gets.
      if (link.isHolding) this.#heed(peer);
      this.#peers.add(peer);
      const silent = peer.speaks ? "" : ", which does not say when its sessions end";
      say("info", `a proxy has come${silent} (${peer.name})`);
      this.#offer(peer);
      for (;;) this.#hear(peer, await link.next(BUFFER_BYTES));
    } catch (error) {
      if (this.#ended) return;
      const reason = endReason(error, peer.name);
      if (this.#peers.has(peer)) say("info", `a proxy is gone: ${reason}`);
      // Whoever looks for open ports comes again and again.
      else if (isNews(this.#strangers, 0, clock.now())) {
        say("warning", `somebody is no proxy: ${reason}`);
      }
    } finally {
      this.#ready.delete(peer);
      if (this.#peers.delete(peer)) left?.(peer);
      // What it had may be had by another.
      this.kick();
    }
  }

  #hear(peer: Pulling, bytes: Uint8Array): void {
    const word = parseWord(new TextDecoder().decode(bytes));
    if (!word.ok) throw new SpError(word.message);
    this.#heed(peer);
    if (word.value.kind === "want") peer.wanted += word.value.count;
    else this.#options.heard?.(peer, word.value);
    this.#offer(peer);
  }

  /** From now on a peer gets what it wants, and must give signs of life. */
  #heed(peer: Pulling): void {
    if (peer.speaks) return;
    peer.speaks = true;
    peer.link.beats = true;
    peer.link.beat(BEAT);
  }

  /** A peer may be able to take a token, or another one now that somebody's session has ended. */
  #offer(peer: Pulling): void {
    const isOpen = !peer.speaks || peer.sent < peer.wanted;
    if (isOpen && peer.link.isDrained && this.#peers.has(peer)) this.#ready.add(peer);
    this.kick();
  }
}

function nameOf({ remoteAddr, localAddr }: Connection): string {
  if (remoteAddr.transport === "tcp") {
    const { hostname, port } = remoteAddr;
    return formatAddress({ transport: "tcp", host: unmapHost(hostname), port });
  }
  return localAddr.transport === "unix" ? `ipc://${localAddr.path}` : "?";
}
