// The access log, on stdout: one record when a tunnel opens and one when it closes. Written by hand, not
// through LogTape, because it is paid for by every connection (5 us a record there, below 1 us here).
//
// Keys, in text (key=value) and JSON alike: time, event, tunnel, frontend, client, backend, outgoing, then
// opened: pool, strategy, free, active, next, next_free, next_active, attempts, connect_ms
// closed: sent (client to backend), received (backend to client), duration_ms, reason.
// Times have at most three decimals: clocks give more, and none of them means anything.
// `outgoing` is the balancer's own address that the backend sees: it ties a line of sshd's log, or a
// fail2ban ban, to the client.

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

export class AccessLog {
  format: "text" | "json" = "text";
  enabled = true;

  constructor(readonly writer: BatchWriter) {}

  write(atMs: number, record: AccessRecord): void {
    if (!this.enabled) return;
    const time = new Date(atMs).toISOString();
    const shown = withRoundTimes(record);
    this.writer.line(
      this.format === "json"
        ? `{"time":"${time}",${JSON.stringify(shown).slice(1)}`
        : `${time} ${textOf(shown)}`,
    );
  }
}

function withRoundTimes(record: AccessRecord): AccessRecord {
  return record.event === "opened"
    ? { ...record, connect_ms: toMicroseconds(record.connect_ms) }
    : { ...record, duration_ms: toMicroseconds(record.duration_ms) };
}

function toMicroseconds(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

function textOf(record: AccessRecord): string {
  let text: string = record.event;
  for (const [key, value] of Object.entries(record)) {
    if (key !== "event" && value !== undefined) text += ` ${key}=${value}`;
  }
  return text;
}
