// What `top` shows: the backends of all pools in one table, sorted by a column, and how much has come since
// the report before. Pure.

import type { BackendReport, PoolReport, StatusReport } from "../admin/report.ts";
import { counted } from "../core/values/counted.ts";
import { describeDuration } from "../core/values/duration.ts";
import { toDecimals } from "../core/values/thousandths.ts";
import type { ScreenSize } from "./live_screen.ts";
import { BOLD, DIM, GREEN, paint, RED, YELLOW } from "./output.ts";
import { coresOf } from "./status_table.ts";
import { type Cell, drawTable } from "./table.ts";

/** A backend, and how many sessions a second it has had since the report before. */
interface Row {
  readonly pool: string;
  readonly backend: BackendReport;
  /** Undefined with the first report. */
  readonly opened: number | undefined;
}

interface Column {
  readonly heading: string;
  readonly isNumber?: boolean;
  /** Numbers are sorted from the highest on, texts by the alphabet; what is not known comes last. */
  readonly value: (row: Row) => number | string | null | undefined;
  readonly text?: (row: Row) => string;
  readonly code?: (row: Row) => number | undefined;
}

const COLUMNS: readonly Column[] = [
  { heading: "BACKEND", value: ({ backend }) => backend.id },
  { heading: "POOL", value: ({ pool }) => pool },
  { heading: "STATE", value: ({ backend }) => stateOf(backend), code: codeOf },
  {
    heading: "LOAD",
    isNumber: true,
    value: ({ backend }) => backend.load1,
    text: ({ backend }) => decimals(backend.load1, 2),
  },
  {
    heading: "CORES",
    isNumber: true,
    value: ({ backend }) => backend.cores,
    text: ({ backend }) => coresOf(backend),
  },
  {
    heading: "FREE",
    isNumber: true,
    value: ({ backend }) => backend.free,
    text: ({ backend }) => decimals(backend.free, 2),
  },
  { heading: "SESSIONS", isNumber: true, value: ({ backend }) => backend.active },
  {
    heading: "NEW/S",
    isNumber: true,
    value: ({ opened }) => opened,
    text: ({ opened }) => decimals(opened ?? null, 1),
  },
  { heading: "TOTAL", isNumber: true, value: ({ backend }) => backend.total },
];

/** What is left of a long name of a backend or a pool on a narrow screen, at least. */
const LEAST_BACKEND = 12;
const LEAST_POOL = 8;

const KEYS = "left, right: column   r: reverse   up, down: scroll   q: quit";

/** What keys have chosen. */
export class TopChoice {
  /** Where SESSIONS stands. */
  #column = COLUMNS.findIndex(({ heading }) => heading === "SESSIONS");
  #reversed = false;
  #scrolled = 0;

  get column(): number {
    return this.#column;
  }

  get reversed(): boolean {
    return this.#reversed;
  }

  /** Rows above the first that is shown. */
  get scrolled(): number {
    return this.#scrolled;
  }

  /** @returns whether to go on. */
  pressed(key: string): boolean {
    switch (key) {
      case "q":
      case "Q":
        return false;
      case "\x1b[D":
      case "<":
        this.#column = (this.#column + COLUMNS.length - 1) % COLUMNS.length;
        break;
      case "\x1b[C":
      case ">":
        this.#column = (this.#column + 1) % COLUMNS.length;
        break;
      case "r":
        this.#reversed = !this.#reversed;
        break;
      case "\x1b[A":
      case "k":
        this.#scrolled = Math.max(0, this.#scrolled - 1);
        break;
      case "\x1b[B":
      case "j":
        this.#scrolled++;
    }
    return true;
  }

  /** Keeps the last rows on the screen. */
  limit(rows: number, shown: number): void {
    this.#scrolled = Math.max(0, Math.min(this.#scrolled, rows - shown));
  }
}

/** Draws a report; `before` is the one that came before it. */
export function drawTop(
  report: StatusReport,
  before: StatusReport | undefined,
  choice: TopChoice,
  colours: boolean,
  size?: ScreenSize,
): string[] {
  const seconds = before === undefined ? 0 : secondsBetween(before, report);
  const head = headOf(report, before, seconds, colours);
  const rows = sorted(rowsOf(report, before, seconds), choice);
  const alarms = report.pools
    .filter(({ backends }) => backends.every(({ usable }) => !usable))
    .map(({ name }) => paint(`pool ${name}: no backend can be used`, RED, colours));
  const above = [...head, ...alarms, ""];
  const below = size === undefined
    ? []
    : ["", paint(`by ${COLUMNS[choice.column]?.heading}   ${KEYS}`, DIM, colours)];
  // Headings take a line, and the last line of a screen stays free.
  const room = size === undefined
    ? rows.length
    : Math.max(1, size.rows - above.length - below.length - 2);
  choice.limit(rows.length, room);
  const shown = rows.slice(choice.scrolled, choice.scrolled + room);
  const headings = COLUMNS.map(({ heading: text, isNumber: right = false }, column): Cell => ({
    text,
    right,
    code: column === choice.column ? BOLD : DIM,
  }));
  const cells = shown.map((row) => COLUMNS.map((column) => cellOf(column, row)));
  const table = fitted([headings, ...cells], size?.columns ?? Infinity);
  return [...above, ...drawTable(table, colours).lines, ...below];
}

/** Shortens names, so that the figures behind them fit in: those of backends first, then those of pools. */
function fitted(table: readonly Cell[][], columns: number): readonly Cell[][] {
  const bounds = [LEAST_BACKEND, LEAST_POOL];
  return bounds.reduce((rows, least, column) => {
    const tooMany = drawTable(rows, false).columns - columns;
    if (tooMany <= 0) return rows;
    const widest = rows.reduce((most, row) => Math.max(most, row[column]?.text.length ?? 0), 0);
    const width = Math.max(least, widest - tooMany);
    return rows.map((row) =>
      row.map((cell, at) => at === column ? { ...cell, text: shortened(cell.text, width) } : cell)
    );
  }, table);
}

/** A host without its domain, then without its middle; the port stays. */
function shortened(name: string, width: number): string {
  if (name.length <= width) return name;
  const [, host = name, port = ""] = /^(.*?)(:\d+)?$/.exec(name) ?? [];
  const isPath = host.includes("/");
  const [label = host] = isPath || /^[\d.]+$|:/.test(host) ? [host] : host.split(".");
  const room = Math.max(2, width - port.length);
  if (label.length <= room) return label + port;
  const kept = Math.max(0, room - 2);
  const front = Math.ceil(kept / 2);
  return `${label.slice(0, front)}..${label.slice(label.length - (kept - front))}${port}`;
}

function headOf(
  { version, state, now, startedAt, engine, counters, reload, pools }: StatusReport,
  before: StatusReport | undefined,
  seconds: number,
  colours: boolean,
): string[] {
  const uptime = describeDuration(Date.parse(now) - Date.parse(startedAt));
  const rate = (key: "opened" | "refused" | "connectFailures") =>
    before === undefined || seconds <= 0
      ? "-"
      : toDecimals(Math.max(0, counters[key] - before.counters[key]) / seconds, 1);
  const refused = `${rate("refused")}/s refused`;
  // A report of an older balancer does not tell.
  const waiting = pools.reduce(
    (sum, { queue }: Partial<PoolReport>) => sum + (queue?.waiting ?? 0),
    0,
  );
  return [
    paint(
      `compute-lb ${version} ${state}, up ${uptime}, engine ${engine.name}, ${
        now.slice(11, 19)
      } UTC`,
      BOLD,
      colours,
    ),
    `${counted(counters.active, "session")}, ${rate("opened")}/s new, ${
      counters.refused === (before?.counters.refused ?? counters.refused)
        ? refused
        : paint(refused, RED, colours)
    }, ${rate("connectFailures")}/s connects failed${
      waiting === 0 ? "" : paint(`, ${waiting} wait for a place`, YELLOW, colours)
    }`,
    ...pools.flatMap(({ name, discovery = [] }: Partial<PoolReport>) =>
      discovery.filter(({ failure }) => failure !== null)
        .map((one) => paint(`${name}: ${one.name} fails: ${one.failure}`, YELLOW, colours))
    ),
    ...(reload.error === undefined
      ? []
      : [paint(`last reload refused: ${reload.error}`, RED, colours)]),
  ];
}

function rowsOf(
  { pools }: StatusReport,
  before: StatusReport | undefined,
  seconds: number,
): Row[] {
  return pools.flatMap(({ name, backends }) => {
    const earlier = before?.pools.find((pool) => pool.name === name)?.backends;
    return backends.map((backend): Row => {
      const total = earlier?.find(({ id }) => id === backend.id)?.total;
      const opened = total === undefined || seconds <= 0
        ? undefined
        : Math.max(0, backend.total - total) / seconds;
      return { pool: name, backend, opened };
    });
  });
}

/** Equal ones stay in the order of the report. */
function sorted(rows: readonly Row[], { column, reversed }: TopChoice): Row[] {
  const value = COLUMNS[column]?.value ?? (() => undefined);
  const sign = reversed ? -1 : 1;
  return rows.toSorted((one, other) => {
    const [a, b] = [value(one) ?? null, value(other) ?? null];
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    if (typeof a === "number" && typeof b === "number") return sign * (b - a);
    return sign * String(a).localeCompare(String(b));
  });
}

function cellOf({ value, text, code, isNumber: right = false }: Column, row: Row): Cell {
  const colour = code?.(row);
  return {
    text: text?.(row) ?? String(value(row) ?? "-"),
    right,
    ...(colour === undefined ? {} : { code: colour }),
  };
}

/** One word: what keeps sessions away, else its health. */
function stateOf({ state, admin, usable, backup, holds }: BackendReport): string {
  if (state === "down" || state === "leaving") return state;
  if (admin !== "enabled") return admin;
  if (usable) return state;
  return backup ? "backup" : holds[0]?.cause ?? "unusable";
}

function codeOf({ backend }: Row): number | undefined {
  if (backend.state === "down") return RED;
  if (!backend.usable) return YELLOW;
  return backend.state === "up" ? GREEN : undefined;
}

function decimals(value: number | null, digits: number): string {
  return value === null ? "-" : toDecimals(value, digits);
}

function secondsBetween(before: StatusReport, report: StatusReport): number {
  return (Date.parse(report.now) - Date.parse(before.now)) / 1000;
}
