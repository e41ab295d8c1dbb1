// What a discovery source is: something that names the backends of a pool, again and again; and what is known
// of one before it is made.

import type { Clock, Random } from "../core/timing/clock.ts";
import { failure, type Result } from "../core/values/result.ts";
import type { DraftMapping, Section } from "../schema/declarations.ts";
import type { PartialAddress } from "../schema/balancer_values.ts";

/** A backend as a source names it. What it does not say, the pool's backend_defaults say. */
export interface DiscoveredBackend {
  /** Without a port, it is the pool's. */
  readonly address: PartialAddress;
  readonly cores?: number;
  /** 0 to MAX_WEIGHT (core/pool/backend.ts). */
  readonly weight?: number;
  /** Most sessions at a time; 0: no limit. */
  readonly maxConnections?: number;
}

/** All that a source names at one time. */
export interface DiscoveredList {
  readonly backends: readonly DiscoveredBackend[];
  /** What could not be read as a backend: where it stands, what was found, what was expected. */
  readonly skipped: readonly string[];
  /**
   * That nothing is in it was ordered: it is obeyed even with `on_empty: keep`. Absent: an empty list may
   * be somebody's mistake.
   */
  readonly isMeant?: true;
}

export interface DiscoverySource {
  /**
   * Yields the whole list each time: at first as soon as it is known, then whenever it changes (the same list
   * again does no harm). A throw says in its message why the source cannot be asked: the last list is kept,
   * and `watch` is called again after a while (back-off and jitter are the caller's). Ends or throws soon
   * after the signal is aborted, and has closed by then what it opened. Whatever waits for another has
   * a deadline, so that a silent one is found out.
   */
  watch(signal: AbortSignal): AsyncIterable<DiscoveredList>;
  /**
   * Told how the backends of its pool do, whenever that changes, where the protocol has the balancer write
   * something (Redis). Never throws; what cannot be written now is written later.
   */
  report?(backends: readonly ReportedBackend[]): void;
}

/** A backend of the pool as it stands. */
export interface ReportedBackend {
  /** Its address as text. */
  readonly id: string;
  /** Whether new sessions may go there. */
  readonly isUsable: boolean;
}

/** What discovery sources need of their surroundings. */
export interface DiscoverySurroundings {
  readonly clock: Clock;
  readonly random: Random;
  /** It is asked once, to see what it says: it writes nothing. */
  readonly isTrial?: true;
  /** Says something that people should know and that ends no watch. */
  readonly say: (level: "info" | "warning", text: string) => void;
  /** Says why there is no list yet, though it can be asked: said once, and told until there is one. */
  readonly waits: (reason: string) => void;
}

/** What one kind of discovery source is: all that other files know of it. */
interface About {
  /** One line for the manual: who names the backends. */
  readonly doc: string;
  /** How it is written as one text, in `discovery:` and behind --discover: "redis://HOST[:PORT][/DB]". */
  readonly form: string;
  /**
   * The keys of its section that a text of this form stands for; undefined: the text is of another source.
   * What is wrong within the text, the keys' own declarations say.
   */
  fromText(text: string): DraftMapping | undefined;
  /** What stands behind `refresh NAME`, for its help: "ZKURL BASEDIR". */
  readonly usage: string;
  /** The keys of its section that arguments of `refresh NAME` stand for. */
  fromArguments(args: readonly string[]): Result<DraftMapping>;
}

/** A kind of discovery source with its section, whose keys stand beside `source: NAME`. */
export interface DiscoverySourceKind<Name extends string, Own> {
  readonly name: Name;
  readonly section: Section<Own>;
  readonly about: About;
  create(own: Own, surroundings: DiscoverySurroundings): DiscoverySource;
}

/** Describes a kind of discovery source. */
export function discoverySourceKind<const Name extends string, Own>(
  name: Name,
  section: Section<Own>,
  about: About,
  create: (own: Own, surroundings: DiscoverySurroundings) => DiscoverySource,
): DiscoverySourceKind<Name, Own> {
  return { name, section, about, create };
}

/** Says that arguments of `refresh` are not what they should be. */
export function wrongArguments<T>(given: readonly string[], expected: string): Result<T> {
  return failure(
    given.length === 0
      ? `Cannot refresh from nothing: expected ${expected}`
      : `Cannot use ${given.length === 1 ? "one argument" : `${given.length} arguments`} here: ` +
        `expected ${expected}`,
  );
}

/** Takes a flag of `refresh KIND` with its value out of its arguments. */
export function withoutFlag(
  args: readonly string[],
  flag: string,
): { readonly value: string | undefined; readonly rest: readonly string[] } {
  const at = args.indexOf(flag);
  return at < 0
    ? { value: undefined, rest: args }
    : { value: args[at + 1] ?? "", rest: args.toSpliced(at, 2) };
}
