// The access log, on stdout: one record when a tunnel opens and one when it closes. Written by hand, not
// through LogTape, because it is paid for by every connection (5 us a record there, below 1 us here).
//
// Keys, in text (key=value) and JSON alike: time, event, tunnel, frontend, client, backend, outgoing, then
// opened: pool, strategy, free, active, next, next_free, next_active, attempts, connect_ms, why, seen
// closed: sent (client to backend), received (backend to client), duration_ms, reason.
// `why` is one word, `seen` what every backend of the pool looked like to the pick: in JSON a list, in text
// BACKEND:FREE/SESSIONS (with "*" behind the winner's, "-" for an unknown FREE) or BACKEND:REASON where a
// backend could not be chosen, joined by commas, "+N" for those that are left out. A comma or white space
// in a backend's name is percent-encoded. `decisions` turns both off.
// Times have at most three decimals: clocks give more, and none of them means anything.
// `outgoing` is the balancer's own address that the backend sees: it ties a line of sshd's log, or a
// fail2ban ban, to the client.

import type { PickOutcome, SeenBackend } from "../core/decision_snapshot.ts";
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

  constructor(readonly writer: BatchWriter) {}

  write(atMs: number, record: AccessRecord): void {
    if (!this.enabled) return;
    const time = new Date(atMs).toISOString();
    const shown = withRoundTimes(this.decisions ? record : withoutDecision(record));
    this.writer.line(
      this.format === "json"
        ? `{"time":"${time}",${jsonOf(shown).slice(1)}`
        : `${time} ${textOf(shown)}`,
    );
  }
}

function withRoundTimes(record: AccessRecord): AccessRecord {
  return record.event === "opened"
    ? { ...record, connect_ms: toMicroseconds(record.connect_ms) }
    : { ...record, duration_ms: toMicroseconds(record.duration_ms) };
}

function withoutDecision(record: AccessRecord): AccessRecord {
  if (record.event === "closed") return record;
  const { why: _why, seen: _seen, ...rest } = record;
  return rest;
}

function toMicroseconds(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

function jsonOf(record: AccessRecord): string {
  if (record.event === "closed" || record.seen === undefined) return JSON.stringify(record);
  return JSON.stringify({ ...record, seen: record.seen.map(seenInJson) });
}

function textOf(record: AccessRecord): string {
  let text: string = record.event;
  for (const [key, value] of Object.entries(record)) {
    if (key === "event" || key === "seen" || value === undefined) continue;
    text += ` ${key}=${value}`;
  }
  if (record.event === "closed" || record.seen === undefined) return text;
  return `${text} seen=${textOfSeen(record.seen)}`;
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
