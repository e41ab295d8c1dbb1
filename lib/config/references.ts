// Which frontends send to which pools, and on which ports they listen: worked out once for a draft, since
// both may be named thousands of times.

import { nearest } from "../core/values/nearest.ts";
import type { Config } from "./config.ts";
import type { ConfigPath } from "./config_error.ts";
import type { ConfigDraft } from "./document.ts";

/** So many wrong names are compared with all pools; more are not told anyway. */
const MOST_GUESSES = 100;

/** The port of backends that name none, by the frontends of their pool; undefined when it cannot be told. */
export function defaultPortOf({ frontends }: Config, pool: string): number | undefined {
  const own = frontends.filter((frontend) =>
    frontend.pool === pool || frontend.location.some((rule) => rule.pool === pool)
  );
  const listen = own.flatMap((frontend) => frontend.listen);
  return onlyPort(new Set(listen.map((one) => one.transport === "tcp" ? one.port : 0)));
}

/** One port that all have; a unix socket counts as 0. */
function onlyPort(ports: ReadonlySet<number>): number | undefined {
  const [port, ...others] = ports;
  return port === undefined || port === 0 || others.length > 0 ? undefined : port;
}

export class References {
  readonly poolNames: readonly string[];
  /** Whether every frontend says where it sends, and every pool that it names is there. */
  readonly areSound: boolean;
  readonly #draft: ConfigDraft;
  /** By pool. */
  readonly #frontends = new Map<string, string[]>();
  readonly #ports = new Map<string, ReadonlySet<number>>();
  #guesses = 0;
  #poolPaths: readonly ConfigPath[] | undefined;

  constructor(draft: ConfigDraft) {
    this.#draft = draft;
    this.poolNames = Object.keys(draft.pools);
    let areSound = true;
    for (const [name, { location }] of Object.entries(draft.frontends)) {
      for (const pool of new Set([this.poolOf(name), ...location.map((rule) => rule.pool)])) {
        if (pool === undefined || !this.isPool(pool)) areSound = false;
        if (pool === undefined) continue;
        const frontends = this.#frontends.get(pool);
        if (frontends === undefined) this.#frontends.set(pool, [name]);
        else frontends.push(name);
      }
    }
    this.areSound = areSound;
  }

  isPool(name: string): boolean {
    return Object.hasOwn(this.#draft.pools, name);
  }

  /** The pool that a frontend sends to: the one it names, else the only one there is. */
  poolOf(frontend: string): string | undefined {
    const only = this.poolNames.length === 1 ? this.poolNames[0] : undefined;
    return this.#draft.frontends[frontend]?.pool ?? only;
  }

  /** The names of the frontends that send to a pool, always or by location. */
  frontendsOf(pool: string): readonly string[] {
    return this.#frontends.get(pool) ?? [];
  }

  /** Every port on which the frontends of a pool listen; a unix socket counts as 0. */
  portsOf(pool: string): ReadonlySet<number> {
    const known = this.#ports.get(pool);
    if (known !== undefined) return known;
    const listen = this.frontendsOf(pool)
      .flatMap((name) => this.#draft.frontends[name]?.listen ?? []);
    const ports = new Set(listen.map((one) => one.transport === "tcp" ? one.port : 0));
    this.#ports.set(pool, ports);
    return ports;
  }

  /** The port of a pool's backends that name none, or undefined when it cannot be told. */
  defaultPortOf(pool: string): number | undefined {
    return onlyPort(this.portsOf(pool));
  }

  /** The pool that was probably meant by a name. */
  guessPool(name: string): string | undefined {
    return this.#guesses++ < MOST_GUESSES ? nearest(name, this.poolNames) : undefined;
  }

  /** All places that name pools, and the sections around them; the same list each time. */
  get poolPaths(): readonly ConfigPath[] {
    return this.#poolPaths ??= [
      ["frontends"],
      ["pools"],
      ...Object.entries(this.#draft.frontends).flatMap(([name, { location }]): ConfigPath[] => [
        ["frontends", name, "pool"],
        ["frontends", name, "location"],
        ...location.map((_, index) => ["frontends", name, "location", index, "pool"]),
      ]),
    ];
  }
}
