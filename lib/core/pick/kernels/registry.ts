// All kernels, by the number that stands in a PickTable.

import { FIRST } from "./first.ts";
import type { OutcomeWords, WhyWords } from "./kernel.ts";
import { LEAST_CONNECTIONS } from "./least_connections.ts";
import { MOST_FREE } from "./most_free.ts";
import { RANDOM } from "./random_row.ts";
import { ROTATION } from "./rotation.ts";
import { SOURCE_HASH } from "./source_hash.ts";
import { TOKEN } from "./token.ts";
import { TWO_CHOICES } from "./two_choices.ts";

const LIST = [
  ROTATION,
  MOST_FREE,
  LEAST_CONNECTIONS,
  RANDOM,
  TWO_CHOICES,
  SOURCE_HASH,
  FIRST,
  TOKEN,
] as const;

export type AnyKernel = typeof LIST[number];
type KeysOf<T> = T extends unknown ? keyof T : never;
/** How a connection is given a backend. */
export type PickKernel = AnyKernel["name"];
/** Why a kernel's winner won, in one word. */
export type KernelWhy = KeysOf<AnyKernel["why"]>;
/** Why a backend lost that a kernel could have chosen, in one word. */
export type KernelOutcome = KeysOf<AnyKernel["outcomes"]>;

export const KERNELS: readonly AnyKernel[] = LIST;

/** Names by number. */
export const KERNEL_NAMES: readonly PickKernel[] = LIST.map(({ name }) => name);

/** The kernel of that number; the first for a number that is none's. */
export function kernelAt(number: number): AnyKernel {
  return KERNELS[number] ?? ROTATION;
}

/** How people are told of each word. */
export const WHY_WORDS: ReadonlyMap<string, WhyWords> = new Map(
  KERNELS.flatMap(({ why }) => Object.entries(why)),
);
export const OUTCOME_WORDS: ReadonlyMap<string, OutcomeWords> = new Map(
  KERNELS.flatMap(({ outcomes }) => Object.entries(outcomes)),
);
