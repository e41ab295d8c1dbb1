// The load sources, in the order in which messages list them.

import { agent } from "./agent.ts";
import { exec } from "./exec.ts";
import { gmond } from "./gmond.ts";
import { http } from "./http_json.ts";
import type { LoadSource, Surroundings } from "./load_source.ts";
import { nrpe } from "./nrpe.ts";
import { ssh } from "./ssh.ts";
import type { ValueOf } from "../schema/declarations.ts";

/** One line for each. */
export const LOAD_SOURCE_KINDS = [
  nrpe,
  ssh,
  agent,
  exec,
  gmond,
  http,
] as const;

type Kind = typeof LOAD_SOURCE_KINDS[number];

/** As `load.source` names them; with "none" nobody is asked. */
export type LoadSourceName = Kind["name"] | "none";
export const LOAD_SOURCES: readonly LoadSourceName[] = [
  ...LOAD_SOURCE_KINDS.map(({ name }) => name),
  "none",
];

type Sections = { readonly [K in Kind as K["name"]]: K["section"] };

/** The sections of all load sources, as they stand in `load`. */
export const LOAD_SECTIONS = Object.fromEntries(
  LOAD_SOURCE_KINDS.map(({ name, section }) => [name, section]),
  // The list's own type says which names there are.
) as Sections;

/** What they read. */
export type LoadSections = { readonly [N in keyof Sections]: ValueOf<Sections[N]> };

/** The kind of that name; undefined for "none". */
export function loadSourceKindOf(name: LoadSourceName): Kind | undefined {
  return LOAD_SOURCE_KINDS.find((kind) => kind.name === name);
}

/** Makes the load source of that name; undefined for "none". */
export function createLoadSource(
  name: LoadSourceName,
  sections: LoadSections,
  surroundings: Surroundings,
): LoadSource | undefined {
  return loadSourceKindOf(name)?.create(sections, surroundings);
}
