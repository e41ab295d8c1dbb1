// What the program says of the keys of lb.conf, as the declarations say it: of all of them, or of one.

import { nearest } from "../core/values/nearest.ts";
import type { Declaration } from "../schema/declarations.ts";
import { quote } from "../schema/quote.ts";
import { document } from "./document.ts";
import { acceptedBy, sentence, wrapped } from "./example.ts";

/** Terminals have this many columns. */
const WIDTH = 80;

interface Key {
  /** Names that administrators choose are NAME. */
  readonly path: readonly string[];
  readonly declaration: Declaration;
}

/** Every key, each before those below it. */
const KEYS: readonly Key[] = keysBelow(document, []);

function keysBelow({ below }: Declaration, path: readonly string[]): Key[] {
  return Object.entries(below ?? {}).flatMap(([key, inner]) => {
    if (key === "*") return keysBelow(inner, inner.kind === "value" ? path : [...path, "NAME"]);
    const own = [...path, key];
    // Of what is chosen, each choice is a step. What one backend may say otherwise is explained where its pool says it.
    const isOverride = inner.kind === "section" && inner.about.example !== undefined;
    const [items] = inner.kind === "list" ? [inner.below?.["*"]] : [];
    const deeper = isOverride
      ? []
      : items === undefined
      ? keysBelow(inner, own)
      : keysBelow(items, own);
    return [{ path: own, declaration: inner }, ...deeper];
  });
}

/**
 * The keys that a path may mean, from the top: `sticky.ttl` is `pools.NAME.sticky.ttl`. Names and indexes that
 * stand in the path may be any.
 */
export function configKeys(path: string): string[] {
  return keysMeantBy(path).map((key) => key.path.join("."));
}

function keysMeantBy(path: string): readonly Key[] {
  const steps = path.replace(/\[\d*\]/g, "").split(".");
  const ending = KEYS.filter((key) => {
    const last = key.path.slice(-steps.length);
    return steps.length <= key.path.length &&
      last.every((step, index) => step === "NAME" || step === steps[index]);
  });
  const whole = ending.filter((key) => key.path.length === steps.length);
  return whole.length > 0 ? whole : ending;
}

/**
 * Says what a key is, what it accepts and its default, on lines of at most 80 characters; without a path, of
 * every key. Of a path that may mean several, all of them; of one that means none, what is known instead.
 */
export function helpConfig(path?: string): string {
  if (path === undefined) return KEYS.map((key) => describe(key)).join("\n");
  const meant = keysMeantBy(path);
  if (meant.length === 0) return unknownKey(path);
  return meant.flatMap((key) => [describe(key), ...keysOf(key)]).join("\n");
}

function describe({ path, declaration }: Key): string {
  const { about } = declaration;
  const otherwise = about.unset ?? (about.default === "" ? '""' : about.default);
  const facts = [
    sentence(about.doc),
    labelled("Accepts", acceptedBy(declaration)),
    about.required === undefined ? "" : `Required${about.required && ` ${about.required}`}.`,
    labelled("Default", otherwise),
    about.required === undefined && otherwise === undefined
      ? ""
      : labelled("Example", about.example),
    about.atStart ? "A change counts from the next start on." : "",
  ].filter((fact) => fact !== "");
  const lines = facts.flatMap((fact) => wrapped(fact, WIDTH - 2).map((line) => `  ${line}`));
  return `${[path.join("."), ...lines].join("\n")}\n`;
}

function labelled(label: string, text: string | undefined): string {
  return text === undefined ? "" : `${label}: ${text}`;
}

/** What stands directly below a key. */
function keysOf({ path }: Key): string[] {
  const below = KEYS.filter((key) => {
    const inside = key.path.slice(path.length);
    const depth = inside[0] === "NAME" ? 2 : 1;
    return inside.length === depth && path.every((step, index) => key.path[index] === step);
  });
  if (below.length === 0) return [];
  const names = below.map((key) => key.path.at(-1) ?? "").join(", ");
  return [`${wrapped(`Keys: ${names}`, WIDTH - 2).map((line) => `  ${line}`).join("\n")}\n`];
}

function unknownKey(path: string): string {
  const last = path.split(".").at(-1) ?? "";
  const names = [...new Set(KEYS.map((key) => key.path.at(-1) ?? ""))];
  const guess = nearest(last, names);
  const hint = guess === undefined
    ? 'expected one such as "sticky.ttl"'
    : `did you mean ${configKeys(guess).slice(0, 3).map(quote).join(" or ")}?`;
  return `Unknown key ${quote(path)}: ${hint}\n`;
}
