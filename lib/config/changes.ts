// What one configuration changes in another, in one line and in the words of lb.conf: what a reload says.

import { counted } from "../core/values/counted.ts";
import { discoverySource, nameOfSource } from "../discovery/registry.ts";
import type { Config, PoolConfig } from "./config.ts";
import type { About, Declaration, Draft } from "../schema/declarations.ts";
import { document, frontend } from "./document.ts";
import { backendSection, pool as poolSection } from "./pool_section.ts";
import { draftBackend, draftConfig } from "./write_config.ts";

/** What is said when every key is as it was. */
export const NO_CHANGE = "no setting has changed";

/** Most characters of a description; what does not fit is counted at its end. */
export const MOST_CHANGE_TEXT = 600;

/** Keys that only the start heeds. */
export const AT_START = ["engine", "admin", "user"] as const;

/** So many names of a kind are said, the others counted. */
const MOST_NAMES = 6;
const MOST_NAME = 64;
const MOST_VALUE = 40;

type Drafts = Readonly<Record<string, Draft | undefined>>;

interface Group {
  /** What the changes are of; "": the whole file. */
  readonly head: string;
  readonly changes: readonly string[];
}

/** What has changed in files that a configuration names. */
export interface FileChanges {
  /** Whether location rules come to other ranges of addresses. */
  readonly ranges: boolean;
  /** Frontends whose lists come to other networks. */
  readonly lists: readonly string[];
}

const NO_FILE_CHANGES: FileChanges = { ranges: false, lists: [] };

/**
 * Says what is another in `after` than in `before`: frontends and pools that come and go, their backends
 * and keys, and all other keys, on one line of at most {@linkcode MOST_CHANGE_TEXT} characters;
 * {@linkcode NO_CHANGE} when nothing is. Values that may be secrets are not in it.
 * @param started what the process began with, and goes on with where only a start heeds a key.
 * @param files what has changed in files that the configurations name, told where they name the same.
 */
export function describeChanges(
  before: Config,
  after: Config,
  files: FileChanges = NO_FILE_CHANGES,
  started: Config = before,
): string {
  const { frontends: oldFrontends, pools: oldPools, ...oldRest } = split(before);
  const { frontends, pools, ...rest } = split(after);
  const groups: Group[] = [
    { head: "frontends", changes: comings(Object.keys(oldFrontends), Object.keys(frontends)) },
    { head: "pools", changes: comings(Object.keys(oldPools), Object.keys(pools)) },
  ];
  for (const [name, keys] of Object.entries(frontends)) {
    const old = oldFrontends[name];
    if (old === undefined) continue;
    const isSame =
      JSON.stringify([old.allow, old.deny]) === JSON.stringify([keys.allow, keys.deny]);
    const lists = isSame && files.lists.includes(name)
      ? ["the files of allow and deny have other networks"]
      : [];
    const changes = [...keysThatChanged(frontend, old, keys), ...lists];
    groups.push({ head: `frontend ${name}`, changes });
  }
  const oldByName = new Map(before.pools.map((pool) => [pool.name, pool]));
  for (const pool of after.pools) {
    const old = oldByName.get(pool.name);
    const [oldKeys, keys] = [oldPools[pool.name], pools[pool.name]];
    if (old === undefined || oldKeys === undefined || keys === undefined) continue;
    const changes = [
      ...backendsThatChanged(old, pool),
      ...sourcesThatChanged(old, pool),
      ...keysThatChanged(poolSection, oldKeys, keys),
    ];
    groups.push({ head: `pool ${pool.name}`, changes });
  }
  const rulesOf = ({ frontends, locationDatabase }: Config) =>
    JSON.stringify([locationDatabase, frontends.map(({ name, location }) => [name, location])]);
  const ranges = files.ranges && rulesOf(before) === rulesOf(after)
    ? ["location_database has other ranges"]
    : [];
  groups.push({
    head: "",
    changes: [
      ...keysAtStart(before, after, started),
      ...keysThatChanged(document, oldRest, rest),
      ...ranges,
    ],
  });
  return write(groups.filter(({ changes }) => changes.length > 0));
}

/** The drafts of a configuration, those of frontends and pools by name; who names backends is left out. */
function split(config: Config) {
  const { frontends, pools, engine: _engine, admin: _admin, user: _user, ...rest } = draftConfig(
    config,
  );
  return { ...rest, frontends: byName(frontends), pools: byName(pools, ["backends", "discovery"]) };
}

function byName(
  drafts: Draft | undefined,
  without: readonly string[] = [],
): Readonly<Record<string, Drafts>> {
  const named: [string, Drafts][] = [];
  for (const [name, draft] of Object.entries(isTree(drafts) ? drafts : {})) {
    if (!isTree(draft)) continue;
    named.push([
      name,
      Object.fromEntries(Object.entries(draft).filter(([key]) => !without.includes(key))),
    ]);
  }
  return Object.fromEntries(named);
}

function backendsThatChanged(before: PoolConfig, after: PoolConfig): string[] {
  const [oldIds, ids] = [idsOf(before), idsOf(after)];
  const old = new Map(
    before.backends.map((backend) => [backend.id, draftBackend(backend, before)]),
  );
  const changed = after.backends.flatMap((backend) => {
    const was = old.get(backend.id);
    const changes = was === undefined
      ? []
      : keysThatChanged(backendSection, was, draftBackend(backend, after));
    return changes.length === 0 ? [] : [`${shorten(backend.id)} (${changes.join(", ")})`];
  });
  const stayed = oldIds.filter((id) => ids.includes(id));
  const inOrder = ids.filter((id) => old.has(id)).every((id, index) => id === stayed[index]);
  return [
    ...comings(oldIds, ids),
    ...changed.slice(0, MOST_NAMES),
    ...(changed.length > MOST_NAMES ? [counted(changed.length - MOST_NAMES, "more backend")] : []),
    ...(inOrder ? [] : ["backends in another order"]),
  ];
}

/** The discovery sources that come, go and are configured otherwise. */
function sourcesThatChanged(before: PoolConfig, after: PoolConfig): string[] {
  const drafts = ({ discovery }: PoolConfig) =>
    discovery.map((one) =>
      [nameOfSource(one), JSON.stringify(discoverySource.write(one))] as const
    );
  const [was, is] = [new Map(drafts(before)), new Map(drafts(after))];
  const others = [...is].flatMap(([name, draft]) =>
    was.has(name) && was.get(name) !== draft ? [`discovery ${shorten(name)} changed`] : []
  );
  const order = ([...names]: Iterable<string>, others: ReadonlyMap<string, string>) =>
    names.filter((name) => others.has(name)).join("\n");
  const isSameOrder = order(was.keys(), is) === order(is.keys(), was);
  return [
    ...comings([...was.keys()], [...is.keys()]).map((change) => `discovery ${change}`),
    ...others,
    ...(isSameOrder ? [] : ["discovery in another order"]),
  ];
}

function idsOf({ backends }: PoolConfig): string[] {
  return backends.map(({ id }) => id);
}

/** "+name" for each that is new, "-name" for each that is gone. */
function comings(before: readonly string[], after: readonly string[]): string[] {
  const [had, has] = [new Set(before), new Set(after)];
  return [
    ...sign("+", after.filter((name) => !had.has(name))),
    ...sign("-", before.filter((name) => !has.has(name))),
  ];
}

function sign(mark: string, names: readonly string[]): string[] {
  const said = names.slice(0, MOST_NAMES).map((name) => mark + shorten(name));
  const more = names.length - said.length;
  return more === 0 ? said : [...said, `${mark}${more} more`];
}

/** The same of keys that only the start heeds: they may come back to what runs already. */
function keysAtStart(before: Config, after: Config, started: Config): string[] {
  const [was, is, runs] = [before, after, started].map(draftConfig);
  return AT_START.flatMap((key) => {
    const runsAlready = JSON.stringify(is?.[key]) === JSON.stringify(runs?.[key]);
    return keysThatChanged(document, { [key]: was?.[key] }, { [key]: is?.[key] })
      .map((change) => `${change} (${runsAlready ? "as it runs already" : "at the next start"})`);
  });
}

/** "key old -> new" for each key of a declaration whose value is another one. */
function keysThatChanged(of: Declaration, before: Drafts, after: Drafts, above = ""): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].flatMap((name) => {
    const [was, is] = [before[name], after[name]];
    const declaration = of.below?.[name] ?? of.below?.["*"] ?? of;
    // What is marked in a section is so in all that is below.
    const about = { ...of.about, ...declaration.about };
    const key = `${above}${name}`;
    if (isTree(was) && isTree(is)) {
      return keysThatChanged({ ...declaration, about }, was, is, `${key}.`);
    }
    return JSON.stringify(was) === JSON.stringify(is) ? [] : [describeKey(key, about, was, is)];
  });
}

function describeKey(
  key: string,
  { isUntold }: About,
  was: Draft | undefined,
  is: Draft | undefined,
): string {
  const [from, to] = [textOf(was), textOf(is)];
  const told = from !== undefined && to !== undefined && !isUntold;
  return told ? `${shorten(key)} ${from} -> ${to}` : `${shorten(key)} changed`;
}

/** A value on few characters, undefined where it takes more. */
function textOf(value: Draft | undefined): string | undefined {
  if (value === undefined) return "unset";
  if (isTree(value)) return undefined;
  const items = typeof value === "object" && value !== null ? value : [value];
  if (items.some((item) => typeof item === "object" && item !== null)) return undefined;
  const text = items.length === 0 ? "none" : items.map(String).join(",") || '""';
  return text.length > MOST_VALUE ? undefined : text;
}

function isTree(value: Draft | undefined): value is Readonly<Record<string, Draft>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shorten(name: string): string {
  return name.length > MOST_NAME ? `${name.slice(0, MOST_NAME - 3)}...` : name;
}

/** Groups on one line, as many changes as there is room for. */
function write(groups: readonly Group[]): string {
  // So much for "; and 12345 more".
  const room = MOST_CHANGE_TEXT - 20;
  let text = "";
  let left = 0;
  for (const { head, changes } of groups) {
    let started = false;
    for (const change of changes) {
      const before = started ? ", " : `${text === "" ? "" : "; "}${head === "" ? "" : `${head}: `}`;
      if (left > 0 || text.length + before.length + change.length > room) {
        left++;
        continue;
      }
      text += before + change;
      started = true;
    }
  }
  if (text === "" && left === 0) return NO_CHANGE;
  if (left === 0) return text;
  return text === "" ? counted(left, "change") : `${text}; and ${left} more`;
}
