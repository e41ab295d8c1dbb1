// What a load source is: something that can be asked how busy a backend is; and what is known of one before
// it is made.

import type { Backend } from "../core/pool/backend.ts";
import type { LoadResult } from "../core/pool/load.ts";
import type { AnonymousTls } from "../core/serving/byte_channel.ts";
import type { Clock, Random } from "../core/timing/clock.ts";
import type { DraftMapping, Section } from "../schema/declarations.ts";

export interface LoadSource extends AsyncDisposable {
  /**
   * Asks once. Never rejects: a backend that does not answer is a `failed` result, and so is an
   * aborted signal (the caller's deadline).
   */
  sample(backend: Backend, signal: AbortSignal): Promise<LoadResult>;
  /** Lets go of what is held for a backend that has left the pool; absent: nothing is. */
  forget?(backendId: string): void;
}

/** What load sources need of their surroundings. */
export interface Surroundings {
  readonly clock: Clock;
  readonly random: Random;
  /** How often each backend is asked. */
  readonly intervalMs: number;
  /** How daemons with anonymous TLS are reached; see host/libssl.ts. */
  readonly anonymousTls?: AnonymousTls;
}

/** A fault between the keys of a load section. Paths begin at the section. */
export interface SourceFault {
  readonly path: readonly string[];
  readonly message: string;
  /** What it was concluded from besides. */
  readonly dependsOn: readonly (readonly string[])[];
}

/** What one kind of load source is: all that other files know of it. */
interface About<Own> {
  /** One line for the manual: how it asks. */
  readonly doc: string;
  /** Whether it can tell free memory, and pressure (PSI). */
  readonly tellsMemory: boolean;
  readonly tellsPressure: boolean;
  /** Whether its load is the kernel's own average at the moment of asking. */
  readonly isKernelAverage: boolean;
  /** How old a sample may be by default, at least. */
  readonly freshMs?: number;
  /** Whether the interval of the pool changes how it asks. */
  readonly heedsInterval?: boolean;
  /** The port at which a backend is asked; absent: the backend's own. */
  port?(own: Own): number | undefined;
  /** Whether each backend itself is asked by TCP. */
  asksBackends?(own: Own): boolean;
  /** Whether hosts may have names of its own, such as those of ssh_config, which the system does not know. */
  readonly hasOwnNames?: true;
  /** Faults between its keys. */
  check?(own: Own, isChosen: boolean): SourceFault[];
  /** Keys of the pool that do not count for a backend that says this. */
  drops?(override: DraftMapping): readonly string[];
}

/** A kind of load source with its section, which stands under its name in `load`. */
export interface LoadSourceKind<Name extends string, Own> {
  readonly name: Name;
  readonly section: Section<Own>;
  readonly about: About<Own>;
  portOf(load: Readonly<Record<Name, Own>>): number | undefined;
  asksBackendsBy(load: Readonly<Record<Name, Own>>): boolean;
  faultsIn(load: Readonly<Record<Name, Own>>, isChosen: boolean): SourceFault[];
  create(load: Readonly<Record<Name, Own>>, surroundings: Surroundings): LoadSource;
}

/** Describes a kind of load source. */
export function loadSourceKind<const Name extends string, Own>(
  name: Name,
  section: Section<Own>,
  about: About<Own>,
  create: (own: Own, surroundings: Surroundings) => LoadSource,
): LoadSourceKind<Name, Own> {
  return {
    name,
    section,
    about,
    portOf: (load) => about.port?.(load[name]),
    asksBackendsBy: (load) => about.asksBackends?.(load[name]) ?? false,
    faultsIn: (load, isChosen) => about.check?.(load[name], isChosen) ?? [],
    create: (load, surroundings) => create(load[name], surroundings),
  };
}
