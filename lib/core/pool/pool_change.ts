// What a pool tells people.

/** Something that people want to know when it happens. */
export interface PoolChange {
  readonly level: "info" | "warning";
  readonly backend: string;
  /** What happened, as a sentence without the backend's name. */
  readonly text: string;
}
