// The access log, on stdout: one record when a tunnel opens and one when it closes. Written by hand, not
// through LogTape, because it is paid for by every connection (5 us a record there, 0.5 us here).
//
// Keys, in text (key=value) and JSON alike: time, event, tunnel, frontend, client, backend, outgoing, then
// opened: pool, strategy, free, active, sticky, paced, next, next_free, next_active, attempts,
//         connect_ms, why, seen
// closed: sent (client to backend), received (backend to client), duration_ms, reason.
// `why` is one word, `seen` what every backend of the pool looked like to the pick: in JSON a list, in text
// BACKEND:FREE/SESSIONS (with "*" behind the winner's, "-" for an unknown FREE) or BACKEND:REASON where a
// backend could not be chosen, joined by commas, "+N" for those that are left out. A comma or white space
// in a backend's name is percent-encoded. `decisions` turns both off.
// Times have at most three decimals: clocks give more, and none of them means anything.
// `outgoing` is the balancer's own address that the backend sees: it ties a line of sshd's log, or a
// fail2ban ban, to the client.

import type { PickOutcome, SeenBackend } from "../core/decision_snapshot.ts";
import { toThousandths } from "../core/thousandths.ts";
import type { BatchWriter } from "./batch_writer.ts";

export interface OpenedRecord {
  readonly event: "opened";
  readonly tunnel: number;
  readonly frontend: string;
  readonly client: string;
  readonly backend: string;
  readonly outgoing: string;
  readonly pool: string;
  readonly strategy: string;
  /** Free cores of the chosen backend, when known. */
  readonly free?: number;
  /** Tunnels it held before. */
  readonly active: number;
  /** Sent back to where the client was before. */
  readonly sticky?: boolean;
  /** Others stood back, because they had many young connections. */
  readonly paced?: boolean;
  /** The runner-up. */
  readonly next?: string;
  readonly next_free?: number;
  readonly next_active?: number;
  readonly attempts: number;
  readonly connect_ms: number;
  readonly why?: string;
  readonly seen?: readonly SeenBackend[];
}

export interface ClosedRecord {
  readonly event: "closed";
  readonly tunnel: number;
  readonly frontend: string;
  readonly client: string;
  readonly backend: string;
  readonly outgoing: string;
  readonly sent: number;
  readonly received: number;
  readonly duration_ms: number;
  readonly reason: string;
}

export type AccessRecord = OpenedRecord | ClosedRecord;

/** In text, backends are left out of `seen` once it is as long as this. */
const SEEN_LENGTH = 512;

/** Outcomes of backends that were compared. In text, the others stand in place of the numbers. */
const COMPARED: ReadonlySet<PickOutcome> = new Set<PickOutcome>([
  "chosen",
  "less_free",
  "busier",
  "new_logins",
  "near_equal",
  "more_sessions",
  "not_its_turn",
  "not_drawn",
  "worse_of_two",
  "later",
  "no_room",
  "load_unknown",
  "not_chosen",
]);

export class AccessLog {
  format: "text" | "json" = "text";
  enabled = true;
  /** Whether records of opened tunnels say `why` and `seen`. */
  decisions = true;
  readonly #times = new IsoTimes();

  constructor(readonly writer: BatchWriter) {}

  write(atMs: number, record: AccessRecord): void {
    if (!this.enabled) return;
    const time = this.#times.iso(atMs);
    this.writer.line(
      this.format === "json"
        ? `{"time":"${time}",${this.#jsonOf(record).slice(1)}`
        : `${time} ${
          record.event === "closed" ? textOfClosed(record) : this.#textOfOpened(record)
        }`,
    );
  }

  /** By hand, key by key: a loop over the entries and a copy of the record took three times as long. */
  #textOfOpened(record: OpenedRecord): string {
    const { tunnel, frontend, client, backend, outgoing, pool, strategy } = record;
    let text = `opened tunnel=${tunnel} frontend=${frontend} client=${client} backend=${backend} ` +
      `outgoing=${outgoing} pool=${pool} strategy=${strategy}`;
    if (record.free !== undefined) text += ` free=${record.free}`;
    text += ` active=${record.active}`;
    if (record.sticky === true) text += " sticky=true";
    if (record.paced === true) text += " paced=true";
    if (record.next !== undefined) {
      text += ` next=${record.next}`;
      if (record.next_free !== undefined) text += ` next_free=${record.next_free}`;
      text += ` next_active=${record.next_active}`;
    }
    text += ` attempts=${record.attempts} connect_ms=${toThousandths(record.connect_ms)}`;
    if (!this.decisions) return text;
    if (record.why !== undefined) text += ` why=${record.why}`;
    return record.seen === undefined ? text : `${text} seen=${textOfSeen(record.seen)}`;
  }

  #jsonOf(record: AccessRecord): string {
    if (record.event === "closed") {
      return JSON.stringify({ ...record, duration_ms: toThousandths(record.duration_ms) });
    }
    const { why, seen, ...rest } = record;
    return JSON.stringify({
      ...rest,
      connect_ms: toThousandths(record.connect_ms),
      ...(this.decisions && why !== undefined ? { why } : {}),
      ...(this.decisions && seen !== undefined ? { seen: seen.map(seenInJson) } : {}),
    });
  }
}

/** Writes times as Date.toISOString() does; the second that was asked for last is kept as text. */
class IsoTimes {
  #second = NaN;
  #prefix = "";

  /** @param ms since the epoch, before the year 10000; fractions are cut off. */
  iso(ms: number): string {
    const second = Math.floor(ms / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#prefix = new Date(second * 1000).toISOString().slice(0, 20);
    }
    const rest = Math.floor(ms) - second * 1000;
    return `${this.#prefix}${rest < 10 ? "00" : rest < 100 ? "0" : ""}${rest}Z`;
  }
}

function textOfClosed(record: ClosedRecord): string {
  const { tunnel, frontend, client, backend, outgoing, sent, received, duration_ms } = record;
  return `closed tunnel=${tunnel} frontend=${frontend} client=${client} backend=${backend} ` +
    `outgoing=${outgoing} sent=${sent} received=${received} ` +
    `duration_ms=${toThousandths(duration_ms)} reason=${record.reason}`;
}

function textOfSeen(seen: readonly SeenBackend[]): string {
  let text = "";
  for (let i = 0; i < seen.length; i++) {
    const one = seen[i];
    if (one === undefined) continue;
    const { backend, outcome, freeMilliCores, active } = one;
    const name = nameInWord(backend);
    let state: string = outcome;
    if (COMPARED.has(outcome)) {
      state = `${freeMilliCores === undefined ? "-" : tenthsOf(freeMilliCores)}/${active}`;
      if (outcome === "chosen") state += "*";
    }
    if (text.length + name.length + state.length >= SEEN_LENGTH) {
      return `${text},+${seen.length - i}`;
    }
    text += i === 0 ? `${name}:${state}` : `,${name}:${state}`;
  }
  return text === "" ? "-" : text;
}

function nameInWord(name: string): string {
  return /[\s,]/.test(name) ? name.replace(/[\s,]/g, encodeURIComponent) : name;
}

/** Milli-cores as cores with one decimal; by integers, which is much faster than toFixed. */
function tenthsOf(milliCores: number): string {
  const tenths = Math.round(Math.abs(milliCores) / 100);
  const whole = Math.floor(tenths / 10);
  return `${milliCores < 0 && tenths > 0 ? "-" : ""}${whole}.${tenths - 10 * whole}`;
}

/** As JSON tells it, in cores. */
function seenInJson(
  { backend, outcome, freeMilliCores, active }: SeenBackend,
): Record<string, string | number> {
  const free = freeMilliCores === undefined ? {} : { free: freeMilliCores / 1000 };
  return { backend, outcome, ...free, active };
}
