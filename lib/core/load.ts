// What a load source says of a backend, as values.

/** One reading of a backend's load. */
export interface LoadSample {
  /** The one-minute load average: mean number of running and waiting tasks, 0 or more. */
  readonly load1: number;
  /** CPU cores, when the source knows. */
  readonly cores?: number;
  /** MemAvailable in bytes, when the source knows. */
  readonly memoryAvailableBytes?: number;
  /** When the reading was taken, by our Clock's now(). */
  readonly takenAtMs: number;
}

/** What came of asking: a backend that does not answer is a value, not a throw. */
export type LoadResult =
  /** A load. */
  | { readonly kind: "sample"; readonly sample: LoadSample }
  /** The source vouches for the backend but has no number (exec: ONLINE). */
  | { readonly kind: "online" }
  /** The source says that no session must be sent there (exec: OFFLINE). */
  | { readonly kind: "offline" }
  /** The source did not answer, or not in its protocol. */
  | { readonly kind: "failed"; readonly reason: string };
