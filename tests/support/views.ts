// What estimates are shown of backends, from a line for each.

import type { PoolView } from "../../lib/core/pool/member_view.ts";
import { backendAt } from "./backends.ts";

/** A backend of which little is known; without a load1 it has no sample. */
export interface ViewLine {
  readonly row: number;
  readonly id: string;
  readonly cores: number;
  readonly usable: boolean;
  readonly load1?: number;
  readonly takenAtMs?: number;
  readonly sessionCost?: number;
  readonly weight?: number;
  readonly memoryFactor?: number;
}

export function viewOf(lines: readonly ViewLine[]): PoolView {
  return lines.map(({ id, weight = 1, load1, takenAtMs = 0, sessionCost, ...rest }) => ({
    ...rest,
    backend: { ...backendAt(id), id },
    weight,
    ...(load1 === undefined ? {} : {
      load: { load1, takenAtMs, ...(sessionCost === undefined ? {} : { sessionCost }) },
    }),
  }));
}
