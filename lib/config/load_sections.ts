// The sections of the schema about what load sources tell besides the load: limits on memory and
// pressure.

import { memoryFloor, orOff, percent, share } from "./fields.ts";
import { field, section } from "./schema_parts.ts";

export const memory = section({
  min_available: field(memoryFloor, "a size or a percentage").prefault("0"),
  weight: field(share, "a number from 0 to 1").prefault("0"),
}, ({ min_available, ...rest }) => ({ ...rest, minAvailable: min_available }));

const limit = field(orOff(percent(1, 100)), "a percentage or off").prefault("off");

export const pressure = section({ max_cpu: limit, max_memory: limit }, (
  { max_cpu, max_memory },
) => ({
  ...(max_cpu === undefined ? {} : { maxCpu: max_cpu }),
  ...(max_memory === undefined ? {} : { maxMemory: max_memory }),
}));
