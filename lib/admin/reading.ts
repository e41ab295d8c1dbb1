// Reads what a request carries by declarations: its body, and the parameters behind "?". What is wrong is worded
// by field.

import type { Answer } from "../core/serving/http.ts";
import type { Declaration } from "../schema/declarations.ts";
import { type JsonReading, readJson, readTexts } from "../schema/json.ts";
import { type Asked, json } from "./answers.ts";

/** What was read, or what is answered where it cannot be. */
export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly answer: Answer };

/**
 * A body; nothing at all is an empty one.
 * @param nullAs what `null` stands for in a field; absent, or null: for nothing.
 */
export function readBody<T>(
  declaration: Declaration<T>,
  { body }: Pick<Asked, "body">,
  nullAs?: (field: string) => string | null,
): Read<T> {
  return answered(readJson(declaration, body.trim() === "" ? "{}" : body, nullAs));
}

/** Parameters, each given once. */
export function readQuery<T>(
  declaration: Declaration<T>,
  { query }: Pick<Asked, "query">,
): Read<T> {
  const texts = new Map<string, string>();
  for (const [name, text] of new URLSearchParams(query)) {
    if (texts.has(name)) {
      const message = "Cannot read it twice: expected it once";
      return answered({ ok: false, faults: [{ field: name, message }] });
    }
    texts.set(name, text);
  }
  return answered(readTexts(declaration, Object.fromEntries(texts), "parameter"));
}

function answered<T>(reading: JsonReading<T>): Read<T> {
  if (reading.ok) return reading;
  const { faults } = reading;
  const text = ({ field, message }: typeof faults[0]) =>
    field === "" ? message : `${field}: ${message}`;
  return {
    ok: false,
    answer: json(400, { error: faults.map(text).join("; "), faults }),
  };
}
