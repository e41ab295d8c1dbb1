// When a pool is to have more backends, or fewer, and by what command.

import { MAX_BACKENDS } from "../core/pool/backend.ts";
import { type Condition, formatCondition, parseCondition } from "../core/scaling/condition.ts";
import { commandLine } from "../schema/command_line.ts";
import { key, section } from "../schema/declarations.ts";
import {
  DAY,
  duration,
  HOUR,
  integer,
  line,
  quoted,
  SECOND,
  type Value,
} from "../schema/values.ts";

const text = line("a condition", 400);

const condition: Value<Condition> = {
  ...text,
  read: (given) => {
    const read = text.read(given);
    return quoted(read.ok ? parseCondition(read.value) : read);
  },
  write: formatCondition,
  what: "a condition",
  accepts: "condition",
};

export const scale = section({
  doc: 'when a command is to add or remove a backend ("compute-lb help scale")',
}, {
  up_when: key(condition, {
    unset: "never",
    example: "free < 10% or queued > 0",
    doc: "when there are to be more; free: cores, or a share of all",
  }),
  down_when: key(condition, {
    unset: "never",
    example: "free > 60%",
    doc: "when there are to be fewer, and up_when does not hold",
  }),
  exec: commandLine({
    required: "with up_when or down_when",
    example: '["/usr/local/sbin/scale-site"]',
    doc: "run, without a shell, to have one backend more or less; CLB_DIRECTION is up or down",
  }),
  min: key(integer(0, MAX_BACKENDS), { default: "1", doc: "with so few, down_when does nothing" }),
  max: key(integer(0, MAX_BACKENDS), {
    default: String(MAX_BACKENDS),
    doc: "with so many, up_when does nothing",
  }),
  for: key(duration(0, HOUR), { default: "1m", doc: "how long a condition must have held" }),
  cooldown: key(duration(SECOND, DAY), {
    default: "5m",
    doc: "the rest behind a command; doubles, up to 1h, while commands have no effect",
  }),
  timeout: key(duration(SECOND, HOUR), { default: "2m", doc: "the time for one command" }),
});
