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

/** What a value must be. */
type Check<T = unknown> = (value: unknown) => value is T;
type Checks = Readonly<Record<string, Check>>;

/** What an object must have, and what it may have. */
interface Shape<Needs extends Checks = Checks, May extends Checks = Checks> {
  readonly needs: Needs;
  readonly may: May;
}

type Checked<C> = C extends Check<infer T> ? T : never;
type Shaped<S extends Shape> =
  & { readonly [K in keyof S["needs"]]: Checked<S["needs"][K]> }
  & { readonly [K in keyof S["may"]]?: Checked<S["may"][K]> };

/** Makes a check of a test that tells the type, or more. */
const checking = <T>(test: (value: unknown) => boolean): Check<T> => (value): value is T =>
  test(value);

const isText = checking<string>((value) => typeof value === "string");
const isNumber = checking<number>((value) => Number.isFinite(value));
const isCount = checking<number>((value) => isNumber(value) && value >= 0);
const isPositive = checking<number>((value) => isNumber(value) && value > 0);
/** A row of a pool's table. */
const isRow = checking<number>((value) =>
  isCount(value) && Number.isInteger(value) && value < ROWS
);
const isFlag = checking<boolean>((value) => typeof value === "boolean");
/** Another version may have other words for what keeps sessions away. */
const isState = checking<string>((value) => isText(value) && /^[a-z_]+$/.test(value));
const isBackup = checking<number>((value) => value === BACKUP || value === BACKUP_LAST);
const isVersion = checking<number>((value) => value === RECORD_VERSION);

function orNull<T>(check: Check<T>): Check<T | null> {
  return checking((value) => value === null || check(value));
}

function object<S extends Shape>(shape: S): Check<Shaped<S>> {
  return checking((value) => faultIn(value, shape) === undefined);
}

function listOf<S extends Shape>(shape: S): Check<readonly Shaped<S>[]> {
  return checking((value) => Array.isArray(value) && value.every(object(shape)));
}

/** A backend as a strategy knows it. */
const BACKEND = {
  needs: {
    backend: isText,
    /** `ready`, or what keeps sessions away: a word of STANDINGS in the version that recorded. */
    state: isState,
    cores: isPositive,
    /** The most sessions, as its agent or lb.conf says; 0: no limit. */
    max: isCount,
  },
  may: {
    /** Whether sessions may be sent there, where `state` does not say it (in a panic); absent: if ready. */
    usable: isFlag,
    /** 2 or 3: gets the sessions that no other can take, those with 3 after those with 2; absent: none. */
    backup: isBackup,
    /** Its share beside others; absent: 1. */
    weight: isCount,
    /** The same for strategies that go by the load; absent: as `weight`. */
    load_weight: isCount,
    /** Whether its last sample counts for nothing although it is not too old; absent: false. */
    doubted: isFlag,
  },
};
export type BackendState = Shaped<typeof BACKEND>;

/** Whether sessions may be sent to a backend. */
export function isUsable({ state, usable }: BackendState): boolean {
  return usable ?? state === READY;
}

/** One reading of a backend's load. */
const SAMPLE = {
  needs: { load1: isCount, taken: isNumber },
  may: {
    /** Whether load1 is a mean over seconds and no load average; absent: false. */
    instant: isFlag,
    /** The CPU pressure (0 to 1) by which the load is corrected; absent: it is not. */
    cpu_pressure: isCount,
    /** Cores that a session takes there, as the source says; absent: what is learnt. */
    session_cost: isCount,
    /** MemAvailable / MemTotal; absent: not told. */
    memory: isCount,
  },
};
export type RecordedSample = Shaped<typeof SAMPLE>;

const MEMBER = {
  needs: {
    ...BACKEND.needs,
    row: isRow,
    /** Sessions that stand. */
    active: isCount,
  },
  may: { ...BACKEND.may, ...SAMPLE.needs, ...SAMPLE.may },
};
const areMembers = checking<readonly Shaped<typeof MEMBER>[]>((value) =>
  listOf(MEMBER)(value) && new Set(value.map(({ row }) => row)).size === value.length
);

export type PickLine = Omit<PickReport, "at"> & { readonly t: number };

const SEEN = {
  needs: {
    backend: isText,
    outcome: isText,
    free: orNull(isNumber),
    score: orNull(isNumber),
    active: isCount,
  },
  may: {},
};
const PICK = {
  needs: {
    t: isNumber,
    strategy: isText,
    why: isText,
    backend: orNull(isText),
    failure: orNull(isText),
    backends: listOf(SEEN),
    omitted: isCount,
    nearlyEqual: isNumber,
    draw: isCount,
  },
  may: {},
};
/** Another version may have other words. */
const arePicks = checking<readonly PickLine[]>(listOf(PICK));
const CLIENT = { frontend: isText, pool: isText, client: isText, picks: arePicks };

/** What lines have besides their kind and `t`. */
const SHAPES = {
  recording: { needs: { version: isVersion, program: isText, at: isText }, may: {} },
  pool: {
    needs: {
      pool: isText,
      /** As configured, in the words of lb.conf. */
      strategy: isText,
      fallback: isText,
      /** load.interval and load.max_age, milliseconds. */
      interval: isPositive,
      max_age: isPositive,
      backends: areMembers,
    },
    may: {
      /** Percent, 0: off; absent: 125, the default of lb.conf. */
      hash_balance: isCount,
      /** sticky.ttl in milliseconds, 0: clients do not stick; absent: 0. */
      sticky: isCount,
      /** `sessions` 0: off; `within` in milliseconds; absent: 8 within 10 s. */
      pace: object({ needs: { sessions: isCount, within: isPositive }, may: {} }),
      /** queue.timeout in milliseconds, 0: nobody waits for a place; absent: 0. */
      queue: isCount,
      /** memory.weight; absent: 0. */
      memory_weight: isCount,
    },
  },
  backend: { needs: { pool: isText, ...BACKEND.needs }, may: BACKEND.may },
  sample: { needs: { pool: isText, backend: isText, ...SAMPLE.needs }, may: SAMPLE.may },
  opened: {
    needs: { ...CLIENT, tunnel: isCount, backend: isText },
    /** Whether it was sent back to where it had been; absent: false. */
    may: { sticky: isFlag },
  },
  refused: { needs: { ...CLIENT, reason: isText }, may: {} },
  closed: {
    needs: { tunnel: isCount, pool: isText, backend: isText, sent: isCount, received: isCount },
    may: {
      /** Absent: not known, where the session stood before the recording. */
      client: isText,
      duration_ms: isNumber,
      reason: isText,
    },
  },
};

type Kind = keyof typeof SHAPES;
type LineOf<K extends Kind> =
  & { readonly kind: K; readonly t: number }
  & Shaped<typeof SHAPES[K]>;
export type PoolLine = LineOf<"pool">;
export type BackendLine = LineOf<"backend">;
export type SampleLine = LineOf<"sample">;
export type OpenedLine = LineOf<"opened">;
export type RecordLine = { [K in Kind]: LineOf<K> }[Kind];

/** The first key that is not what its shape says; undefined when all are. */
function faultIn(value: unknown, { needs, may }: Shape): string | undefined {
  if (typeof value !== "object" || value === null) return "";
  const found: Readonly<Record<string, unknown>> = { ...value };
  return Object.keys(needs).find((key) => needs[key]?.(found[key]) !== true) ??
    Object.keys(may).find((key) => found[key] !== undefined && may[key]?.(found[key]) !== true);
}

function faultInLine(value: object, kind: Kind): string | undefined {
  const { needs, may }: Shape = SHAPES[kind];
  return faultIn(value, { needs: { t: isNumber, ...needs }, may });
}

function isLine(value: object, kind: Kind): value is RecordLine {
  return faultInLine(value, kind) === undefined;
}

const KINDS: readonly Kind[] = [
  "recording",
  "pool",
  "backend",
  "sample",
  "opened",
  "refused",
  "closed",
];

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
  const key = faultInLine(value, kind) ?? "";
  const found = shownJson(Object.entries(value).find(([name]) => name === key)?.[1]);
  const expected = key === "version" ? `: expected ${RECORD_VERSION}` : "";
  return failure(`Cannot use ${found} as "${key}" of "${kind}"${expected}`);
}
