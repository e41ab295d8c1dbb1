// The load sources of one pool: one for each way in which its backends are asked, most often one for all.

import type { BackendConfig, LoadConfig, PoolConfig } from "../config/config.ts";
import type { Backend } from "../core/pool/backend.ts";
import { type Address, formatAddress } from "../core/values/address.ts";
import { counted } from "../core/values/counted.ts";
import type { LoadSource } from "../load/load_source.ts";
import { loadSourceKindOf } from "../load/registry.ts";

interface Shared {
  readonly source: LoadSource;
  /** Where each backend is asked, by its id. */
  readonly places: Map<string, string>;
}

export class LoadSources implements AsyncDisposable {
  readonly #create: (config: LoadConfig) => LoadSource | undefined;
  #bySignature = new Map<string, Shared>();
  #byBackend = new Map<string, LoadSource>();
  /** Backends that are asked at an address of theirs, by TCP. */
  #asked: ReadonlySet<string> = new Set();

  constructor(create: (config: LoadConfig) => LoadSource | undefined) {
    this.#create = create;
  }

  /** Backends that have a source. */
  get ids(): readonly string[] {
    return [...this.#byBackend.keys()];
  }

  of(backendId: string): LoadSource | undefined {
    return this.#byBackend.get(backendId);
  }

  /** The address at which a backend itself is asked; undefined when the source finds its own way. */
  addressOf({ id, address, loadAddress = address }: Backend): Address | undefined {
    return this.#asked.has(id) ? loadAddress : undefined;
  }

  /** Those of these backends whose source would stay the same, and would ask at the same place. */
  staying(backends: readonly BackendConfig[], poolLoad: LoadConfig): string[] {
    return backends.filter((backend) => {
      const shared = this.#bySignature.get(signatureOf(backend.load ?? poolLoad));
      return shared?.places.get(backend.id) === placeOf(backend);
    }).map(({ id }) => id);
  }

  /**
   * Makes these the backends. Sources that are still used are kept with all they have learnt, but for
   * what they hold of backends that are asked elsewhere now.
   */
  async assign(backends: readonly BackendConfig[], poolLoad: LoadConfig): Promise<void> {
    const bySignature = new Map<string, Shared>();
    const byBackend = new Map<string, LoadSource>();
    const asked = new Set<string>();
    for (const backend of backends) {
      const config = backend.load ?? poolLoad;
      const kind = loadSourceKindOf(config.source);
      if (kind?.asksBackendsBy(config) && !kind.about.hasOwnNames) asked.add(backend.id);
      const signature = signatureOf(config);
      let shared = bySignature.get(signature);
      if (shared === undefined) {
        const source = this.#bySignature.get(signature)?.source ?? this.#create(config);
        if (source === undefined) continue;
        shared = { source, places: new Map() };
        bySignature.set(signature, shared);
      }
      shared.places.set(backend.id, placeOf(backend));
      byBackend.set(backend.id, shared.source);
    }
    const old = this.#bySignature;
    this.#bySignature = bySignature;
    this.#byBackend = byBackend;
    this.#asked = asked;
    for (const [signature, { source, places: before }] of old) {
      const kept = bySignature.get(signature)?.places;
      if (kept === undefined) await source[Symbol.asyncDispose]();
      else for (const [id, place] of before) if (kept.get(id) !== place) source.forget?.(id);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#bySignature.values()];
    this.#bySignature = new Map();
    this.#byBackend = new Map();
    await Promise.all(all.map(({ source }) => source[Symbol.asyncDispose]()));
  }
}

/** So many backends with a source of their own are named, more are counted. */
const MOST_NAMED = 3;

/** The pool's source, and those of backends that have another: "nrpe (hoek:22 by ssh)". */
export function describeSources({ load, backends }: PoolConfig): string {
  const bySource = new Map<string, string[]>();
  for (const { id, load: { source } = load } of backends) {
    bySource.set(source, [...bySource.get(source) ?? [], id]);
  }
  const own = bySource.get(load.source) ?? [];
  bySource.delete(load.source);
  const [only, ...more] = bySource.keys();
  if (only === undefined) return load.source;
  // Nobody is asked by the pool's.
  if (own.length === 0 && more.length === 0) return only;
  const others = [...bySource].map(([source, ids]) =>
    `${ids.length > MOST_NAMED ? counted(ids.length, "backend") : ids.join(", ")} by ${source}`
  );
  return `${load.source} (${others.join(", ")})`;
}

/** Where a backend is asked; its own address never changes, since that is its id. */
function placeOf({ loadAddress, id }: BackendConfig): string {
  return loadAddress === undefined ? id : formatAddress(loadAddress);
}

/** What a source is made of: the part of the configuration that its kind reads. */
function signatureOf(config: LoadConfig): string {
  const kind = loadSourceKindOf(config.source);
  if (kind === undefined) return config.source;
  const { name, about } = kind;
  return JSON.stringify([name, config[name], about.heedsInterval ? config.intervalMs : null]);
}
