// What the schema of lb.conf is made of: fields, sections, names, lists; the one importer of zod. Each
// part knows its keys, so that messages and tests can tell what may stand where.

import * as z from "zod";
import { duration, entityName, integer, type Reader } from "./fields.ts";
import { isMapping } from "./yaml.ts";

export { z };

/** The keys of a section; "*" stands for any name or index. A leaf is null. */
export interface KeyTree {
  readonly [key: string]: KeyTree | null;
}

/** What keys a schema has. */
export const keyTrees = z.registry<{ keys: KeyTree }>();

/** A scalar, read by one of the readers of fields.ts. */
export function field<T>(read: Reader<T>, what: string): z.ZodType<T, unknown> {
  return z.unknown().transform((value, context): T => {
    if (typeof value !== "string") {
      const message = `Cannot read ${describeKind(value)} here: expected ${what}`;
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    }
    const result = read(value);
    if (result.ok) return result.value;
    context.addIssue({ code: "custom", message: result.message });
    return z.NEVER;
  });
}

/** A mapping of known keys. Missing, or with nothing in it, it takes its defaults. */
export function section<S extends z.core.$ZodLooseShape, T>(
  shape: S,
  build: (value: z.output<z.ZodObject<S, z.core.$strict>>) => T,
): z.ZodType<T, unknown> {
  const schema = z.preprocess(emptyToMapping, z.strictObject(shape)).transform(build).prefault({});
  const entries = Object.entries(shape).map(([key, inner]) => [key, treeOf(inner)] as const);
  keyTrees.add(schema, { keys: Object.fromEntries(entries) });
  return schema;
}

/** A mapping of names that the administrator chooses. */
export function named<T extends z.ZodType>(
  inner: T,
): z.ZodType<Record<string, z.output<T>>, unknown> {
  const name = field(entityName, "a name");
  const prepare = (value: unknown, context: z.RefinementCtx) => {
    // A record would leave this one out and say nothing.
    if (isMapping(value) && Object.hasOwn(value, "__proto__")) {
      const message = 'Cannot use "__proto__" as a name: expected another';
      context.addIssue({ code: "custom", message, path: ["__proto__"] });
    }
    return emptyToMapping(value);
  };
  const schema = z.preprocess(prepare, z.record(name, inner)).prefault({});
  keyTrees.add(schema, { keys: { "*": treeOf(inner) } });
  return schema;
}

/** A list, or one item of it. A key with nothing behind it is a list with nothing in it. */
export function oneOrMany<T extends z.ZodType>(inner: T): z.ZodType<z.output<T>[], unknown> {
  const listed = (value: unknown) => value === null ? [] : Array.isArray(value) ? value : [value];
  const schema = z.preprocess(listed, z.array(inner)).prefault([]);
  const keys = treeOf(inner);
  if (keys !== null) keyTrees.add(schema, { keys: { "*": keys } });
  return schema;
}

/** Nothing at all is a mapping with nothing in it. */
function emptyToMapping(value: unknown): unknown {
  return value === null ? {} : value;
}

/** The keys of a schema; null for a leaf. */
export function treeOf(schema: unknown): KeyTree | null {
  return schema instanceof z.ZodType ? keyTrees.get(schema)?.keys ?? null : null;
}

/** "nothing", "a list" or "a mapping": what stands where a text should. */
export function describeKind(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  return Array.isArray(value) ? "a list" : "a mapping";
}

export const SECOND = 1000;
export const HOUR = 3600 * SECOND;
export const DAY = 24 * HOUR;
/** Timers count in 32 bits of milliseconds: 24.8 days. */
export const LONGEST = 24 * DAY;

/** What several sections hold. */
export const port = integer(1, 65535);
export const interval = field(duration(100, HOUR), "a duration");
export const timeout = field(duration(10, HOUR), "a duration");
