// The sections of the schema about backends that misbehave: slow start, ejection, black holes, panic.

import { boolean, duration, durationOrOff, integer, orOff, percent } from "./fields.ts";
import { DAY, field, HOUR, SECOND, section } from "./schema_parts.ts";

export const slowStart = field(durationOrOff(SECOND, HOUR), "a duration or off").prefault("off");

export const outliers = section({
  failures: field(orOff(integer(1, 1000)), "an integer or off").prefault("5"),
  ejection: field(duration(SECOND, DAY), "a duration").prefault("30s"),
  max_ejected: field(percent(1, 100), "a percentage").prefault("50%"),
}, ({ failures, ejection, max_ejected }) => ({
  failures: failures ?? 0,
  ejectionMs: ejection,
  maxEjectedShare: max_ejected,
}));

export const blackHoles = section({
  sessions: field(orOff(integer(3, 1000)), "an integer or off").prefault("5"),
  hold: field(duration(SECOND, DAY), "a duration").prefault("60s"),
}, ({ sessions, hold }) => ({ sessions: sessions ?? 0, holdMs: hold }));

export const panic = section({
  below: field(orOff(percent(1, 100)), "a percentage or off").prefault("50%"),
  last_resort: field(boolean, "true or false").prefault("false"),
}, ({ below, last_resort }) => ({ belowShare: below ?? 0, lastResort: last_resort }));
