// Draws a StatusReport for people: one line per backend, and one below it for what is wrong with it.

import type {
  BackendReport,
  HoldReport,
  PoolReport,
  ScaleReport,
  StatusReport,
} from "../admin/report.ts";
import { counted } from "../core/values/counted.ts";
import { describeDuration } from "../core/values/duration.ts";
import { describePercent } from "../core/watch/shortages.ts";
import { describeSize } from "../core/values/size.ts";
import { toDecimals, toThousandths } from "../core/values/thousandths.ts";
import { describeDiscovery } from "./status_discovery.ts";
import { describeFeed } from "./status_feed.ts";
import {
  ageOf,
  describeDenials,
  describeOrders,
  describeSaid,
  isWeightOrdered,
} from "./status_orders.ts";
import { BOLD, DIM, GREEN, paint, RED, YELLOW } from "./output.ts";
import { type Cell, type DrawnTable, drawTable } from "./table.ts";

const HEADINGS: readonly Cell[] = [
  { text: "BACKEND" },
  { text: "HEALTH" },
  { text: "SINCE", right: true },
  { text: "LOAD", right: true },
  { text: "AGE", right: true },
  { text: "CORES", right: true },
  { text: "FREE", right: true },
  { text: "SESSIONS", right: true },
  { text: "TOTAL", right: true },
];

/** A burst of logins that costs less, in cores a login, would be told as 0.0. */
const LEAST_BURST_COST = 0.05;

/** What only some load sources tell: a column stands where some backend of the pool has it. */
const EXTRAS: readonly {
  readonly heading: string;
  /** Undefined where nothing is known. A report of an older balancer has nothing at all there. */
  readonly text: (backend: Partial<BackendReport>) => string | undefined;
}[] = [
  {
    heading: "MEMORY",
    text: ({ memoryAvailableBytes: available, memoryTotalBytes: total }) => {
      if (available === undefined || available === null) return undefined;
      const of = total === undefined || total === null ? "" : `/${describeSize(total)}`;
      return `${describeSize(available)}${of}`;
    },
  },
  { heading: "CPU WAIT", text: ({ cpuPressure }) => percentOf(cpuPressure) },
  { heading: "MEM WAIT", text: ({ memoryPressure }) => percentOf(memoryPressure) },
  { heading: "PEOPLE", text: ({ loginSessions }) => loginSessions?.toString() },
];

function percentOf(share: number | null | undefined): string | undefined {
  return share === null || share === undefined ? undefined : describePercent(share);
}

/**
 * The whole report, lines ended by newlines.
 * @param width columns of the terminal; absent: no limit.
 */
export function renderStatus(report: StatusReport, colours: boolean, width?: number): string {
  const nowMs = Date.parse(report.now);
  const uptime = describeDuration(nowMs - Date.parse(report.startedAt));
  const { active, opened, refused, bytesToBackend, bytesToClient } = report.counters;
  const lines = [
    `compute-lb ${report.version} ${report.state}, pid ${report.pid}, up ${uptime}, ` +
    `engine ${report.engine.name}`,
    // Bytes are counted when a session ends.
    `${counted(active, "session")} now, ${Math.max(0, opened - active)} ended ` +
    `(${describeSize(bytesToBackend)} sent, ${describeSize(bytesToClient)} received), ` +
    `${refused} refused`,
  ];
  lines.push(...describeReload(report.reload, nowMs, colours));
  const dropped = report.counters.eventsDropped + report.counters.logLinesDropped;
  if (dropped > 0) {
    lines.push(
      paint(
        `${counted(dropped, "log record")} lost: a reader was too slow, or a disk full`,
        YELLOW,
        colours,
      ),
    );
  }
  for (const frontend of report.frontends) {
    const limit = frontend.maxConnections === 0 ? "" : ` of ${frontend.maxConnections}`;
    const others = frontend.locationPools ?? [];
    const located = others.length === 0 ? "" : `, by location ${others.join(", ")}`;
    lines.push(
      `frontend ${frontend.name} on ${frontend.listen.join(", ")} to pool ${frontend.pool}` +
        `${located}: ${
          limit === "" ? counted(frontend.active, "session") : `${frontend.active}${limit} sessions`
        }`,
      ...describeDenials(frontend, nowMs).map((text) => paint(`    ${text}`, DIM, colours)),
    );
  }
  for (const pool of report.pools) lines.push("", ...renderPool(pool, nowMs, colours, width));
  return lines.join("\n") + "\n";
}

function describeReload(
  { at, changes, error }: StatusReport["reload"],
  nowMs: number,
  colours: boolean,
): string[] {
  // A report of an older balancer does not tell when.
  const ago = at === undefined ? "" : ` ${ageOf(at, nowMs)} ago`;
  if (error !== undefined) return [paint(`last reload${ago} refused: ${error}`, RED, colours)];
  return changes === undefined ? [] : [`last reload${ago}: ${changes}`];
}

/**
 * One pool with its backends.
 * @param width what only some load sources tell gets a line instead of columns where they do not fit.
 */
export function renderPool(
  pool: PoolReport,
  nowMs: number,
  colours: boolean,
  width: number = Infinity,
): string[] {
  const why = hasLoadSource(pool) ? "waits for a load" : "has no load source";
  const inUse = pool.strategyInUse === pool.strategy
    ? pool.strategy
    : `${pool.strategyInUse} (${pool.strategy} ${why})`;
  // A report of an older balancer does not tell.
  const { sticky = "off", burstCost = 0, queue, feed }: Partial<PoolReport> = pool;
  const title =
    `pool ${pool.name}: ${inUse}, load by ${pool.loadSource}, health by ${pool.healthProbe}` +
    (sticky === "off" ? "" : `, sticky by ${sticky}`);
  const extras = EXTRAS.filter(({ text }) =>
    pool.backends.some((backend) => text(backend) !== undefined)
  );
  const whole = drawRows(pool, extras, nowMs, colours);
  const fits = extras.length === 0 || whole.columns <= width;
  const [first = "", ...lines] = fits ? whole.lines : drawRows(pool, [], nowMs, colours).lines;
  const withRemarks = lines.flatMap((line, index) => {
    const backend = pool.backends[index];
    const remarks = backend === undefined
      ? []
      : [...(fits ? [] : describeExtras(backend)), ...remarksOf(pool, backend, nowMs)];
    return [line, ...remarks.map((remark) => paint(`    ${remark}`, DIM, colours))];
  });
  const { removed = [] }: Partial<PoolReport> = pool;
  const gone = removed.map((one) => {
    const left = one.active === 0 ? "" : `, ${counted(one.active, "session")} left`;
    return paint(`removed: ${one.id}${left}: ${describeSaid(one, nowMs)}`, DIM, colours);
  });
  const panic = pool.panic ?? null;
  const isFed = feed !== undefined && feed !== null;
  const nobody = pool.backends.every(({ usable }) => !usable) &&
    (!isFed || pool.backends.length > 0);
  const alarms = [
    ...(panic === null ? [] : [panic]),
    ...(nobody ? ["no backend can be used: new clients are turned away"] : []),
  ].map((text) => paint(text, RED, colours));
  const burst = burstCost < LEAST_BURST_COST ? [] : [
    `many log in: a new session counts for ${burstCost.toFixed(1)} cores beside FREE, for a minute`,
  ].map((text) => paint(text, DIM, colours));
  const waiting = queue?.waiting ?? 0;
  const waits = waiting === 0 ? [] : [
    paint(
      `${counted(waiting, "client")} wait${waiting === 1 ? "s" : ""} for a ${
        isFed ? "token" : "place"
      }`,
      YELLOW,
      colours,
    ),
  ];
  const scaling = pool.scale === undefined || pool.scale === null ? [] : [
    paint(describeScale(pool.scale, nowMs), pool.scale.failure === null ? DIM : YELLOW, colours),
  ];
  return [
    paint(title, BOLD, colours),
    ...alarms,
    ...scaling,
    ...waits,
    ...burst,
    ...describeDiscovery(pool, nowMs, colours),
    ...describeFeed(feed, nowMs, colours),
    first,
    ...withRemarks,
    ...gone,
  ];
}

/** How a pool is scaled, and what that waits for. */
function describeScale(scale: ScaleReport, nowMs: number): string {
  const { backends, min, max, running, last, failure, restsUntil } = scale;
  const ago = (at: string) => describeDuration(nowMs - Date.parse(at));
  const texts = [
    running !== null && last !== null ? `goes ${running} for ${ago(last.at)}` : undefined,
    failure !== null && last !== null ? `${last.direction} failed: ${failure}` : undefined,
    running === null && failure === null && last !== null
      ? `went ${last.direction} ${ago(last.at)} ago`
      : undefined,
    restsUntil === null ? undefined : `rests ${describeDuration(Date.parse(restsUntil) - nowMs)}`,
    describeWish("up", scale.upWhen, scale.upSince, backends >= max, ago),
    describeWish("down", scale.downWhen, scale.downSince, backends <= min, ago),
  ].filter((text) => text !== undefined);
  return `scale: ${counted(backends, "backend")} of ${min} to ${max}, ${texts.join(", ")}`;
}

function describeWish(
  direction: string,
  when: string | null,
  since: string | null,
  isAtLimit: boolean,
  ago: (at: string) => string,
): string | undefined {
  if (when === null) return undefined;
  if (since === null) return `${direction} when ${when}`;
  return `${direction} since ${when} (${ago(since)}${isAtLimit ? ", but there it ends" : ""})`;
}

/** Headings and rows. */
function drawRows(
  { backends }: PoolReport,
  extras: typeof EXTRAS,
  nowMs: number,
  colours: boolean,
): DrawnTable {
  const headings = [...HEADINGS, ...extras.map(({ heading: text }) => ({ text, right: true }))];
  return drawTable([
    headings.map((heading) => ({ ...heading, code: DIM })),
    ...backends.map((backend) => [
      ...cellsOf(backend, nowMs),
      ...extras.map(({ text }) => ({ text: text(backend) ?? "-", right: true })),
    ]),
  ], colours);
}

function describeExtras(backend: BackendReport): string[] {
  const told = EXTRAS.flatMap(({ heading, text }) => {
    const figure = text(backend);
    return figure === undefined ? [] : [`${heading.toLowerCase()} ${figure}`];
  });
  return told.length === 0 ? [] : [told.join(", ")];
}

/** A pool without a source may have backends with one of their own. */
function hasLoadSource({ loadSource, backends }: PoolReport): boolean {
  return loadSource !== "none" ||
    backends.some(({ load1, loadFailure }) => load1 !== null || loadFailure !== null);
}

function cellsOf(backend: BackendReport, nowMs: number): Cell[] {
  const { load1, loadAgeSeconds, free } = backend;
  const { holds = [] }: Partial<BackendReport> = backend;
  const isHeld = !backend.usable && backend.state !== "down" && holds.length > 0;
  const state = backend.admin !== "enabled"
    ? `${backend.state}, ${backend.admin}`
    : isHeld
    ? `${backend.state}, held`
    : backend.state;
  const isWell = backend.state === "up" && backend.usable;
  const code = isWell ? GREEN : backend.state === "down" ? RED : YELLOW;
  return [
    { text: backend.id },
    { text: state, code },
    { text: describeDuration(nowMs - Date.parse(backend.since)), right: true },
    { text: load1 === null ? "-" : load1.toFixed(2), right: true },
    {
      text: loadAgeSeconds === null ? "-" : describeDuration(Math.max(0, loadAgeSeconds) * 1000),
      right: true,
    },
    { text: coresOf(backend), right: true },
    { text: free === null ? "-" : toDecimals(free, 2), right: true },
    {
      text: backend.maxConnections === 0
        ? `${backend.active}`
        : `${backend.active}/${backend.maxConnections}`,
      right: true,
    },
    { text: `${backend.total}`, right: true },
  ];
}

/** A number that is assumed has a question mark. */
export function coresOf({ cores, coresFrom }: BackendReport): string {
  return `${cores}${coresFrom === "assumed" ? "?" : ""}`;
}

/** An agent's words that change nothing, where its percentage is no weight. */
const ORDINARY_WORDS = /^(\d+%)?(, )?(maxconn 0)?(, )?(ready)?(, )?(up)?$/;

/** What an administrator has to know beyond the numbers; empty when all is well. */
function remarksOf(pool: PoolReport, backend: BackendReport, nowMs: number): string[] {
  // A report of an older balancer has none of these.
  const { holds = [], backup = false, share = 1, weight = 1, shortage = null }: Partial<
    BackendReport
  > = backend;
  const explained = holds.some(({ reason }) => reason === backend.reason);
  // What nobody probes is never known to be up.
  const isUnprobed = pool.healthProbe === "none" && backend.state === "unknown";
  const concerns = !backend.usable || (backend.state !== "up" && !isUnprobed);
  const goesByLoad = pool.strategyInUse === "least_load";
  const { agent } = backend;
  // An agent's percentage is part of the weight, which the load says already where one goes by it.
  const weighs = weight !== 1 && !(goesByLoad && agent !== null);
  const { administration = null, configuredWeight = null }: Partial<BackendReport> = backend;
  return [
    ...describeOrders(administration, backend, configuredWeight, nowMs),
    ...(concerns && !explained && backend.reason !== `${backend.admin} by order`
      ? [backend.reason]
      : []),
    ...holds.map((hold) => describeHold(hold, backend.usable, nowMs)),
    ...(shortage === null ? [] : [`used, for no other has enough: ${shortage}`]),
    ...(backup ? ["backup: takes the sessions that no other server can take"] : []),
    ...(weighs && share === 1 && backend.usable && !isWeightOrdered(administration)
      ? [`weight ${toThousandths(weight)}`]
      : []),
    ...(share < 1 && backend.usable ? [`slow start: ${describePercent(share)} of its share`] : []),
    ...(agent === null || (goesByLoad && ORDINARY_WORDS.test(agent)) ? [] : [`agent: ${agent}`]),
    ...(backend.loadFailure === null ? [] : [`load: ${backend.loadFailure}`]),
    ...(goesByLoad && backend.usable && backend.free === null
      ? ["comes last while its load is not known"]
      : []),
  ];
}

function describeHold({ reason, since, until }: HoldReport, usable: boolean, nowMs: number) {
  const held = `${usable ? "used, though " : ""}held back for ${ageOf(since, nowMs)}`;
  const left = until === null ? 0 : Date.parse(until) - nowMs;
  return `${held}${left > 0 ? `, ${describeDuration(left)} to go` : ""}: ${reason}`;
}
