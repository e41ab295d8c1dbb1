// The format of a recording: everything that a replay needs to decide again. This file is its description.
//
// JSON lines. `t` is in milliseconds and only goes forward: it begins near the epoch's count and does not
// follow the wall clock when that is set. Lines come nearly in its order, and what happened within one
// millisecond may stand in another order than it happened in. Names of kinds, keys and words stay as they are within a version;
// readers pass over keys that they do not know.
//
//   recording  the first line of a file, and wherever a recording begins anew (the balancer was started
//              again, or lines were lost): all that stood before is void. version, program, at (wall clock)
//   pool       the whole of a pool: after `recording`, and when its backends or its strategy change
//   backend    a backend's state, cores or limit have changed
//   sample     a load sample has come in: load1, taken at `taken` by the same clock as `t`
//   opened     a client has got a backend; with every pick that was made for it (PickReport in
//              admin/why_report.ts, with `t` in place of `at`)
//   refused    a client has got none; `reason` as in the access log
//   closed     a session has ended
//
// A session that stood before its recording began is known by its backend's `active` in `pool` alone, and
// by its `closed`.

import type { PickReport } from "../admin/why_report.ts";
import { STANDINGS } from "../core/standing.ts";
import { failure, type Result, success } from "../core/result.ts";

export const RECORD_VERSION = 1;

/** How every recording begins. */
export const RECORD_BEGINNING = '{"kind":"recording",';

export interface RecordingLine {
  readonly kind: "recording";
  readonly version: number;
  readonly program: string;
  readonly at: string;
  readonly t: number;
}

/** A backend as a strategy knows it. */
export interface BackendState {
  readonly backend: string;
  /** `ready`, or what keeps sessions away: a word of STANDINGS. */
  readonly state: string;
  readonly cores: number;
  /** Its share beside others; absent: 1. */
  readonly weight?: number;
  /** max_connections; 0: no limit. */
  readonly max: number;
}

export interface TableRulesRecord {
  readonly hash_balance: number;
  readonly sticky: number;
  readonly pace: number;
  readonly pace_within: number;
}

export interface PoolLine {
  readonly kind: "pool";
  readonly t: number;
  readonly pool: string;
  /** As configured, in the words of lb.conf. */
  readonly strategy: string;
  readonly fallback: string;
  /** load.interval and load.max_age, milliseconds. */
  readonly interval: number;
  readonly max_age: number;
  /** What holds for every strategy: hash_balance in percent, how long clients stick in seconds (0: not at
   * all), connect.pace's sessions (0: no pace) and its time in milliseconds. Absent: nothing. */
  readonly rules?: TableRulesRecord;
  readonly backends: readonly (BackendState & {
    readonly row: number;
    /** Sessions that stand. */
    readonly active: number;
    /** The last sample, if any. */
    readonly load1?: number;
    readonly taken?: number;
  })[];
}

export interface BackendLine extends BackendState {
  readonly kind: "backend";
  readonly t: number;
  readonly pool: string;
}

export interface SampleLine {
  readonly kind: "sample";
  readonly t: number;
  readonly pool: string;
  readonly backend: string;
  readonly load1: number;
  readonly taken: number;
}

export type PickLine = Omit<PickReport, "at"> & { readonly t: number };

interface ClientLine {
  readonly t: number;
  readonly frontend: string;
  readonly pool: string;
  readonly client: string;
  readonly picks: readonly PickLine[];
}

export interface OpenedLine extends ClientLine {
  readonly kind: "opened";
  readonly tunnel: number;
  readonly backend: string;
}

export interface RefusedLine extends ClientLine {
  readonly kind: "refused";
  readonly reason: string;
}

export interface ClosedLine {
  readonly kind: "closed";
  readonly t: number;
  readonly tunnel: number;
  readonly pool: string;
  readonly backend: string;
  readonly sent: number;
  readonly received: number;
  readonly duration_ms: number;
  readonly reason: string;
}

export type RecordLine =
  | RecordingLine
  | PoolLine
  | BackendLine
  | SampleLine
  | OpenedLine
  | RefusedLine
  | ClosedLine;

/** What a value must be. */
type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string";
const isNumber: Check = (value) => typeof value === "number" && Number.isFinite(value);
const isCount: Check = (value) => isNumber(value) && Number(value) >= 0;
const isPositive: Check = (value) => isNumber(value) && Number(value) > 0;
const isState: Check = (value) => STANDINGS.some((standing) => standing === value);
const orNull = (check: Check): Check => (value) => value === null || check(value);
const orAbsent = (check: Check): Check => (value) => value === undefined || check(value);
const listOf = (shape: Shape): Check => (value) =>
  Array.isArray(value) && value.every((item) => faultIn(item, shape) === undefined);

type Shape = Readonly<Record<string, Check>>;

const RULES: Shape = {
  hash_balance: isCount,
  sticky: isCount,
  pace: isCount,
  pace_within: isCount,
};
const BACKEND: Shape = {
  backend: isText,
  state: isState,
  cores: isPositive,
  weight: orAbsent(isCount),
  max: isCount,
};
const SEEN: Shape = {
  backend: isText,
  outcome: isText,
  free: orNull(isNumber),
  score: orNull(isNumber),
  active: isCount,
};
const PICK: Shape = {
  t: isNumber,
  strategy: isText,
  why: isText,
  backend: orNull(isText),
  failure: orNull(isText),
  backends: listOf(SEEN),
  omitted: isCount,
  nearlyEqual: isNumber,
  draw: isCount,
};
const CLIENT: Shape = { frontend: isText, pool: isText, client: isText, picks: listOf(PICK) };

const KINDS: readonly RecordLine["kind"][] = [
  "recording",
  "pool",
  "backend",
  "sample",
  "opened",
  "refused",
  "closed",
];

const SHAPES: Readonly<Record<RecordLine["kind"], Shape>> = {
  recording: { version: (value) => value === RECORD_VERSION, program: isText, at: isText },
  pool: {
    pool: isText,
    strategy: isText,
    fallback: isText,
    interval: isPositive,
    max_age: isPositive,
    rules: (value) => value === undefined || faultIn(value, RULES) === undefined,
    backends: listOf({
      ...BACKEND,
      row: isCount,
      active: isCount,
      load1: orAbsent(isCount),
      taken: orAbsent(isNumber),
    }),
  },
  backend: { pool: isText, ...BACKEND },
  sample: { pool: isText, backend: isText, load1: isCount, taken: isNumber },
  opened: { ...CLIENT, tunnel: isCount, backend: isText },
  refused: { ...CLIENT, reason: isText },
  closed: { tunnel: isCount, pool: isText, backend: isText, sent: isCount, received: isCount },
};

/** The first key that is not what its shape says; undefined when all are. */
function faultIn(value: unknown, shape: Shape): string | undefined {
  if (typeof value !== "object" || value === null) return "";
  const found: Readonly<Record<string, unknown>> = { ...value };
  return Object.keys(shape).find((key) => shape[key]?.(found[key]) !== true);
}

function isLine(value: object, kind: RecordLine["kind"]): value is RecordLine {
  return faultIn(value, { t: isNumber, ...SHAPES[kind] }) === undefined;
}

/** Reads one line of a recording. */
export function parseRecordLine(text: string): Result<RecordLine> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return failure("Cannot read it as JSON");
  }
  if (typeof value !== "object" || value === null || !("kind" in value)) {
    return failure('Cannot read it as a line of a recording: expected an object with a "kind"');
  }
  const kind = KINDS.find((name) => name === value.kind);
  if (kind === undefined) {
    const found = JSON.stringify(value.kind);
    return failure(`Cannot read a line of kind ${found}: expected ${KINDS.join(", ")}`);
  }
  if (isLine(value, kind)) return success(value);
  const key = faultIn(value, { t: isNumber, ...SHAPES[kind] }) ?? "";
  const found = JSON.stringify(Object.entries(value).find(([name]) => name === key)?.[1]);
  const expected = key === "version" ? `: expected ${RECORD_VERSION}` : "";
  return failure(`Cannot use ${found ?? "nothing"} as "${key}" of "${kind}"${expected}`);
}
