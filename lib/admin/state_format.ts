// What stands in the state file: the orders of administrators, in JSON. Pure.

import type { Administration, Denial } from "../core/administration/administration.ts";
import type { Override, Said } from "../core/administration/override.ts";
import { parseBackendAddress } from "../core/values/address.ts";
import { formatNetwork, parseNetwork } from "../core/values/network.ts";
import { failure, success } from "../core/values/result.ts";
import { item, key, list, optional, section, type ValueOf } from "../schema/declarations.ts";
import { type JsonReading, readJson } from "../schema/json.ts";
import { quote } from "../schema/quote.ts";
import { cores, weight } from "../schema/balancer_values.ts";
import { entityName, integer, line, moment, oneOf, text } from "../schema/values.ts";

/** What says that a file is ours. */
const FORMAT = "compute-lb state";
/** Grows when what older programs would misread comes in. */
const VERSION = 1;

const NO_DOC = { doc: "" };
/** Without its unit: here names are as they stand in the file. */
const time = { ...moment, unit: "" } as const;

const said = {
  by: item(line("a name", 64)),
  at: item(time),
  reason: key(line("a reason", 200), NO_DOC),
};

const format = text(
  "a format",
  FORMAT,
  (text) =>
    text === FORMAT
      ? success(text)
      : failure(`Cannot read ${quote(text)} as a format: expected "${FORMAT}"`),
);

const version = {
  ...integer(1, VERSION),
  read: (text: string) => {
    const known = integer(1, VERSION).read(text);
    return known.ok ? known : failure(
      `Cannot read version ${quote(text)}: expected ${VERSION}; a later compute-lb has written it`,
    );
  },
};

const backendId = text("a backend", "host:port", (text) => {
  const address = parseBackendAddress(text);
  return address.ok ? success(text) : failure(address.message);
});

const network = text("a network", "network or address", (text) => {
  const parsed = parseNetwork(text);
  return parsed.ok ? success(formatNetwork(parsed.value)) : failure(parsed.message);
});

const backendOrders = section(NO_DOC, {
  pool: item(entityName),
  backend: item(backendId),
  state: optional(section(NO_DOC, {
    state: item(oneOf(["enabled", "draining", "disabled"], "a state")),
    deadline: key(time, NO_DOC),
    overrules: key(text("a sentence", "text", success), NO_DOC),
    ...said,
  })),
  weight: optional(section(NO_DOC, { weight: item(weight), ...said })),
  added: optional(section(NO_DOC, {
    cores: key(cores, NO_DOC),
    weight: key(weight, NO_DOC),
    max_connections: key(integer(0, 1_000_000), NO_DOC),
    ...said,
  })),
  removed: optional(section(NO_DOC, said)),
});

const denial = section(NO_DOC, {
  frontend: item(entityName),
  network: item(network),
  until: key(time, NO_DOC),
  ...said,
});

const file = section(NO_DOC, {
  format: item(format),
  version: item(version),
  backends: list(NO_DOC, backendOrders),
  denials: list(NO_DOC, denial),
});

type SaidInFile = ValueOf<typeof backendOrders>["removed"] & object;

/** Writes all orders; {@linkcode readState} reads the same again. */
export function writeState({ backends, denials }: Administration): string {
  const whole = {
    format: FORMAT,
    version: VERSION,
    backends: [...backends].flatMap(([pool, overrides]) =>
      [...overrides].map(([backend, { state, weight, added, removed }]) => ({
        pool,
        backend,
        ...(state === undefined ? {} : {
          state: {
            state: state.state,
            ...(state.deadlineMs === undefined ? {} : { deadline: state.deadlineMs }),
            ...(state.overrules === undefined ? {} : { overrules: state.overrules }),
            ...inFile(state),
          },
        }),
        ...(weight === undefined ? {} : { weight: { weight: weight.weight, ...inFile(weight) } }),
        ...(added === undefined ? {} : { added: { ...added, ...inFile(added) } }),
        ...(removed === undefined ? {} : { removed: inFile(removed) }),
      }))
    ),
    denials: [...denials].flatMap(([frontend, networks]) =>
      [...networks].map(([network, denial]) => ({
        frontend,
        network,
        ...(denial.untilMs === undefined ? {} : { until: denial.untilMs }),
        ...inFile(denial),
      }))
    ),
  };
  return `${JSON.stringify(file.write(whole), undefined, 2)}\n`;
}

/** Reads what {@linkcode writeState} has written; the faults say what is damaged. */
export function readState(text: string): JsonReading<Administration> {
  const read = readJson(file, text);
  if (!read.ok) return read;
  const backends = new Map<string, Map<string, Override>>();
  for (const { pool, backend, state, weight, added, removed } of read.value.backends) {
    const override: Override = {
      ...(state === undefined ? {} : {
        state: {
          state: state.state,
          ...(state.deadline === undefined ? {} : { deadlineMs: state.deadline }),
          ...(state.overrules === undefined ? {} : { overrules: state.overrules }),
          ...fromFile(state),
        },
      }),
      ...(weight === undefined ? {} : { weight: { weight: weight.weight, ...fromFile(weight) } }),
      ...(added === undefined ? {} : {
        added: {
          ...(added.cores === undefined ? {} : { cores: added.cores }),
          ...(added.weight === undefined ? {} : { weight: added.weight }),
          ...(added.maxConnections === undefined ? {} : { maxConnections: added.maxConnections }),
          ...fromFile(added),
        },
      }),
      ...(removed === undefined ? {} : { removed: fromFile(removed) }),
    };
    if (Object.keys(override).length > 0) put(backends, pool, backend, override);
  }
  const denials = new Map<string, Map<string, Denial>>();
  for (const { frontend, network, until, ...rest } of read.value.denials) {
    const denial = { ...(until === undefined ? {} : { untilMs: until }), ...fromFile(rest) };
    put(denials, frontend, network, denial);
  }
  return { ok: true, value: { backends, denials } };
}

function put<T>(maps: Map<string, Map<string, T>>, outer: string, inner: string, value: T): void {
  const one = maps.get(outer) ?? new Map<string, T>();
  maps.set(outer, one);
  one.set(inner, value);
}

function inFile({ by, atMs, reason }: Said): SaidInFile {
  return { by, at: atMs, ...(reason === undefined ? {} : { reason }) };
}

function fromFile({ by, at, reason }: SaidInFile): Said {
  return { by, atMs: at, ...(reason === undefined ? {} : { reason }) };
}
