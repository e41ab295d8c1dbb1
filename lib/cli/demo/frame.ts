// One picture of the demo's live table.

import type { BackendReport, StatusReport } from "../../admin/report.ts";
import { BOLD, DIM, paint, RED } from "../output.ts";
import { renderPool } from "../status_table.ts";
import type { ClientCounts } from "./clients.ts";

export interface Frame {
  readonly report: StatusReport;
  readonly port: number;
  readonly counts: ClientCounts;
  readonly secondsLeft: number;
  readonly colours: boolean;
}

/** The picture's lines. */
export function drawFrame(frame: Frame): string[] {
  const { report, port, counts, secondsLeft, colours } = frame;
  return [
    paint(
      `compute-lb demo: the balancer on 127.0.0.1:${port}, ${secondsLeft} s left`,
      BOLD,
      colours,
    ),
    "Backends with 4, 8 and 16 cores answer NRPE; a session keeps one core busy.",
    paint(
      "Their load average lags by a minute, as the kernel's does.",
      DIM,
      colours,
    ),
    "",
    ...report.pools.flatMap((pool) => renderPool(pool, Date.parse(report.now), colours)),
    "",
    ...report.pools.flatMap((pool) => pool.backends.map(bar)),
    "",
    paint("# a core with a session  . a core without  ! a session that has to wait", DIM, colours),
    paint(
      "FREE is not counted: the balancer estimates it from the loads it is told.",
      DIM,
      colours,
    ),
    "",
    `clients: ${counts.started} arrived, ${counts.served} served, ` +
    paint(`${counts.failed} failed`, counts.failed === 0 ? DIM : RED, colours),
  ];
}

/** Cores as boxes, those with a session filled. */
function bar(backend: BackendReport): string {
  const busy = Math.min(backend.active, backend.cores);
  const waiting = backend.active - busy;
  const boxes = "#".repeat(busy) + ".".repeat(Math.max(0, backend.cores - busy)) +
    "!".repeat(waiting);
  return `${backend.id.padEnd(7)} [${boxes}]`;
}
