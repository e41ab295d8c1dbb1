// The service log: what the balancer has to say about itself, on stderr, through LogTape. Only this file
// configures it; the rest of the program is handed an area to write to.

import { configure, getLogger, type Logger, type LogRecord, reset } from "@logtape/logtape";
import { printable } from "../core/values/printable.ts";
import type { BatchWriter } from "./batch_writer.ts";

export type LogLevel = "error" | "warning" | "info" | "debug";
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Where one part of the program writes its lines. */
export interface LogArea {
  /** A client was not served, or a part died. */
  error(text: string, fields?: LogFields): void;
  /** Degraded. */
  warning(text: string, fields?: LogFields): void;
  /** Start, stop, reload, every change of a backend's state. */
  info(text: string, fields?: LogFields): void;
  /** Per connection. */
  debug(text: string, fields?: LogFields): void;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: "text" | "json";
  /**
   * Whether the lines go to the journal: then they begin with sd-daemon(3)'s level prefix instead of a
   * time, which the journal has itself.
   */
  readonly journal: boolean;
}

const ROOT = "compute-lb";

/** LogTape's levels, in the words of this program; sd-daemon(3)'s numbers. */
const LEVELS: Readonly<Record<string, { name: LogLevel; priority: number }>> = {
  trace: { name: "debug", priority: 7 },
  debug: { name: "debug", priority: 7 },
  info: { name: "info", priority: 6 },
  warning: { name: "warning", priority: 4 },
  error: { name: "error", priority: 3 },
  fatal: { name: "error", priority: 3 },
};

export class ServiceLog implements AsyncDisposable {
  readonly #writer: BatchWriter;

  constructor(writer: BatchWriter) {
    this.#writer = writer;
  }

  /** Lines that were thrown away. */
  get dropped(): number {
    return this.#writer.dropped;
  }

  /** Sets level and format, now or anew. */
  async configure(options: LogOptions): Promise<void> {
    const format = options.format === "json" ? jsonLine : options.journal ? journalLine : textLine;
    await configure({
      reset: true,
      sinks: { stderr: (record) => this.#writer.line(format(record)) },
      loggers: [
        { category: [ROOT], sinks: ["stderr"], lowestLevel: options.level },
        { category: ["logtape", "meta"], sinks: ["stderr"], lowestLevel: "error" },
      ],
    });
  }

  /** The place where one part of the program writes. */
  area(name: string): LogArea {
    return new Area(getLogger([ROOT, name]));
  }

  /** Resolves when all that was logged is written. */
  flush(): Promise<void> {
    return this.#writer.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await reset();
  }
}

class Area implements LogArea {
  constructor(readonly logger: Logger) {}

  // The text goes in as a property: LogTape would read braces in it as placeholders.
  error(text: string, fields: LogFields = {}): void {
    this.logger.error("{text}", { ...fields, text });
  }

  warning(text: string, fields: LogFields = {}): void {
    this.logger.warn("{text}", { ...fields, text });
  }

  info(text: string, fields: LogFields = {}): void {
    this.logger.info("{text}", { ...fields, text });
  }

  debug(text: string, fields: LogFields = {}): void {
    this.logger.debug("{text}", { ...fields, text });
  }
}

function textOf(record: LogRecord): string {
  const { text } = record.properties;
  const plain = typeof text === "string" ? text : record.message.map(String).join("");
  // One record is one line that reads as it was written, whatever a backend may have put into a reason.
  return printable(plain);
}

function areaOf(record: LogRecord): string {
  return record.category[1] ?? ROOT;
}

function textLine(record: LogRecord): string {
  const time = new Date(record.timestamp).toISOString();
  const level = (LEVELS[record.level]?.name ?? "info").padEnd(7);
  return `${time} ${level} ${areaOf(record)}: ${textOf(record)}`;
}

function journalLine(record: LogRecord): string {
  return `<${LEVELS[record.level]?.priority ?? 6}>${areaOf(record)}: ${textOf(record)}`;
}

function jsonLine(record: LogRecord): string {
  const { text: _, ...fields } = record.properties;
  return JSON.stringify({
    time: new Date(record.timestamp).toISOString(),
    level: LEVELS[record.level]?.name ?? "info",
    area: areaOf(record),
    message: textOf(record),
    ...fields,
  }, (_, value: unknown) => typeof value === "string" ? printable(value) : value);
}
