// Tables for people: rows of cells, padded to columns, colours around the padding.

import { paint } from "./output.ts";

export interface Cell {
  readonly text: string;
  /** Whether it stands at the right end of its column, as numbers do. */
  readonly right?: boolean;
  /** An SGR code. */
  readonly code?: number;
}

export interface DrawnTable {
  readonly lines: readonly string[];
  /** How wide the widest line is. */
  readonly columns: number;
}

/** Draws rows of the same number of cells each; headings are the first of them. */
export function drawTable(rows: readonly (readonly Cell[])[], colours: boolean): DrawnTable {
  const widths = (rows[0] ?? []).map((_, column) =>
    // Not by Math.max(...): there may be very many rows.
    rows.reduce((most, row) => Math.max(most, row[column]?.text.length ?? 0), 0)
  );
  const lines = rows.map((row) =>
    row.map(({ text, right, code }, column) => {
      const width = widths[column] ?? 0;
      const padded = right ? text.padStart(width) : text.padEnd(width);
      return code === undefined ? padded : paint(padded, code, colours);
    }).join("  ").trimEnd()
  );
  return { lines, columns: widths.reduce((sum, width) => sum + width + 2, -2) };
}
