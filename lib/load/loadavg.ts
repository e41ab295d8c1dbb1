// Reads the kernel's own figures as text: /proc/loadavg (proc(5)). Pure.

import { failure, type Result, success } from "../core/values/result.ts";
import { oneLine } from "../asking/reason.ts";

/** The first field of /proc/loadavg: "0.34 0.72 0.53 2/345 6789". Rejects anything of another form. */
export function parseLoadavg(text: string): Result<number> {
  const match = /^(\d{1,7}\.\d{2}) \d{1,7}\.\d{2} \d{1,7}\.\d{2} \d{1,9}\/\d{1,9} \d{1,12}\n?$/
    .exec(text);
  return match === null
    ? failure(
      `Cannot read "${oneLine(text, 60)}" as /proc/loadavg: expected "0.34 0.72 0.53 2/345 6"`,
    )
    : success(Number(match[1]));
}
