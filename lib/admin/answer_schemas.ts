// What answers to admin requests look like in JSON, for the OpenAPI document. Each property of a report is here, or
// the program does not compile.

import type { PickReport, SeenReport } from "../core/pick/pick_report.ts";
import type { JsonSchema } from "../schema/values.ts";
import type {
  AdministrationReport,
  BackendReport,
  DenialReport,
  DiscoveryReport,
  FeedReport,
  FeedSourceReport,
  FrontendReport,
  HoldReport,
  PoolReport,
  QueueReport,
  RemovedReport,
  SaidReport,
  ScaleReport,
  StatusReport,
} from "./report.ts";
import type { ReloadReport } from "./orders.ts";
import type { SessionReport, SessionsReport } from "./session_report.ts";
import type { DecisionReport, WhyReport } from "./why_report.ts";

const text: JsonSchema = { type: "string" };
const number: JsonSchema = { type: "number" };
const count: JsonSchema = { type: "integer", minimum: 0 };
const flag: JsonSchema = { type: "boolean" };
const time: JsonSchema = { type: "string", format: "date-time" };

const words = (...all: readonly string[]): JsonSchema => ({ type: "string", enum: all });
const list = (items: JsonSchema): JsonSchema => ({ type: "array", items });
const orNull = (schema: JsonSchema): JsonSchema => ({ anyOf: [schema, { type: "null" }] });

/** Schemas by name, for references to them. */
export const SCHEMAS: Record<string, JsonSchema> = {};

/** A reference to a schema. */
function named(name: string, schema: JsonSchema): JsonSchema {
  SCHEMAS[name] = schema;
  return { $ref: `#/components/schemas/${name}` };
}

type Optional<T> = { [K in keyof T]-?: undefined extends T[K] ? K : never }[keyof T];

/** An object with all these properties, but for those that may be absent. */
function object<T extends object>(
  properties: { readonly [K in keyof T]-?: JsonSchema },
  ...optional: readonly Optional<T>[]
): JsonSchema {
  const absent: readonly PropertyKey[] = optional;
  const required = Object.keys(properties).filter((name) => !absent.includes(name));
  return { type: "object", properties, required };
}

const said = { by: text, at: time, reason: orNull(text) } as const satisfies Record<
  keyof SaidReport,
  JsonSchema
>;

const administration = object<AdministrationReport>({
  state: orNull(object<NonNullable<AdministrationReport["state"]>>({
    ...said,
    value: words("enabled", "draining", "disabled"),
    deadline: orNull(time),
    overrules: orNull(text),
  })),
  weight: orNull(object<NonNullable<AdministrationReport["weight"]>>({ ...said, value: number })),
  added: orNull(object<NonNullable<AdministrationReport["added"]>>({
    ...said,
    cores: orNull(number),
    weight: orNull(number),
    maxConnections: orNull(count),
  })),
});

const hold = object<HoldReport>({
  cause: text,
  reason: text,
  since: time,
  until: orNull(time),
});

const denial = named(
  "Denial",
  object<DenialReport>({ ...said, network: text, until: orNull(time) }),
);

export const removedBackend = named(
  "RemovedBackend",
  object<RemovedReport>({ ...said, id: text, active: count }),
);

export const backend = named(
  "Backend",
  object<BackendReport>({
    id: text,
    addresses: list(text),
    state: words("up", "down", "unknown", "leaving"),
    admin: words("enabled", "draining", "disabled"),
    administration: orNull(administration),
    configuredWeight: orNull(number),
    reason: text,
    since: time,
    usable: flag,
    backup: flag,
    load1: orNull(number),
    loadAgeSeconds: orNull(number),
    loadFailure: orNull(text),
    cores: number,
    coresFrom: words("configured", "learnt", "assumed"),
    weight: number,
    share: number,
    holds: list(hold),
    shortage: orNull(text),
    free: orNull(number),
    memoryAvailableBytes: orNull(number),
    memoryTotalBytes: orNull(number),
    cpuPressure: orNull(number),
    memoryPressure: orNull(number),
    loginSessions: orNull(count),
    active: count,
    total: count,
    maxConnections: count,
    connectFailures: count,
    agent: orNull(text),
  }),
);

const discovery = named(
  "Discovery",
  object<DiscoveryReport>({
    source: text,
    name: text,
    backends: orNull(count),
    listedAt: orNull(time),
    failure: orNull(text),
    failingSince: orNull(time),
    emptySince: orNull(time),
    skipped: list(text),
  }),
);

const feed = named(
  "Feed",
  object<FeedReport>({
    uses: words("primary", "secondary"),
    waiting: count,
    received: count,
    used: count,
    discarded: count,
    bad: count,
    starved: count,
    sources: list(object<FeedSourceReport>({
      endpoint: text,
      tier: words("primary", "secondary"),
      connected: flag,
      state: text,
      since: time,
      received: count,
      standing: count,
    })),
  }),
);

const scale = named(
  "Scale",
  object<ScaleReport>({
    backends: count,
    min: count,
    max: count,
    upWhen: orNull(text),
    upSince: orNull(time),
    downWhen: orNull(text),
    downSince: orNull(time),
    running: orNull({ enum: ["up", "down"] }),
    restsUntil: orNull(time),
    last: orNull(object<NonNullable<ScaleReport["last"]>>({
      direction: { enum: ["up", "down"] },
      at: time,
    })),
    failure: orNull(text),
    doneUp: count,
    doneDown: count,
    failed: count,
  }),
);

export const pool = named(
  "Pool",
  object<PoolReport>({
    name: text,
    strategy: text,
    strategyInUse: text,
    loadSource: text,
    healthProbe: text,
    sticky: text,
    panic: orNull(text),
    burstCost: number,
    queue: object<QueueReport>({ waiting: count, waited: count, timedOut: count }),
    feed: orNull(feed),
    backends: list(backend),
    removed: list(removedBackend),
    scale: orNull(scale),
    discovery: list(discovery),
    discoveryHeld: orNull(text),
  }),
);

export const frontend = named(
  "Frontend",
  object<FrontendReport>({
    name: text,
    listen: list(text),
    pool: text,
    locationPools: list(text),
    active: count,
    maxConnections: count,
    denials: list(denial),
  }, "locationPools"),
);

export const status = named(
  "Status",
  object<StatusReport>({
    version: text,
    pid: count,
    state: words("running", "draining"),
    engine: object<StatusReport["engine"]>({ name: text, reason: text }),
    adminHttp: list(text),
    startedAt: time,
    now: time,
    reload: object<StatusReport["reload"]>(
      { count, at: time, changes: text, error: text },
      "at",
      "changes",
      "error",
    ),
    counters: object<StatusReport["counters"]>({
      accepted: count,
      opened: count,
      active: count,
      refused: count,
      connectFailures: count,
      bytesToBackend: count,
      bytesToClient: count,
      eventsDropped: count,
      logLinesDropped: count,
    }),
    frontends: list(frontend),
    pools: list(pool),
    ordersKeptIn: orNull(text),
  }),
);

const seen = object<SeenReport>({
  backend: text,
  outcome: text,
  free: orNull(number),
  score: orNull(number),
  active: count,
  weight: number,
});

const pick = object<PickReport>({
  at: time,
  strategy: text,
  why: text,
  backend: orNull(text),
  failure: orNull(text),
  backends: list(seen),
  omitted: count,
  nearlyEqual: number,
  draw: number,
});

const decision = object<DecisionReport>({
  at: time,
  tunnel: orNull(count),
  frontend: text,
  pool: text,
  client: text,
  backend: orNull(text),
  refused: orNull(text),
  queueMs: number,
  picks: list(pick),
});

export const why = named(
  "Why",
  object<WhyReport>({ version: text, now: time, decisions: list(decision) }),
);

export const session = named(
  "Session",
  object<SessionReport>({
    id: count,
    frontend: text,
    pool: text,
    backend: text,
    client: text,
    outgoing: text,
    since: time,
    idleSeconds: number,
    bytesToBackend: count,
    bytesToClient: count,
  }),
);

export const sessions = object<SessionsReport>({
  version: text,
  now: time,
  sessions: list(session),
});

/** What an order leaves of a backend: nothing of one that was added and is removed. */
export const orderedBackend: JsonSchema = {
  anyOf: [backend, removedBackend, { type: "null" }],
};

/** What an order leaves of a denial: nothing of one that is taken back. */
export const orderedDenial = orNull(denial);

/** What a reload changes, or would change. */
export const reload = object<ReloadReport>({
  file: text,
  changes: text,
  standing: list(object<ReloadReport["standing"][number]>({ text, meetsChange: flag })),
});

export const backends = object<{ backends: unknown; removed: unknown }>({
  backends: list(backend),
  removed: list(removedBackend),
});

/** Of answers that say no. */
export const fault = named("Fault", {
  type: "object",
  properties: {
    error: { type: "string", description: "what is wrong, in one sentence" },
    faults: {
      ...list({
        type: "object",
        properties: { field: text, message: text },
        required: ["field", "message"],
      }),
      description: "the same by fields of the body, where these are wrong",
    },
  },
  required: ["error"],
});

/** An object that holds one list. */
export function listOf(name: string, items: JsonSchema): JsonSchema {
  return { type: "object", properties: { [name]: list(items) }, required: [name] };
}
