// Compiles what holds for clients by where they come from: who may come in (access.ts), and the frontends'
// location rules, with the database of countries where they name any.

import type { FileChanges } from "../config/changes.ts";
import type { Config, FrontendConfig } from "../config/config.ts";
import { messageOf } from "../core/values/errors.ts";
import { type Location, LocationTable } from "../core/location/location_table.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { type Countries, readCountries } from "../location/country_database.ts";
import { type Access, compileAccessLists, type NamedFault } from "./access.ts";

/** What holds for clients by where they come from. */
export interface Locations {
  readonly access: Access;
  /** Where they go, by frontend; none for one without rules. */
  readonly byFrontend: ReadonlyMap<string, Location>;
  /** What is odd, and no reason to stop. */
  readonly warnings: readonly string[];
}

/** A configuration without rules and lists. */
export const NO_LOCATIONS: Locations = { access: new Map(), byFrontend: new Map(), warnings: [] };

/** What came of compiling. */
export type CompiledLocations =
  | { readonly ok: true; readonly value: Locations }
  | { readonly ok: false; readonly faults: readonly NamedFault[] };

/** More than any database of countries or cities has. */
const MAX_FILE_BYTES = 1024 ** 3;

/** Compiles every frontend's lists and rules; reads the files anew that they name, with all their faults. */
export async function compileLocations(config: Config): Promise<CompiledLocations> {
  const [{ access, faults, warnings }, rules] = await Promise.all([
    compileAccessLists(config),
    compileRules(config),
  ]);
  const all = rules.ok
    ? faults
    : [...faults, { at: ["location_database"], message: rules.message }];
  if (!rules.ok || all.length > 0) return { ok: false, faults: all };
  const { byFrontend } = rules.value;
  return {
    ok: true,
    value: { access, byFrontend, warnings: [...warnings, ...rules.value.warnings] },
  };
}

async function compileRules(config: Config): Promise<Result<Omit<Locations, "access">>> {
  const frontends = config.frontends.filter(({ location }) => location.length > 0);
  const rules = frontends.flatMap(({ location }) => location);
  const codes = [...new Set(rules.flatMap(({ countries }) => countries))].sort();
  const path = config.locationDatabase;
  let countries: Countries | undefined;
  if (codes.length > 0 && path !== undefined) {
    const file = await readDatabase(path);
    const read = file.ok ? readCountries(file.value, codes) : file;
    if (!read.ok) {
      return failure(`Cannot use "${path}" as a database of countries: ${read.message}`);
    }
    countries = read.value;
  }
  const absent = countries?.absent ?? [];
  return success({
    byFrontend: new Map(frontends.map((one) => [one.name, locationOf(one, countries)])),
    warnings: absent.length === 0
      ? []
      : [`location: "${path}" has no address in ${absent.join(", ")}`],
  });
}

function locationOf(
  { pool, location }: FrontendConfig,
  countries: Countries | undefined,
): Location {
  const pools = [...new Set([pool, ...location.map((rule) => rule.pool)])];
  const numbers = new Map(pools.map((name, number) => [name, number]));
  const rules = location.map((rule) => ({ ...rule, pool: numbers.get(rule.pool) ?? 0 }));
  return { pools, table: LocationTable.compile(rules, countries) };
}

async function readDatabase(path: string): Promise<Result<Uint8Array>> {
  try {
    const { isFile, size } = await Deno.stat(path);
    if (!isFile) return failure("it is no regular file");
    if (size > MAX_FILE_BYTES) return failure(`it has ${size} bytes, expected 1 GiB at most`);
    return success(await Deno.readFile(path));
  } catch (error) {
    const isMissing = error instanceof Deno.errors.NotFound;
    return failure(isMissing ? "there is no such file" : messageOf(error));
  }
}

/** What other files would have made of the same configuration. */
export function fileChanges(before: Locations, after: Locations): FileChanges {
  return { ranges: hasOtherRanges(before, after), lists: frontendsOfOtherAccess(before, after) };
}

/** Whether clients from somewhere go elsewhere than before. */
function hasOtherRanges(before: Locations, after: Locations): boolean {
  const [old, now] = [before.byFrontend, after.byFrontend];
  return old.size !== now.size || now.entries().some(([frontend, { table, pools }]) => {
    const was = old.get(frontend);
    return was === undefined || was.pools.join() !== pools.join() ||
      !isSameTable(was.table, table);
  });
}

/** Frontends into which others may come than before. */
function frontendsOfOtherAccess(before: Locations, after: Locations): string[] {
  const [old, now] = [before.access, after.access];
  return [...new Set([...old.keys(), ...now.keys()])].filter((frontend) => {
    const [was, is] = [old.get(frontend), now.get(frontend)];
    return was === undefined || is === undefined ? was !== is : !isSameTable(was, is);
  });
}

/** Anything compiled into shared memory. */
type Compiled = Pick<LocationTable, "buffer">;

function isSameTable(one: Compiled, other: Compiled): boolean {
  const [a, b] = [new Uint8Array(one.buffer), new Uint8Array(other.buffer)];
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
