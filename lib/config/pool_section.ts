// A pool: its backends, and how sessions are placed on them.

import { formatAddress, sameAddress } from "../core/values/address.ts";
import { MOST_QUEUED } from "../core/dial/pool_queue.ts";
import { parseBackendSpec } from "../core/pool/backend.ts";
import { failure, success } from "../core/values/result.ts";
import { discoverySource } from "../discovery/registry.ts";
import { HEALTH_PROBES } from "../health/registry.ts";
import { commandLine } from "../schema/command_line.ts";
import { key, list, rewritten, section, textOr, type ValueOf } from "../schema/declarations.ts";
import { quote } from "../schema/quote.ts";
import { cores, partialAddress, weight } from "../schema/balancer_values.ts";
import {
  DAY,
  duration,
  HOUR,
  integer,
  interval,
  line,
  offOr,
  oneOf,
  quoted,
  SECOND,
  timeout,
  type Value,
} from "../schema/values.ts";
import { FALLBACK_NAMES, STRATEGY_NAMES } from "../strategy/registry.ts";
import { ON_EMPTY, SEND_PROXY, STICKY_BY } from "./names.ts";
import { feed, withoutLoad } from "./feed_section.ts";
import { load, loadOverride, memory, pressure } from "./load_sections.ts";
import { scale } from "./scale_section.ts";
import { blackHoles, outliers, panic, slowStart } from "./resilience_sections.ts";

const sticky = section({
  short: "by",
  doc: "whether a client that comes back goes where it was",
}, {
  by: key({ ...oneOf(STICKY_BY, "what clients stick by"), what: "off or source" }, {
    default: "off",
    doc: "with source, a client is known by its IPv4 address, or the /64 of IPv6",
  }),
  ttl: key(duration(SECOND, 366 * DAY), {
    default: "12h",
    doc: "for how long, from the end of its last session on",
  }),
});

const pace = section({
  doc: "spreads many logins at once, so that a class does not run into sshd's MaxStartups",
}, {
  sessions: key(offOr(integer(1, 10_000)), {
    default: "6",
    doc: "how many young sessions a backend has before others go first",
  }),
  within: key(duration(SECOND, HOUR), {
    default: "1.25s",
    doc: "how long a session is young, unless it ends before: as long as a login takes",
  }),
});

const queue = section({
  doc: "where a client waits while every backend that should take it is full",
}, {
  timeout: key(offOr(duration(0, HOUR)), {
    default: "3s",
    doc: "for how long; then it is refused, or goes to another than pace would have",
  }),
  max: key(integer(1, MOST_QUEUED), {
    default: "1000",
    doc: "how many wait at a time",
  }),
});

const drain = section({
  short: "notify",
  doc: "what happens when an administrator drains a backend that has sessions",
}, {
  notify: commandLine({
    unset: "nobody is told",
    example: '["/usr/local/sbin/warn-people"]',
    doc:
      "run, without a shell, when a drain begins and 10m and 1m before its deadline; what it is " +
      'told stands in its environment and on its stdin ("compute-lb help administration")',
  }),
});

const connect = section({ doc: "how a backend is called" }, {
  timeout: key(timeout, { default: "3s", doc: "the time for one attempt" }),
  retries: key(integer(0, 31), {
    default: "3",
    doc: "how many other backends are tried after the first",
  }),
});

const MOST_SESSIONS = integer(0, 1_000_000);

/** A backend as a mapping. */
export const backendSection = section({ doc: "" }, {
  address: key(partialAddress, {
    required: "",
    example: "euler",
    doc: "where it is; without a port, the frontend's",
  }),
  cores: key(cores, {
    unset: "learnt",
    example: "12",
    doc: "CPU cores; more than real ones draw more sessions",
  }),
  weight: key(weight, {
    unset: "1",
    example: "1",
    doc: "its share beside others; 0 = no new sessions",
  }),
  max_connections: key(MOST_SESSIONS, {
    unset: "0",
    example: "200",
    doc: "most sessions at a time; 0 = no limit",
  }),
  load_address: key(partialAddress, {
    unset: "address's host",
    example: "euler-mgmt",
    accepts: "host[:port]",
    doc: "where its load is asked",
  }),
  load: loadOverride,
});

type BackendDraft = ValueOf<typeof backendSection>;

/** A backend as one text: `host[:port][=cores]`. */
const backendText: Value<BackendDraft> = {
  read: (text) => {
    const words = text.split(",").map((word) => word.trim()).filter((word) => word !== "");
    if (words.length > 1 && !text.startsWith("unix:")) {
      const more = words.length > 3 ? ", ..." : "";
      const list = `[${words.slice(0, 3).join(", ")}${more}]`;
      const message = `Cannot read ${
        quote(text)
      } as one backend: several are a list, write ${list}`;
      return quoted(failure(message));
    }
    const one = parseBackendSpec(text, 1);
    if (!one.ok) return quoted(one);
    const two = parseBackendSpec(text, 2);
    const hasPort = two.ok && sameAddress(one.value.address, two.value.address);
    const { address, cores } = one.value;
    return success({
      ...(cores === undefined ? {} : { cores }),
      address: { address, hasPort },
    });
  },
  write: ({ address }) => address === undefined ? "" : formatAddress(address.address),
  what: "a backend",
  accepts: "up to 512; each a text or a mapping",
  unit: "",
};

/** Whether the address says all of a backend. In the short form, "=" means cores. */
function isPlain({ address, ...rest }: BackendDraft): boolean {
  const isSilent = Object.values(rest).every((one) => one === undefined);
  return isSilent && address !== undefined && !formatAddress(address.address).includes("=");
}

const backendDefaults = section({
  doc:
    "what holds for backends that do not say it themselves: those above, discovered and added ones",
}, {
  cores: key(cores, { unset: "learnt", example: "16", doc: "CPU cores" }),
  weight: key(weight, { default: "1", doc: "their share beside others" }),
  max_connections: key(MOST_SESSIONS, {
    default: "0",
    doc: "most sessions at a time; 0 = no limit",
  }),
});

const health = section({ short: "probe", doc: "how backends are probed" }, {
  probe: key(oneOf(["auto", ...HEALTH_PROBES], "a health probe"), {
    default: "auto",
    doc: "how; with auto, banner where the pool or a frontend of it uses port 22, else tcp",
  }),
  interval: key(interval, { default: "5s", doc: "how often each backend is probed" }),
  timeout: key(timeout, {
    unset: "2s, at most the interval",
    accepts: "10ms to the interval",
    example: "2s",
    doc: "the time for one probe",
  }),
  rise: key(integer(1, 100), { default: "2", doc: "good probes in a row that make a backend up" }),
  fall: key(integer(1, 100), { default: "3", doc: "failed probes in a row that make it down" }),
  expect: key({ ...line("a banner", 255), what: "text" }, {
    default: "SSH-",
    doc: "what the backend must say first, with probe: banner",
  }),
}, ({ intervalMs }) => ({ timeoutMs: Math.min(2 * SECOND, intervalMs) }));

export const pool = rewritten(
  section({ doc: "" }, {
    strategy: key(oneOf(STRATEGY_NAMES, "a strategy"), {
      default: "least_load",
      doc: "which backend a new session goes to",
    }),
    fallback: key({ ...oneOf(FALLBACK_NAMES, "a fallback"), what: "a strategy" }, {
      default: "round_robin",
      accepts: "a strategy other than least_load",
      doc: "the strategy while no load is fresh",
    }),
    hash_balance: key({ ...offOr(integer(101, 10_000)), what: "a percentage or off" }, {
      default: "125",
      doc: "percent of its share that a backend may hold (source_hash)",
    }),
    sticky,
    pace,
    queue,
    connect,
    send_proxy: key(oneOf(SEND_PROXY, "a version of the PROXY protocol"), {
      default: "off",
      doc: "the PROXY header that backends and probes are sent first; they must expect it",
    }),
    drain,
    backends: list(
      { required: "without discovery or feed", doc: "where sessions go" },
      textOr(backendText, backendSection, isPlain),
      {
        samples: [
          ["hoek", "host[:port][=cores]; without a port, the frontend's"],
          ["kelvin:22=24", "24 cores; without, as learnt from the load source"],
        ],
      },
    ),
    discovery: list({
      unset: "nobody else",
      accepts: `${discoverySource.about.accepts}; or { source: NAME, ... }`,
      doc: "who names backends while the balancer runs, besides those above; several are merged, " +
        'and one that fails keeps its last list ("compute-lb help discovery")',
    }, discoverySource),
    on_empty: key(oneOf(ON_EMPTY, "what an empty list does"), {
      default: "keep",
      doc: "whether a discovery source that names nobody any more keeps its last backends",
    }),
    backend_defaults: backendDefaults,
    feed,
    load,
    health,
    memory,
    pressure,
    slow_start: slowStart,
    outliers,
    black_holes: blackHoles,
    panic,
    scale,
  }),
  withoutLoad,
);
