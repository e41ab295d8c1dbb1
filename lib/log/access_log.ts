// The access log, on stdout: one record when a tunnel opens and one when it closes. Written by hand, not
// through LogTape, because every connection pays for it: bytes alone, no string and no object per record.
//
// Keys, in text (key=value) and JSON alike: time, event, tunnel, frontend, client, backend, outgoing, then
// opened: pool, strategy, free, active, sticky, paced, next, next_free, next_active, attempts,
//         connect_ms, queue_ms, why, seen
// closed: sent (client to backend), received (backend to client), duration_ms, reason.
// `why` is one word, `seen` what every backend of the pool looked like to the pick: in JSON a list, in text
// BACKEND:FREE/SESSIONS (with "*" behind the winner's, "-" for an unknown FREE) or BACKEND:REASON where a
// backend could not be chosen, joined by commas, "+N" for those that are left out. `decisions` turns both
// off. What would not be seen as it is in a name is spelled out; in text, a comma or white space in it is
// percent-encoded.
// Times have at most three decimals: clocks give more, and none of them means anything.
// `queue_ms` stands where the client waited for a place in the pool's queue.
// `outgoing` is the balancer's own address that the backend sees: it ties a line of sshd's log, or a
// fail2ban ban, to the client.

import type { Chosen } from "../core/pick/choice.ts";
import { type SnapshotReader, wasCompared } from "../core/pick/snapshot_reader.ts";
import type { LineBytes } from "../core/values/line_bytes.ts";
import { UNKNOWN_FREE } from "../core/pick/pick_table.ts";
import { printable } from "../core/values/printable.ts";
import type { BatchWriter } from "./batch_writer.ts";

/** What both records of a tunnel tell. */
interface TunnelRecord {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly tunnel: number;
  readonly frontend: string;
  readonly backend: string;
  putClient(line: LineBytes): void;
  putOutgoing(line: LineBytes): void;
}

export interface OpenedRecord extends TunnelRecord {
  readonly pool: string;
  readonly attempts: number;
  readonly connectMs: number;
  readonly queueMs: number;
  /** What the pick looked at, what stood in the rows then, and where it is remembered whole. */
  readonly choice: Chosen;
  readonly endpoints: readonly ({ readonly backend: string } | undefined)[];
  readonly lastPick: number;
  readonly store: { read(place: number): SeenBackends | undefined };
}

/** What a pick saw, backend by backend. */
export type SeenBackends = Pick<
  SnapshotReader,
  "why" | "next" | "rewind" | "backend" | "outcome" | "free" | "active"
>;

export interface ClosedRecord extends TunnelRecord {
  readonly bytesToBackend: number;
  readonly bytesToClient: number;
  readonly durationMs: number;
  readonly reason: string;
}

/** In text, backends are left out of `seen` once it is as long as this. */
const SEEN_LENGTH = 512;

/** How a key stands before its value. */
interface Key {
  readonly text: Uint8Array;
  readonly json: Uint8Array;
}

function keyOf(name: string): Key {
  const bytes = new TextEncoder();
  return { text: bytes.encode(` ${name}=`), json: bytes.encode(`,"${name}":`) };
}

const KEYS = {
  active: keyOf("active"),
  attempts: keyOf("attempts"),
  backend: keyOf("backend"),
  client: keyOf("client"),
  connect_ms: keyOf("connect_ms"),
  duration_ms: keyOf("duration_ms"),
  free: keyOf("free"),
  frontend: keyOf("frontend"),
  next: keyOf("next"),
  next_active: keyOf("next_active"),
  next_free: keyOf("next_free"),
  outgoing: keyOf("outgoing"),
  paced: keyOf("paced"),
  pool: keyOf("pool"),
  queue_ms: keyOf("queue_ms"),
  reason: keyOf("reason"),
  received: keyOf("received"),
  seen: keyOf("seen"),
  sent: keyOf("sent"),
  sticky: keyOf("sticky"),
  strategy: keyOf("strategy"),
  tunnel: keyOf("tunnel"),
  why: keyOf("why"),
} as const;

const QUOTE = 34;
const COMMA = 44;
const MINUS = 45;
const SLASH = 47;
const COLON = 58;
const STAR = 42;
const Z = 90;

export class AccessLog {
  format: "text" | "json" = "text";
  enabled = true;
  /** Whether records of opened tunnels say `why` and `seen`. */
  decisions = true;
  /** The second that was written last, as text: what Date.toISOString() gives before the milliseconds. */
  #second = NaN;
  #prefix = "";

  constructor(readonly writer: BatchWriter) {}

  /** @param strategy the name of the one that the kernel ran for. */
  opened(record: OpenedRecord, strategy: string): void {
    if (!this.enabled) return;
    const line = this.#begin(record, "opened");
    const { choice } = record;
    this.#string(line, KEYS.pool, record.pool);
    this.#string(line, KEYS.strategy, strategy);
    this.#free(line, KEYS.free, choice.free);
    this.#integer(line, KEYS.active, choice.active);
    if (choice.sticky) this.#flag(line, KEYS.sticky);
    if (choice.paced) this.#flag(line, KEYS.paced);
    const next = record.endpoints[choice.runnerUp]?.backend;
    if (next !== undefined) {
      this.#string(line, KEYS.next, next);
      this.#free(line, KEYS.next_free, choice.runnerUpFree);
      this.#integer(line, KEYS.next_active, choice.runnerUpActive);
    }
    this.#integer(line, KEYS.attempts, record.attempts);
    this.#milliseconds(line, KEYS.connect_ms, record.connectMs);
    if (record.queueMs > 0) this.#milliseconds(line, KEYS.queue_ms, record.queueMs);
    const seen = this.decisions ? record.store.read(record.lastPick) : undefined;
    if (seen !== undefined) {
      this.#string(line, KEYS.why, seen.why);
      this.#key(line, KEYS.seen);
      if (this.format === "json") this.#seenInJson(line, seen);
      else putSeen(line, seen);
    }
    this.#end(line);
  }

  closed(record: ClosedRecord): void {
    if (!this.enabled) return;
    const line = this.#begin(record, "closed");
    this.#integer(line, KEYS.sent, record.bytesToBackend);
    this.#integer(line, KEYS.received, record.bytesToClient);
    this.#milliseconds(line, KEYS.duration_ms, record.durationMs);
    this.#string(line, KEYS.reason, record.reason);
    this.#end(line);
  }

  #begin(record: TunnelRecord, event: string): LineBytes {
    const line = this.writer.begin();
    const json = this.format === "json";
    if (json) line.text('{"time":"');
    this.#time(line, record.atMs);
    line.text(json ? `","event":"` : " ");
    line.text(event);
    if (json) line.char(QUOTE);
    this.#integer(line, KEYS.tunnel, record.tunnel);
    this.#string(line, KEYS.frontend, record.frontend);
    this.#key(line, KEYS.client);
    const clientAt = this.#open(line);
    record.putClient(line);
    this.#close(line, clientAt);
    this.#string(line, KEYS.backend, record.backend);
    this.#key(line, KEYS.outgoing);
    const outgoingAt = this.#open(line);
    record.putOutgoing(line);
    this.#close(line, outgoingAt);
    return line;
  }

  #end(line: LineBytes): void {
    if (this.format === "json") line.text("}");
    this.writer.end();
  }

  /** As Date.toISOString() writes it, before the year 10000; fractions of a millisecond are cut off. */
  #time(line: LineBytes, ms: number): void {
    const second = Math.floor(ms / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#prefix = new Date(second * 1000).toISOString().slice(0, 20);
    }
    line.text(this.#prefix);
    line.padded(Math.floor(ms) - second * 1000, 3);
    line.char(Z);
  }

  #key(line: LineBytes, key: Key): void {
    line.put(this.format === "json" ? key.json : key.text);
  }

  #string(line: LineBytes, key: Key, value: string): void {
    this.#key(line, key);
    const at = this.#open(line);
    line.text(value);
    this.#close(line, at);
  }

  /** Begins a value of text. @returns where it begins. */
  #open(line: LineBytes): number {
    const at = line.length;
    if (this.format === "json") line.char(QUOTE);
    return at;
  }

  #close(line: LineBytes, at: number): void {
    if (this.format !== "json") {
      if (!line.isWord(at)) rewrite(line, at, word);
    } else if (line.isWord(at + 1)) line.char(QUOTE);
    else {
      const value = line.textFrom(at + 1);
      line.truncate(at);
      line.text(printable(JSON.stringify(value)));
    }
  }

  #integer(line: LineBytes, key: Key, value: number): void {
    this.#key(line, key);
    line.integer(value);
  }

  #milliseconds(line: LineBytes, key: Key, value: number): void {
    this.#key(line, key);
    line.thousandths(Math.round(value * 1000));
  }

  #flag(line: LineBytes, key: Key): void {
    this.#key(line, key);
    line.text("true");
  }

  /** Cores of milli-cores; nothing when nobody knows. */
  #free(line: LineBytes, key: Key, milliCores: number): void {
    if (milliCores === UNKNOWN_FREE) return;
    this.#key(line, key);
    line.thousandths(milliCores);
  }

  #seenInJson(line: LineBytes, seen: SeenBackends): void {
    line.text("[");
    for (let first = true; seen.next(); first = false) {
      line.text(first ? '{"backend":' : ',{"backend":');
      line.text(printable(JSON.stringify(seen.backend)));
      line.text(`,"outcome":"`);
      line.text(seen.outcome);
      line.char(QUOTE);
      this.#free(line, KEYS.free, seen.free);
      this.#integer(line, KEYS.active, seen.active);
      line.text("}");
    }
    line.text("]");
  }
}

/** One word of bounded length. */
function putSeen(line: LineBytes, seen: SeenBackends): void {
  const start = line.length;
  let left = 0;
  while (seen.next()) left++;
  seen.rewind();
  for (; seen.next(); left--) {
    const at = line.length;
    if (at > start) line.char(COMMA);
    const nameAt = line.length;
    line.text(seen.backend);
    if (!line.isWord(nameAt)) rewrite(line, nameAt, word);
    line.char(COLON);
    const { outcome } = seen;
    if (wasCompared(outcome)) {
      if (seen.free === UNKNOWN_FREE) line.char(MINUS);
      else putTenths(line, seen.free);
      line.char(SLASH);
      line.integer(seen.active);
      if (outcome === "chosen") line.char(STAR);
    } else line.text(outcome);
    if (line.length - start <= SEEN_LENGTH) continue;
    line.truncate(at);
    line.text(",+");
    line.integer(left);
    return;
  }
  if (line.length === start) line.char(MINUS);
}

/** Writes what stands from a byte on in another way. */
function rewrite(line: LineBytes, at: number, how: (text: string) => string): void {
  const text = line.textFrom(at);
  line.truncate(at);
  line.text(how(text));
}

/** A name as one word, whoever has chosen it: it can neither begin a record nor look like another key. */
function word(name: string): string {
  return printable(name).replace(/[\s,]/g, encodeURIComponent);
}

/** Milli-cores as cores with one decimal. */
function putTenths(line: LineBytes, milliCores: number): void {
  const tenths = Math.round(Math.abs(milliCores) / 100);
  const whole = Math.floor(tenths / 10);
  if (milliCores < 0 && tenths > 0) line.char(MINUS);
  line.integer(whole);
  line.text(".");
  line.integer(tenths - 10 * whole);
}
