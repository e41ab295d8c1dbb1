// What the system says of this process.

/** What it does not tell is absent. */
export interface ProcessFigures {
  readonly cpuSeconds?: number;
  readonly residentBytes?: number;
  readonly openFiles?: number;
  readonly mostFiles?: number;
  /** Clients that found a listening socket's queue full, of all programs of this network namespace. */
  readonly listenOverflows?: number;
}
