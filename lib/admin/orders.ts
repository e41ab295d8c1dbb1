// What can be changed in a running balancer by request: the bodies of such requests, who asks, and what comes
// of it. The balancer itself carries the orders out.

import { failure, type Result, success } from "../core/values/result.ts";
import { key, section, type ValueOf } from "../schema/declarations.ts";
import { quote } from "../schema/quote.ts";
import { cores, weight } from "../schema/balancer_values.ts";
import {
  duration,
  integer,
  jsonOf,
  line,
  LONGEST,
  moment,
  oneOf,
  SECOND,
  type Value,
} from "../schema/values.ts";
import type { SessionReport } from "./session_report.ts";
import type { BackendReport, DenialReport, RemovedReport } from "./report.ts";

/** The word, and the `null` of JSON, that takes an order away. */
export const DEFAULT = "default";

/** What can be ordered of a backend's state. */
const STATE_WORDS = ["enabled", "draining", "disabled", DEFAULT] as const;

/** A point in time as it is given: so long from now on, or then. */
export type When = { readonly afterMs: number } | { readonly atMs: number };

/** Another value, or `default`, which is null. */
function orDefault<T>(inner: Value<T>): Value<T | null> {
  return {
    ...inner,
    read: (text) => {
      if (text === DEFAULT) return success(null);
      const read = inner.read(text);
      return read.ok ? read : failure(`${read.message}, or ${DEFAULT}`);
    },
    write: (value) => value === null ? DEFAULT : inner.write(value),
    accepts: `${inner.accepts} | ${DEFAULT}`,
    json: { anyOf: [jsonOf(inner), { enum: [DEFAULT, null] }] },
  };
}

/** How long a drain or a denial may last. */
export const lasting = duration(SECOND, LONGEST);

/** Why something is ordered. */
export const reasonText = line("a reason", 200);

/** Most sessions of a backend at a time. */
export const sessionLimit = integer(0, 1_000_000);

/** A length of time from now on, or a moment. */
const when: Value<When> = {
  read: (text): Result<When> => {
    const at = moment.read(text);
    if (at.ok) return success({ atMs: at.value });
    const after = lasting.read(text);
    if (after.ok) return success({ afterMs: after.value });
    const found = `Cannot read ${quote(text)} as a time`;
    return failure(
      `${found}: expected ${lasting.accepts}, such as "8h", or "2026-01-31T18:00:00Z"`,
    );
  },
  write: (when) => "atMs" in when ? moment.write(when.atMs) : lasting.write(when.afterMs),
  what: "a duration or a time",
  accepts: `${lasting.accepts} | ISO 8601 in UTC`,
  json: { anyOf: [jsonOf(lasting), jsonOf(moment)] },
  unit: "",
};

const reason = key(reasonText, { doc: "why, for whoever asks later" });

/** PATCH of a backend: a field that is not there changes nothing. */
export const backendPatch = section({ doc: "what is ordered of a backend" }, {
  state: key(oneOf(STATE_WORDS, "a state"), {
    doc:
      "draining: no new sessions; disabled: no probes either; enabled: both again, whatever its " +
      "agent says now, and a removal is taken back; default: takes the order away",
  }),
  deadline: key(orDefault(when), {
    doc: "of a drain: when sessions that are left are ended; default: never",
  }),
  weight: key(orDefault(weight), {
    doc: "its share beside others; default: the configured one",
  }),
  reason,
});

/** PUT of a backend: adds it to the pool. */
export const backendAddition = section({ doc: "a backend that is added to the pool" }, {
  cores: key(cores, { doc: "CPU cores; learnt where the load source tells them" }),
  weight: key(weight, { doc: "its share beside others" }),
  max_connections: key(sessionLimit, { doc: "most sessions at a time; 0 = no limit" }),
  reason,
});

/** PUT of a denied network. */
export const denialBody = section({ doc: "a network that a frontend turns away" }, {
  until: key(orDefault(when), { doc: "when it ends by itself; default: never" }),
  reason,
});

export type BackendPatch = ValueOf<typeof backendPatch>;
export type BackendAddition = ValueOf<typeof backendAddition>;
export type DenialBody = ValueOf<typeof denialBody>;

/** Who orders something, and under which condition. */
export interface Caller {
  readonly by: string;
  /** Tags of what the resource must still be (RFC 9110, section 13.1.1); "*": anything that is there. */
  readonly ifMatch?: readonly string[] | "*";
}

/** Why an order was not carried out; nothing has changed. */
export interface Refusal {
  readonly ok: false;
  /**
   * 404: there is no such thing; 409: it contradicts what is; 412: it is another by now; 422: the
   * configuration has faults; 503: not kept.
   */
  readonly status: 400 | 404 | 409 | 412 | 422 | 503;
  readonly error: string;
  /** The field that is at fault. */
  readonly field?: string;
}

/** What came of an order. */
export type Ordered<T> =
  | {
    readonly ok: true;
    readonly value: T;
    /** Changes when what can be ordered of it, or its configuration, does; absent: it has none. */
    readonly tag?: string;
  }
  | Refusal;

/** What is known of a backend that was asked for by name; null in an answer: nothing any more. */
export type BackendAnswer = BackendReport | RemovedReport;

/** What a reload came to, or would come to. */
export interface ReloadReport {
  /** The file that was read. */
  readonly file: string;
  /** In the words of lb.conf. */
  readonly changes: string;
  /** Orders of administrators that stand, each as a sentence. */
  readonly standing: readonly {
    readonly text: string;
    /** Whether a change of the configuration is against it. */
    readonly meetsChange: boolean;
  }[];
}

/** What can be done about the configuration that the balancer reads. */
export interface Reloads {
  /** Reads it again and takes it in, as a HUP does. */
  reload(caller: Caller): Promise<Ordered<ReloadReport>>;
  /** Reads it again and says what it would change. */
  preview(): Promise<Ordered<ReloadReport>>;
}

const NOT_RELOADED: Refusal = {
  ok: false,
  status: 409,
  error: "Nothing to reload: the configuration came from flags alone",
};

/** There is no file. */
export const NO_RELOADS: Reloads = {
  reload: () => Promise.resolve(NOT_RELOADED),
  preview: () => Promise.resolve(NOT_RELOADED),
};

/** Tells whether a value that came over the socket is a report that this version can show. */
export function isReloadReport(value: unknown): value is ReloadReport {
  return typeof value === "object" && value !== null && "changes" in value &&
    typeof value.changes === "string" && "standing" in value && Array.isArray(value.standing);
}

/** What the balancer can be ordered to do; every order is kept before it is acknowledged. */
export interface Orders {
  backend(pool: string, backend: string): Ordered<BackendAnswer>;
  patchBackend(
    pool: string,
    backend: string,
    patch: BackendPatch,
    caller: Caller,
  ): Promise<Ordered<BackendAnswer | null>>;
  addBackend(
    pool: string,
    backend: string,
    addition: BackendAddition,
    caller: Caller,
  ): Promise<Ordered<BackendAnswer | null>>;
  removeBackend(
    pool: string,
    backend: string,
    reason: string | undefined,
    caller: Caller,
  ): Promise<Ordered<BackendAnswer | null>>;
  /** Has a frontend turn a network away, or no more: for clients that come from then on. */
  deny(
    frontend: string,
    network: string,
    denial: DenialBody,
    caller: Caller,
  ): Promise<Ordered<DenialReport | null>>;
  undeny(
    frontend: string,
    network: string,
    caller: Caller,
  ): Promise<Ordered<DenialReport | null>>;
  /** A tag of a frontend, as those of backends; undefined: there is none. */
  frontendTag(frontend: string): string | undefined;
  /** Ends a session. @returns what it was. */
  kill(id: number, reason: string | undefined, caller: Caller): Ordered<SessionReport>;
}
