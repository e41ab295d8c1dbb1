// One picture of the demo's live table, cut to the size of the screen.

import type { BackendReport, StatusReport } from "../../admin/report.ts";
import { BOLD, clip, DIM, paint, RED } from "../output.ts";
import { renderPool } from "../status_table.ts";
import type { ClientCounts } from "./clients.ts";

const HOME = "\x1b[H";
const CLEAR_LINE_END = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

export interface Frame {
  readonly report: StatusReport;
  readonly port: number;
  readonly counts: ClientCounts;
  readonly secondsLeft: number;
  readonly colours: boolean;
  readonly rows: number;
  readonly columns: number;
}

/** Draws over the picture before; a line that wrapped would push all below it out of place. */
export function drawFrame(frame: Frame): string {
  const { report, port, counts, secondsLeft, colours, rows, columns } = frame;
  const lines = [
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
  const shown = lines.slice(0, Math.max(1, rows - 1)).map((line) => clip(line, columns));
  return HOME + shown.map((line) => line + CLEAR_LINE_END + "\n").join("") + CLEAR_BELOW;
}

/** The terminal's size, or that of a terminal from before there were sizes. */
export function screenSize(): { readonly rows: number; readonly columns: number } {
  try {
    const { rows, columns } = Deno.consoleSize();
    return { rows: rows || 24, columns: columns || 80 };
  } catch {
    return { rows: 24, columns: 80 };
  }
}

/** Cores as boxes, those with a session filled. */
function bar(backend: BackendReport): string {
  const busy = Math.min(backend.active, backend.cores);
  const waiting = backend.active - busy;
  const boxes = "#".repeat(busy) + ".".repeat(Math.max(0, backend.cores - busy)) +
    "!".repeat(waiting);
  return `${backend.id.padEnd(7)} [${boxes}]`;
}
