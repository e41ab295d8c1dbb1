// The sections of a pool about loads: how backends are asked, and limits on what load sources tell besides the
// load, memory and pressure. Each load source declares its own section.

import { LOAD_SECTIONS, LOAD_SOURCES, loadSourceKindOf } from "../load/registry.ts";
import { key, override, section } from "../schema/declarations.ts";
import { memoryFloor } from "../schema/balancer_values.ts";
import {
  boolean,
  DAY,
  duration,
  interval,
  oneOf,
  orOff,
  percent,
  SECOND,
  share,
  timeout,
} from "../schema/values.ts";

const source = oneOf(LOAD_SOURCES, "a load source");

export const load = section({ doc: "how backends are asked for their load", short: "source" }, {
  source: key(source, {
    default: "nrpe",
    doc: "who tells the load; with none, as in pools with a feed, nobody is asked",
  }),
  interval: key(interval, { default: "10s", doc: "how often each backend is asked" }),
  timeout: key(timeout, {
    unset: "2s, at most the interval",
    accepts: "10ms to the interval",
    example: "2s",
    doc: "the time for one answer",
  }),
  max_age: key(duration(100, DAY), {
    unset: "60s, with gmond 2m, at least 3 intervals",
    accepts: "the interval to 1d",
    example: "60s",
    doc: "the age from which on a sample does not count",
  }),
  ...LOAD_SECTIONS,
}, ({ source, intervalMs }) => ({
  timeoutMs: Math.min(2 * SECOND, intervalMs),
  maxAgeMs: Math.max(
    loadSourceKindOf(source)?.about.freshMs ?? 60 * SECOND,
    3 * intervalMs,
  ),
}));

/** How one backend is asked, where that differs from its pool; undefined where nothing does. */
export const loadOverride = override(
  {
    short: "source",
    unset: "the pool's",
    example: "{ source: ssh }",
    accepts: "source, nrpe, ssh, ... as below",
    doc: "where this one is asked otherwise",
  },
  section({ doc: "" }, { source: key(source, { doc: "" }), ...LOAD_SECTIONS }),
);

export const memory = section({
  doc: "what free memory does to placement, where the load source tells it",
}, {
  min_available: key(memoryFloor, {
    default: "0",
    doc: "a backend with less gets no new sessions; 0 = never mind",
  }),
  weight: key(share, {
    default: "0",
    doc: "how much it counts: least_load multiplies scores by (available / total)^weight",
  }),
});

const limit = orOff(percent(1, 100), undefined);

export const pressure = section({
  doc: "share of time in which tasks wait (PSI), where the load source tells it",
}, {
  correct_load: key(boolean, {
    default: "true",
    doc: "whether least_load finds tasks that wait for disks by it",
  }),
  max_cpu: key(limit, {
    as: "maxCpu",
    default: "off",
    doc: "a backend where tasks wait longer for a CPU gets no new sessions",
  }),
  max_memory: key(limit, {
    as: "maxMemory",
    default: "off",
    doc: "a backend where tasks wait longer for memory gets no new sessions",
  }),
});
