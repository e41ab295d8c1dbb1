// Reads the JSON that the load source "http" is given: finds figures by paths and says what is wrong
// with them. Pure.

import { messageOf } from "../core/values/errors.ts";
import { type FigureName, FIGURES, type FoundFigures, type LoadSample } from "../core/pool/load.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { shownJson } from "../core/values/shown_json.ts";
import { oneLine } from "../asking/reason.ts";

/** Where each figure stands: names and list indices with dots between, or "off": it is not looked for. */
export type HttpFields = Readonly<Record<FigureName, string>>;

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
  const found: FoundFigures = {};
  for (const { name, as, lowest, highest } of FIGURES) {
    const path = fields[name];
    if (path === "off") continue;
    const value = valueAt(document, path);
    if (value === undefined || value === null) continue;
    if (typeof value !== "number" || !(value >= lowest && value <= highest)) {
      return failure(
        `Cannot use ${
          oneLine(shownJson(value))
        } at "${path}": expected a number from ${lowest} to ${highest}`,
      );
    }
    found[as] = value;
  }
  const { load1 } = found;
  return load1 === undefined
    ? failure(`Cannot find the load: nothing stands at "${fields.load1}", ${having(document)}`)
    : success({ ...found, load1 });
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
