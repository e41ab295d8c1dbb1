// Reads the JSON that the load source "http" is given: finds figures by paths and says what is wrong
// with them. Pure.

import { MAX_CORES } from "../core/pool/backend.ts";
import { messageOf } from "../core/values/errors.ts";
import { HTTP_FIGURES, type HttpFigure, type LoadSample, MOST_LOAD } from "../core/pool/load.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { shownJson } from "../core/values/shown_json.ts";
import { oneLine } from "./reason.ts";

/** Where each figure stands: names and list indices with dots between, or "off": it is not looked for. */
export type HttpFields = Readonly<Record<HttpFigure, string>>;

const RANGES: Readonly<Record<HttpFigure, readonly [lowest: number, highest: number]>> = {
  load1: [0, MOST_LOAD],
  // The least that can be configured.
  cores: [0.001, MAX_CORES],
  memory_available_bytes: [0, Number.MAX_SAFE_INTEGER],
  memory_total_bytes: [0, Number.MAX_SAFE_INTEGER],
  cpu_pressure: [0, 1],
  memory_pressure: [0, 1],
  sessions: [0, Number.MAX_SAFE_INTEGER],
};

/**
 * Reads an answer. The load must be there; other figures may be missing or null. One that is there but
 * no number, or out of its range, spoils the answer: it may stand for something else.
 */
export function parseHttpAnswer(
  text: string,
  fields: HttpFields,
): Result<Omit<LoadSample, "takenAtMs">> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    return failure(
      text.trim() === ""
        ? "Cannot read an empty answer as JSON"
        : `Cannot read "${oneLine(text, 40)}" as JSON: ${oneLine(messageOf(error), 100)}`,
    );
  }
  const found: Partial<Record<HttpFigure, number>> = {};
  for (const figure of HTTP_FIGURES) {
    const path = fields[figure];
    if (path === "off") continue;
    const value = valueAt(document, path);
    if (value === undefined || value === null) continue;
    const [lowest, highest] = RANGES[figure];
    if (typeof value !== "number" || !(value >= lowest && value <= highest)) {
      return failure(
        `Cannot use ${
          oneLine(shownJson(value))
        } at "${path}": expected a number from ${lowest} to ${highest}`,
      );
    }
    found[figure] = value;
  }
  if (found.load1 === undefined) {
    return failure(
      `Cannot find the load: nothing stands at "${fields.load1}", ${having(document)}`,
    );
  }
  return success({
    load1: found.load1,
    ...(found.cores === undefined ? {} : { cores: found.cores }),
    ...(found.memory_available_bytes === undefined
      ? {}
      : { memoryAvailableBytes: found.memory_available_bytes }),
    ...(found.memory_total_bytes === undefined
      ? {}
      : { memoryTotalBytes: found.memory_total_bytes }),
    ...(found.cpu_pressure === undefined ? {} : { cpuPressure: found.cpu_pressure }),
    ...(found.memory_pressure === undefined ? {} : { memoryPressure: found.memory_pressure }),
    ...(found.sessions === undefined ? {} : { loginSessions: found.sessions }),
  });
}

/** What stands at a path; undefined when nothing does. A step of digits is an index in a list. */
export function valueAt(document: unknown, path: string): unknown {
  let value = document;
  for (const step of path.split(".")) {
    if (typeof value !== "object" || value === null) return undefined;
    if (Array.isArray(value) && !/^(0|[1-9]\d{0,8})$/.test(step)) return undefined;
    if (!Object.hasOwn(value, step)) return undefined;
    value = Reflect.get(value, step);
  }
  return value;
}

/** What there is instead, as a clause. */
function having(document: unknown): string {
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    return `the answer is ${oneLine(shownJson(document))}`;
  }
  const keys = Object.keys(document);
  return keys.length === 0
    ? "the answer is an empty object"
    : `the answer has ${oneLine(keys.join(", "), 80)}`;
}
