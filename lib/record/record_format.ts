// The format of a recording: everything that a replay needs to decide again. This file is its description.
//
// JSON lines. `t` is in milliseconds and only goes forward: it begins near the epoch's count and does not
// follow the wall clock when that is set. Lines come nearly in its order, and what happened within one
// millisecond may stand in another order than it happened in. Names of kinds, keys and words stay as they
// are within a version; readers pass over keys that they do not know, and those marked with "?" may be
// missing: then what is said of them holds.
//
//   recording  the first line of a file, and wherever a recording begins anew (the balancer was started
//              again, or lines were lost): all that stood before is void. version, program, at (wall clock)
//   pool       the whole of a pool: after `recording`, and when its backends or its configuration change;
//              the backends in the order of the configuration
//   backend    a backend's state, cores, weight or limit have changed
//   sample     a load sample has come in: load1, taken at `taken` by the same clock as `t`
//   opened     a client has got a backend; with every pick that was made for it (PickReport in
//              core/pick/pick_report.ts, with `t` in place of `at`)
//   refused    a client has got none; `reason` as in the access log
//   closed     a session has ended
//
// A session that stood before its recording began is known by its backend's `active` in `pool` alone, and
// by its `closed`. What clients were where before is known by `sticky` in `opened`.

import type { PickReport } from "../core/pick/pick_report.ts";
import { BACKUP, BACKUP_LAST, DEFAULT_CAPACITY as ROWS } from "../core/pick/pick_table.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { shownJson } from "../core/values/shown_json.ts";

export const RECORD_VERSION = 1;

/** How every recording begins. */
export const RECORD_BEGINNING = '{"kind":"recording",';

/** The state of a backend that gets sessions. */
export const READY = "ready";

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
  /** `ready`, or what keeps sessions away: a word of STANDINGS in the version that recorded. */
  readonly state: string;
  /** Whether sessions may be sent there, where `state` does not say it (in a panic); absent: if ready. */
  readonly usable?: boolean;
  /** 2 or 3: gets the sessions that no other can take, those with 3 after those with 2; absent: none. */
  readonly backup?: number;
  readonly cores: number;
  /** Its share beside others; absent: 1. */
  readonly weight?: number;
  /** The same for strategies that go by the load; absent: as `weight`. */
  readonly load_weight?: number;
  /** The most sessions, as its agent or lb.conf says; 0: no limit. */
  readonly max: number;
  /** Whether its last sample counts for nothing although it is not too old; absent: false. */
  readonly doubted?: boolean;
}

/** Whether sessions may be sent to a backend. */
export function isUsable({ state, usable }: BackendState): boolean {
  return usable ?? state === READY;
}

/** One reading of a backend's load. */
export interface RecordedSample {
  readonly load1: number;
  readonly taken: number;
  /** Whether load1 is a mean over seconds and no load average; absent: false. */
  readonly instant?: boolean;
  /** The CPU pressure (0 to 1) by which the load is corrected; absent: it is not. */
  readonly cpu_pressure?: number;
  /** Cores that a session takes there, as the source says; absent: what is learnt. */
  readonly session_cost?: number;
  /** MemAvailable / MemTotal; absent: not told. */
  readonly memory?: number;
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
  /** Percent, 0: off; absent: 125, the default of lb.conf. */
  readonly hash_balance?: number;
  /** sticky.ttl in milliseconds, 0: clients do not stick; absent: 0. */
  readonly sticky?: number;
  /** `sessions` 0: off; `within` in milliseconds; absent: 8 within 10 s, the default of lb.conf. */
  readonly pace?: { readonly sessions: number; readonly within: number };
  /** memory.weight; absent: 0. */
  readonly memory_weight?: number;
  readonly backends: readonly (BackendState & Partial<RecordedSample> & {
    readonly row: number;
    /** Sessions that stand. */
    readonly active: number;
  })[];
}

export interface BackendLine extends BackendState {
  readonly kind: "backend";
  readonly t: number;
  readonly pool: string;
}

export interface SampleLine extends RecordedSample {
  readonly kind: "sample";
  readonly t: number;
  readonly pool: string;
  readonly backend: string;
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
  /** Whether it was sent back to where it had been; absent: false. */
  readonly sticky?: boolean;
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
  /** Absent: not known, where the session stood before the recording. */
  readonly client?: string;
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
/** A row of a pool's table. */
const isRow: Check = (value) => Number.isInteger(value) && isCount(value) && Number(value) < ROWS;
const isFlag: Check = (value) => typeof value === "boolean";
/** Another version may have other words for what keeps sessions away. */
const isState: Check = (value) => typeof value === "string" && /^[a-z_]+$/.test(value);
const orNull = (check: Check): Check => (value) => value === null || check(value);
const orAbsent = (check: Check): Check => (value) => value === undefined || check(value);
const listOf = (shape: Shape): Check => (value) =>
  Array.isArray(value) && value.every(shaped(shape));

const shaped = (shape: Shape): Check => (value) => faultIn(value, shape) === undefined;

type Shape = Readonly<Record<string, Check>>;

const BACKEND: Shape = {
  backend: isText,
  state: isState,
  cores: isPositive,
  usable: orAbsent(isFlag),
  backup: orAbsent((value) => value === BACKUP || value === BACKUP_LAST),
  weight: orAbsent(isCount),
  load_weight: orAbsent(isCount),
  max: isCount,
  doubted: orAbsent(isFlag),
};
const MORE_OF_SAMPLE: Shape = {
  instant: orAbsent(isFlag),
  cpu_pressure: orAbsent(isCount),
  session_cost: orAbsent(isCount),
  memory: orAbsent(isCount),
};
const areMembers = listOf({
  ...BACKEND,
  ...MORE_OF_SAMPLE,
  row: isRow,
  active: isCount,
  load1: orAbsent(isCount),
  taken: orAbsent(isNumber),
});
const haveOwnRows: Check = (value) =>
  Array.isArray(value) && new Set(value.map(({ row }) => row)).size === value.length;
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
    hash_balance: orAbsent(isCount),
    sticky: orAbsent(isCount),
    pace: orAbsent(shaped({ sessions: isCount, within: isPositive })),
    memory_weight: orAbsent(isCount),
    backends: (value) => areMembers(value) && haveOwnRows(value),
  },
  backend: { pool: isText, ...BACKEND },
  sample: { pool: isText, backend: isText, load1: isCount, taken: isNumber, ...MORE_OF_SAMPLE },
  opened: { ...CLIENT, tunnel: isCount, backend: isText, sticky: orAbsent(isFlag) },
  refused: { ...CLIENT, reason: isText },
  closed: {
    tunnel: isCount,
    pool: isText,
    client: orAbsent(isText),
    backend: isText,
    sent: isCount,
    received: isCount,
  },
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
    const found = shownJson(value.kind);
    return failure(`Cannot read a line of kind ${found}: expected ${KINDS.join(", ")}`);
  }
  if (isLine(value, kind)) return success(value);
  const key = faultIn(value, { t: isNumber, ...SHAPES[kind] }) ?? "";
  const found = shownJson(Object.entries(value).find(([name]) => name === key)?.[1]);
  const expected = key === "version" ? `: expected ${RECORD_VERSION}` : "";
  return failure(`Cannot use ${found} as "${key}" of "${kind}"${expected}`);
}
