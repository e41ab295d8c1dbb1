// The sections of a pool about backends that misbehave: slow start, ejection, black holes, panic.

import { key, section } from "../schema/declarations.ts";
import {
  boolean,
  DAY,
  duration,
  durationOrOff,
  HOUR,
  integer,
  orOff,
  percent,
  SECOND,
} from "../schema/values.ts";

export const slowStart = key(durationOrOff(SECOND, HOUR), {
  default: "off",
  doc: "the time in which a backend that comes back gets its whole share",
});

export const outliers = section({ doc: "ejects backends whose probes pass while connects fail" }, {
  failures: key(orOff(integer(1, 1000), 0), {
    default: "5",
    doc: "real connects in a row that fail; needs a probe",
  }),
  ejection: key(duration(SECOND, DAY), {
    default: "30s",
    doc: "how long the first ejection lasts; longer each time, up to 10 times that",
  }),
  max_ejected: key(percent(1, 100), {
    default: "50%",
    doc: "most of the pool that is held back at once, black holes counted",
  }),
});

export const blackHoles = section({ doc: "holds back backends that lose the sessions they take" }, {
  sessions: key(orOff(integer(3, 1000), 0), {
    default: "5",
    doc: "least number of sessions lost in a row; more where many die young",
  }),
  hold: key(duration(SECOND, DAY), {
    default: "60s",
    doc: "how long the first hold lasts; each next one twice as long, up to 64 times",
  }),
});

export const panic = section({ doc: "forgives when too few backends are left" }, {
  below: key(orOff(percent(1, 100), 0), {
    default: "50%",
    doc: "the usable share of the pool below which ejected backends are tried",
  }),
  last_resort: key(boolean, {
    default: "false",
    doc: "whether backends that are down are tried when no other is left",
  }),
});
