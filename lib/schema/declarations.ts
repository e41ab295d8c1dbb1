// What a configuration is declared with: keys, sections, lists, names; the one importer of zod. A
// declaration reads, checks, has its default and its documentation, and writes its value back.

import * as z from "zod";
import { nearest } from "../core/values/nearest.ts";
import { quote } from "./quote.ts";
import { entityName, jsonOf, type JsonSchema, oneOf, type Value, type Written } from "./values.ts";

/** What declarations write: numbers and booleans read back as their text. */
export type Draft = Written | null | readonly Draft[] | DraftMapping;

export interface DraftMapping {
  readonly [key: string]: Draft;
}

/** What people read of a key. */
export interface About {
  /** What it is; one to three lines, plain. */
  readonly doc: string;
  /** What holds where it is not set, as text. */
  readonly default?: string;
  /** The same in words, where it is no value that one could set. */
  readonly unset?: string;
  /** When it must be set: "", or "with tls: certificates". */
  readonly required?: string;
  /** What lb.conf.example says, as YAML, where that is not the default. */
  readonly example?: string;
  /** The name of its property, where the rule (camelCase and the value's unit) does not give it. */
  readonly as?: string;
  /** The key that is meant where a section is written as one word. */
  readonly short?: string;
  /** Whether its value may be a secret, or is no word for people: that it changed is said, not to what. */
  readonly isUntold?: true;
  /** Whether it counts from the next start on, not from a reload. */
  readonly atStart?: true;
  /** What it accepts, where its value does not tell. */
  readonly accepts?: string;
}

/** A key, a section, a list or names. */
export interface Declaration<T = unknown> {
  readonly about: About;
  /** Reads and fills in defaults. */
  readonly schema: z.ZodType<T, unknown>;
  /** Only checks, and leaves what is written as it is: for what is laid over another section. */
  readonly overriding: z.ZodType<unknown, unknown>;
  /** What may stand below: by key, or by "*" for any name; null for a scalar. */
  readonly below: Readonly<Record<string, Declaration>> | null;
  /** The scalar that it takes, or that its items are. */
  readonly value?: Value<unknown, string>;
  readonly kind: "value" | "section" | "named" | "list" | "chosen";
  /** Other ways in which an item can be written, each with a comment: for the example. */
  readonly samples?: readonly (readonly [text: string, comment: string])[];
  /** Of `chosen`: what it is where this is written. */
  readonly chosenBy?: (written: unknown) => Declaration;
  /** Writes a value so that it reads back the same; undefined: not at all. */
  write(value: T): Draft | undefined;
}

/** A declaration whose property has a name by itself. */
export interface Key<T, Unit extends string, As extends string | undefined> extends Declaration<T> {
  readonly unit: Unit;
  readonly as: As;
}

export interface Section<T> extends Declaration<T> {
  readonly below: Readonly<Record<string, Declaration>>;
  /** Reads one that is there. */
  readonly present: z.ZodType<T, unknown>;
  write(value: T): DraftMapping;
}

type Shape = Readonly<Record<string, Declaration>>;

type Camel<K extends string> = K extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : K;
type PropertyOf<K extends string, D> = D extends { readonly as: infer A extends string } ? A
  : D extends { readonly unit: infer U extends string } ? `${Camel<K>}${U}`
  : Camel<K>;

/** The value that a declaration reads. */
export type ValueOf<D> = D extends Declaration<infer T> ? T : never;

type Required<S extends Shape> = {
  readonly [
    K in keyof S & string as undefined extends ValueOf<S[K]> ? never : PropertyOf<K, S[K]>
  ]: ValueOf<S[K]>;
};
type Optional<S extends Shape> = {
  readonly [
    K in keyof S & string as undefined extends ValueOf<S[K]> ? PropertyOf<K, S[K]> : never
  ]?: Exclude<ValueOf<S[K]>, undefined>;
};
type Flat<T> = { readonly [K in keyof T]: T[K] };
/** What a section of these keys reads; what may be undefined is absent then. */
export type SectionValue<S extends Shape> = Flat<Required<S> & Optional<S>>;

/** What schemas look like in JSON, and what people read of them. */
const IN_JSON = z.registry<JsonSchema>();

/** One scalar. Without a default, it may be left out. */
export function key<T, U extends string, const A extends About>(
  value: Value<T, U>,
  about: A,
): Key<A extends { default: string } ? T : T | undefined, U, A["as"]>;
export function key<T, U extends string>(
  value: Value<T, U>,
  about: About,
): Key<T | undefined, U, string | undefined> {
  const one = item(value);
  return {
    ...one,
    about,
    unit: value.unit,
    as: about.as,
    schema:
      (about.default === undefined
        ? one.schema.exactOptional()
        : one.schema.prefault(about.default)).register(IN_JSON, { description: about.doc }),
    overriding: one.overriding.exactOptional(),
    // Of a key with a default, undefined is a value.
    write: (given) =>
      given === undefined && about.default === undefined ? undefined : value.write(given as T),
  };
}

/** One scalar that must be set. */
export function needed<T, U extends string, const A extends About & { required: string }>(
  value: Value<T, U>,
  about: A,
): Key<T, U, A["as"]>;
export function needed<T, U extends string>(
  value: Value<T, U>,
  about: About,
): Key<T, U, string | undefined> {
  const one = item(value);
  const schema = one.schema.register(IN_JSON, { ...jsonOf(value), description: about.doc });
  return { ...one, about, unit: value.unit, as: about.as, schema };
}

/** One scalar that must be there: an item of a list, or what stands behind a name. */
export function item<T>(value: Value<T, string>): Declaration<T> {
  const check = <V>(pick: (read: T, given: unknown) => V) =>
    z.unknown().transform((given, context): V => {
      const read = readScalar(value, given);
      if (read.ok) return pick(read.value, given);
      context.addIssue({ code: "custom", message: read.message });
      return z.NEVER;
    });
  return {
    kind: "value",
    about: { doc: "" },
    value,
    below: null,
    schema: check((read) => read).register(IN_JSON, jsonOf(value)),
    overriding: check((_, given) => given),
    write: (given) => value.write(given),
  };
}

function readScalar<T>(value: Value<T, string>, given: unknown) {
  if (typeof given === "string") return value.read(given);
  return {
    ok: false,
    message: `Cannot read ${describeKind(given)} here: expected ${value.what}`,
  } as const;
}

/** A mapping of known keys. Missing, or with nothing in it, it takes its defaults. */
export function section<const S extends Shape>(
  about: About,
  keys: S,
): Section<SectionValue<S>>;
/** @param fill what holds for keys without a default that are not set: it depends on others. */
export function section<const S extends Shape, F extends object>(
  about: About,
  keys: S,
  fill: (value: SectionValue<S>) => F,
): Section<Flat<SectionValue<S> & F>>;
export function section<S extends Shape>(
  about: About,
  keys: S,
  fill: (value: SectionValue<S>) => object = () => ({}),
): Section<SectionValue<S>> {
  const names = Object.entries(keys).map(([key, inner]) =>
    [key, propertyOf(key, inner), inner] as const
  );
  const named = (given: Readonly<Record<string, unknown>>): SectionValue<S> => {
    const present = names.flatMap(([key, property]) =>
      given[key] === undefined ? [] : [[property, given[key]]]
    );
    // The types of keys say what this mapping holds; no check could say more.
    const value = Object.fromEntries(present) as SectionValue<S>;
    return { ...fill(value), ...value };
  };
  const schemaOf = (which: "schema" | "overriding") =>
    z.preprocess(
      nothingToMapping,
      z.strictObject(Object.fromEntries(names.map(([key, , inner]) => [key, inner[which]]))),
    );
  const present = schemaOf("schema").transform(named);
  return {
    kind: "section",
    about,
    below: keys,
    present,
    schema: present.prefault({}),
    overriding: schemaOf("overriding").exactOptional(),
    write: (value) => {
      const properties: Readonly<Record<string, unknown>> = { ...value };
      return Object.fromEntries(names.flatMap(([key, property, inner]) => {
        const written = inner.write(properties[property]);
        return written === undefined ? [] : [[key, written]];
      }));
    },
  };
}

/** A section that is read as `rewrite` has it: for other ways to write it, and defaults that depend on others. */
export function rewritten<T>(of: Section<T>, rewrite: (given: unknown) => unknown): Section<T> {
  const present = z.preprocess(rewrite, of.present);
  return {
    ...of,
    present,
    schema: present.prefault({}),
    overriding: z.preprocess(rewrite, of.overriding).exactOptional(),
  };
}

/** A section that may be missing: undefined then. */
export function optional<T>(of: Section<T>): Declaration<T | undefined> {
  return {
    ...of,
    schema: of.present.exactOptional(),
    write: (value) => value === undefined ? undefined : of.write(value),
  };
}

function propertyOf(key: string, { about, kind, value }: Declaration): string {
  const unit = kind === "value" ? value?.unit ?? "" : "";
  return about.as ??
    key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()) + unit;
}

/** A mapping of names that the administrator chooses. */
export function named<T>(
  about: About,
  inner: Declaration<T>,
): Declaration<Readonly<Record<string, T>>> {
  const name = item(entityName).schema;
  const prepare = (value: unknown, context: z.RefinementCtx) => {
    // A record would leave this one out and say nothing.
    if (typeof value === "object" && value !== null && Object.hasOwn(value, "__proto__")) {
      const message = 'Cannot use "__proto__" as a name: expected another';
      context.addIssue({ code: "custom", message, path: ["__proto__"] });
    }
    return nothingToMapping(value);
  };
  const schemaOf = <V>(of: z.ZodType<V, unknown>) => z.preprocess(prepare, z.record(name, of));
  return {
    kind: "named",
    about,
    below: { "*": inner },
    schema: schemaOf(inner.schema).prefault({}),
    overriding: schemaOf(inner.overriding).exactOptional(),
    write: (values) =>
      Object.fromEntries(
        Object.entries(values).map(([name, value]) => [name, inner.write(value) ?? null]),
      ),
  };
}

/** How lists differ. */
export interface ListOptions {
  /** Whether a list of one is written as its item. */
  readonly oneAsItem?: boolean;
  /** Makes a list of one text; undefined: the text is the only item. */
  readonly split?: (text: string) => readonly string[] | undefined;
  readonly samples?: readonly (readonly [text: string, comment: string])[];
  /** The word for a list with nothing in it. */
  readonly nothing?: string;
}

/** A list, or one item of it. A key with nothing behind it is a list with nothing in it. */
export function list<T>(
  about: About,
  inner: Declaration<T>,
  { oneAsItem = false, split = () => undefined, samples = [], nothing }: ListOptions = {},
): Declaration<readonly T[]> {
  const listed = (value: unknown) => {
    if (value === null) return [];
    if (nothing !== undefined && String(value) === nothing) return [];
    if (Array.isArray(value)) return value;
    return (typeof value === "string" ? split(value) : undefined) ?? [value];
  };
  return {
    kind: "list",
    about,
    below: inner.below === null ? null : { "*": inner },
    samples,
    ...(inner.value === undefined ? {} : { value: inner.value }),
    schema: z.preprocess(listed, z.array(inner.schema)).prefault([]),
    overriding: z.preprocess(listed, z.array(inner.overriding)).exactOptional(),
    write: (values) => {
      const items = values.map((value) => inner.write(value) ?? null);
      const [only] = items;
      if (nothing !== undefined && items.length === 0) return nothing;
      return oneAsItem && items.length === 1 && only !== undefined ? only : items;
    },
  };
}

/** A section that can be written as one text, too, where that says all. */
export function textOr<T>(
  text: Value<T>,
  section: Section<T>,
  canBeText: (value: T) => boolean,
): Declaration<T> {
  const asText = item(text);
  return {
    ...section,
    value: text,
    schema: z.union([asText.schema, section.schema]),
    overriding: z.union([asText.overriding, section.overriding]),
    write: (value) => canBeText(value) ? text.write(value) : section.write(value),
  };
}

/** One of the sections that a key chooses. */
export interface Choice<Name extends string, T> {
  readonly name: Name;
  readonly section: Section<T>;
  readonly about: {
    /** How it is written as one text. */
    readonly form: string;
    /** The keys that a text of this form stands for; undefined: it is of another form. */
    fromText(text: string): DraftMapping | undefined;
  };
}

/** A section that was chosen, by the name of the choice. */
export type Chosen<C> = C extends Choice<infer Name, infer T>
  ? { readonly name: Name; readonly own: T }
  : never;

/**
 * One of several sections: the key `by` chooses it, and its keys stand flat beside that one. Or one text, of
 * a form that a choice has.
 * @param what names a choice: "discovery source".
 */
export function chosen<const C extends Choice<string, unknown>>(
  about: About,
  by: string,
  what: string,
  choices: readonly C[],
): Declaration<Chosen<C>> {
  const names = choices.map(({ name }) => name);
  const name = oneOf(names, `a ${what}`);
  const chooser = needed(name, { required: "", doc: about.doc });
  const flat = new Map(choices.map((choice) => {
    const section = { ...choice.section, below: { [by]: chooser, ...choice.section.below } };
    return [choice.name, { ...choice, section }] as const;
  }));
  const read = (given: unknown): ReadChoice => {
    if (typeof given === "string") {
      for (const { name, section, about } of choices) {
        const keys = about.fromText(given);
        if (keys !== undefined) return { name, section, keys: textsOf(keys) };
      }
      const [scheme = ""] = given.split(":");
      const meant = nearest(scheme, names);
      const form = choices.find(({ name }) => name === meant)?.about.form;
      const expected = form === undefined
        ? `one of ${names.join(", ")}, or a mapping with ${by}`
        : `${form}; did you mean "${meant}"?`;
      return {
        message: `Cannot read ${quote(given)} as a ${what}: expected ${expected}`,
        path: [],
      };
    }
    if (!isDraftMapping(given)) {
      return {
        message: `Cannot read ${describeKind(given)} here: expected a ${what}, one of ${
          names.join(", ")
        }`,
        path: [],
      };
    }
    const { [by]: chosen, ...keys } = given;
    if (chosen === undefined) {
      const message = `Cannot tell which ${what} this is: expected ${by}: ${name.accepts}`;
      return { message, path: [] };
    }
    const word = readScalar(name, chosen);
    if (!word.ok) return { message: word.message, path: [by] };
    const choice = flat.get(word.value);
    return choice === undefined
      ? { message: `Unknown ${by}`, path: [by] }
      : { name: choice.name, section: choice.section, keys };
  };
  const schema = z.unknown().transform((given, context): Chosen<C> => {
    const choice = read(given);
    if ("message" in choice) {
      context.addIssue({ code: "custom", ...choice });
      return z.NEVER;
    }
    const { name, section, keys } = choice;
    // A misspelt key may be the one that is missing.
    const isKnown = Object.keys(keys).every((key) => Object.hasOwn(section.below, key));
    const missing = Object.entries(section.below).find(([key, { about }]) =>
      isKnown && key !== by && about.required !== undefined && !Object.hasOwn(keys, key)
    );
    if (missing !== undefined) {
      const [key, { about }] = missing;
      const such = about.example === undefined ? "" : `, such as ${about.example}`;
      const message = `Cannot use ${by}: ${name} without ${key}${such} (${about.doc})`;
      context.addIssue({ code: "custom", message, path: [] });
      return z.NEVER;
    }
    const result = section.present.safeParse(keys);
    // The list of choices says which section a name has.
    if (result.success) return { name, own: result.data } as Chosen<C>;
    // An issue is a raw one whose message is known; paths are lengthened in place.
    for (const issue of result.error.issues) {
      if (!isKnown && issue.code !== "unrecognized_keys") continue;
      context.issues.push({ ...issue, path: [...issue.path] } as z.core.$ZodRawIssue);
    }
    return z.NEVER;
  });
  return {
    kind: "chosen",
    about,
    below: { [by]: chooser, ...Object.fromEntries(choices.map((one) => [one.name, one.section])) },
    chosenBy: (written) => {
      const choice = read(written);
      const section = "message" in choice ? undefined : flat.get(choice.name)?.section;
      return section ?? { ...chooser, below: { [by]: chooser } };
    },
    schema,
    overriding: schema.transform(() => z.NEVER),
    write: ({ name, own }) => ({ [by]: name, ...flat.get(name)?.section.write(own) }),
  };
}

/** The section that was chosen and what stands in it, or why none was. */
type ReadChoice =
  | {
    readonly name: string;
    readonly section: Section<unknown>;
    readonly keys: Readonly<Record<string, unknown>>;
  }
  | { readonly message: string; readonly path: string[] };

/** What may be said otherwise than a section says: the keys that were set, as they were written. */
export function override(
  about: About,
  { below }: Section<unknown>,
): Declaration<DraftMapping | undefined> {
  const whole = section(about, below);
  return {
    ...whole,
    about,
    schema: whole.overriding.transform((tree) => said(tree)).prefault({}),
    write: (value) => value,
  };
}

/** A tree without what is empty; undefined where nothing is left. */
function said(tree: unknown): DraftMapping | undefined {
  if (!isDraftMapping(tree)) return undefined;
  const entries = Object.entries(tree).flatMap(([key, value]): [string, Draft][] => {
    const kept = isDraftMapping(value) ? said(value) : value;
    return kept === undefined || kept === null || (Array.isArray(kept) && kept.length === 0)
      ? []
      : [[key, kept]];
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** Reads a section over which the keys of another are laid; those of the other win. */
export function overlaid<T>(of: Section<T>, base: DraftMapping, own: DraftMapping): T {
  return of.schema.parse(textsOf(merged(base, own)));
}

function merged(base: DraftMapping, own: DraftMapping): DraftMapping {
  const entries = Object.entries(own).map(([key, value]): [string, Draft] => {
    const under = base[key];
    const both = isDraftMapping(value) && under !== undefined && isDraftMapping(under);
    return [key, both ? merged(under, value) : value];
  });
  return { ...base, ...Object.fromEntries(entries) };
}

/** The mapping under a key, or an empty one. */
export function mappingIn(draft: DraftMapping, key: string): DraftMapping {
  const inner = draft[key];
  return isDraftMapping(inner) ? inner : {};
}

/** What is written as what is read: every scalar a text. */
function textsOf(draft: DraftMapping): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(draft).map(([key, value]) => [key, textOf(value)]));
}

function textOf(draft: Draft): unknown {
  if (Array.isArray(draft)) return draft.map(textOf);
  if (!isDraftMapping(draft)) return draft === null ? null : String(draft);
  return textsOf(draft);
}

export function isDraftMapping(value: unknown): value is DraftMapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Nothing at all is a mapping with nothing in it. */
function nothingToMapping(value: unknown): unknown {
  return value === null ? {} : value;
}

/** "nothing", "a list" or "a mapping": what stands where a text should. */
export function describeKind(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  return Array.isArray(value) ? "a list" : "a mapping";
}

/** The schema of JSON that a declaration reads, as its own schema has it. */
export function jsonSchemaOf({ schema }: Declaration): JsonSchema {
  const { $schema: _, ...all } = z.toJSONSchema(schema, {
    io: "input",
    metadata: IN_JSON,
    unrepresentable: "any",
    override: ({ jsonSchema }) => {
      // Defaults are texts, as all that is read.
      const { type, default: standard } = jsonSchema;
      const isText = type === undefined || type === "string" || typeof standard !== "string";
      if (!isText) jsonSchema.default = JSON.parse(standard);
    },
  });
  return all;
}

/** What came of reading a whole document. */
export function readDeclared<T>(
  { schema }: Declaration<T>,
  tree: unknown,
): { readonly ok: true; readonly value: T } | {
  readonly ok: false;
  readonly issues: readonly z.core.$ZodIssue[];
} {
  const result = schema.safeParse(tree);
  return result.success
    ? { ok: true, value: result.data }
    : { ok: false, issues: result.error.issues };
}

export type SchemaFault = z.core.$ZodIssue;
