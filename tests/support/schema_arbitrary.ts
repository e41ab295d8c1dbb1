// Values that a JSON Schema describes, values that are nearly so, and requests that an OpenAPI document describes,
// for fuzzing.

import fc from "fast-check";
import type { Operation, Parameter } from "./openapi.ts";

type Json = Readonly<Record<string, unknown>>;

/** Values as a schema wants them. */
export function valid(schema: Json): fc.Arbitrary<unknown> {
  const { type, enum: words, const: word, anyOf, pattern } = schema;
  if (Array.isArray(anyOf)) return fc.oneof(...anyOf.map((one) => valid(one)));
  if (Array.isArray(words)) return fc.constantFrom(...words);
  if (word !== undefined) return fc.constant(word);
  const [low, high] = [numberOr(schema.minimum, -1e9), numberOr(schema.maximum, 1e9)];
  switch (type) {
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "integer":
      return fc.integer({ min: low, max: high });
    case "number":
      // In thousandths, as all numbers of ours.
      return fc.integer({ min: Math.ceil(low * 1000), max: Math.floor(high * 1000) })
        .map((thousandths) => thousandths / 1000);
    case "string": {
      if (schema.format === "date-time") {
        return fc.date({ noInvalidDate: true, min: new Date(0), max: new Date("9999") })
          .map((date) => date.toISOString());
      }
      if (typeof pattern === "string") return fc.stringMatching(new RegExp(pattern));
      return fc.string({
        minLength: numberOr(schema.minLength, 0),
        maxLength: Math.min(40, numberOr(schema.maxLength, 40)),
      });
    }
    case "array":
      return fc.array(valid(objectIn(schema.items)), { maxLength: 4 });
    case "object": {
      const properties = Object.entries(objectIn(schema.properties))
        .map(([name, inner]) => [name, valid(objectIn(inner))] as const);
      return fc.record(Object.fromEntries(properties), { requiredKeys: [] });
    }
    default:
      return fc.jsonValue();
  }
}

/** Texts that are bodies of this schema, nearly so, or no JSON at all. */
export function bodies(schema: Json): fc.Arbitrary<string> {
  const text = valid(schema).map((value) => JSON.stringify(value));
  const strange = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(null, "", -1, 1e308, "\0", "\u2028", "default", [], {}, "__proto__"),
  );
  const names = [...Object.keys(objectIn(schema.properties)), "__proto__", "constructor", "stat"];
  return fc.oneof(
    { weight: 8, arbitrary: text },
    { weight: 1, arbitrary: fc.constant("") },
    // One field is another.
    {
      weight: 4,
      arbitrary: fc.tuple(valid(schema), fc.constantFrom(...names), strange).map(
        ([value, name, odd]) => {
          // Made as text, so that any name is a field.
          const rest = JSON.stringify(value).slice(1);
          return `{${JSON.stringify(name)}:${JSON.stringify(odd)}${rest === "}" ? "" : ","}${rest}`;
        },
      ),
    },
    // Cut off, or with something put in.
    {
      weight: 2,
      arbitrary: fc.tuple(text, fc.nat(200), fc.string({ unit: "binary", maxLength: 3 })).map(
        ([whole, at, put]) => whole.slice(0, at) + put + whole.slice(at + 1),
      ),
    },
    strange.map((value) => JSON.stringify(value)),
    fc.string({ unit: "binary" }),
    fc.integer({ min: 1, max: 20_000 }).map((depth) => "[".repeat(depth) + "]".repeat(depth)),
  );
}

export interface FuzzRequest {
  readonly operation: Operation;
  readonly method: string;
  readonly target: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * Requests of an operation: as it is described, nearly so, and with what nobody described.
 * @param names what may stand in the path for each of its parameters.
 */
export function requests(
  operation: Operation,
  names: Readonly<Record<string, readonly string[]>>,
): fc.Arbitrary<FuzzRequest> {
  const { method, path, parameters, body } = operation;
  const inPath = parameters.filter((one) => one.in === "path").map(({ name }) =>
    segments(names[name] ?? []).map((text) => [`{${name}}`, text] as const)
  );
  return fc.record({
    segments: fc.tuple(...inPath),
    query: some(parameters.filter((one) => one.in === "query"), "unknown"),
    given: some(parameters.filter((one) => one.in === "header"), "X-Unknown"),
    body: body === undefined ? seldom(fc.constant("{}")) : bodies(body),
    type: seldom(fc.constantFrom("text/plain", "application/json; charset=utf-8", "")),
  }).map(({ segments, query, given, body, type }): FuzzRequest => {
    const target = segments.reduce((text, [name, value]) => text.replace(name, () => value), path);
    const parameters = query.map(([name, text]) => `${name}=${encodeURIComponent(text)}`);
    // No line break comes through: that would be another request.
    const fields = given.map(([name, text]) => [name, text.replace(/[^ -~]/g, "?")]);
    return {
      operation,
      method,
      target: parameters.length === 0 ? target : `${target}?${parameters.join("&")}`,
      fields: {
        ...Object.fromEntries(fields),
        ...(type === undefined ? {} : { "Content-Type": type }),
      },
      ...(body === undefined ? {} : { body }),
    };
  });
}

/** Names that are known, and texts that are no names of anything; percent-encoded, for the most part. */
function segments(known: readonly string[]): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom(...known).map(encodeURIComponent) },
    // No host has such a name, so nothing is looked up.
    fc.string({ unit: "grapheme" }).map((text) => encodeURIComponent(`!${text}`)),
    fc.constantFrom("%", "%ff", "%00", "%2e%2e", "..", "!/!", "!%2F%3F%23", "!".repeat(2000)),
  );
}

/** Some of these parameters with values that are valid or not, seldom one that nobody knows, or one twice. */
function some(
  parameters: readonly Parameter[],
  unknown: string,
): fc.Arbitrary<(readonly [name: string, text: string])[]> {
  const one = ({ name, schema }: Parameter) =>
    fc.oneof(valid(schema).map(String), fc.string({ unit: "grapheme", maxLength: 10 }))
      .map((text) => [name, text] as const);
  const odd: Parameter = { name: unknown, in: "query", schema: { type: "string" } };
  return fc.tuple(
    ...parameters.map((known) => seldom(one(known))),
    seldom(fc.constantFrom(...parameters, odd).chain(one)),
  ).map((all) => all.filter((given) => given !== undefined));
}

function seldom<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
}

function numberOr(value: unknown, standard: number): number {
  return typeof value === "number" ? value : standard;
}

function objectIn(value: unknown): Json {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
