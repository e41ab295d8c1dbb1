import { assert, assertEquals } from "@std/assert";
import type { BackendReport, StatusReport } from "../../../lib/admin/report.ts";
import { drawTop, TopChoice } from "../../../lib/cli/top_view.ts";
import { BACKEND, POOL, REPORT } from "./reports.ts";

const MORE: readonly Partial<BackendReport>[] = [
  { id: "a:22", active: 1, total: 10, load1: 3, free: 1 },
  { id: "b:22", active: 3, total: 30, load1: null, free: null, usable: false, state: "down" },
  { id: "c:22", active: 2, total: 20, load1: 1, free: 2 },
];

function reportOf(
  seconds: number,
  backends: readonly Partial<BackendReport>[] = MORE,
): StatusReport {
  const now = new Date(Date.parse(REPORT.now) + seconds * 1000).toISOString();
  return {
    ...REPORT,
    now,
    pools: [{ ...POOL, backends: backends.map((one) => ({ ...BACKEND, ...one })) }],
  };
}

/** First words of the rows below the headings. */
function order(lines: readonly string[]): string[] {
  const at = lines.findIndex((line) => line.startsWith("BACKEND"));
  return lines.slice(at + 1).filter((line) => line !== "").map((line) => line.split(" ")[0] ?? "");
}

Deno.test("drawTop() sorts by the column that keys have chosen, what is unknown last", () => {
  const choice = new TopChoice();
  const drawn = () => order(drawTop(reportOf(0), undefined, choice, false));
  assertEquals(drawn(), ["b:22", "c:22", "a:22"]);
  choice.pressed("r");
  assertEquals(drawn(), ["a:22", "c:22", "b:22"]);
  choice.pressed("<");
  assertEquals(drawn(), ["a:22", "c:22", "b:22"]);
  choice.pressed("r");
  assertEquals(drawn(), ["c:22", "a:22", "b:22"]);
  for (let i = 0; i < 5; i++) choice.pressed("\x1b[D");
  assertEquals(drawn(), ["a:22", "b:22", "c:22"]);
  assert(choice.pressed("x"));
  assert(!choice.pressed("q"));
});

Deno.test("drawTop() tells what has come in a second since the report before", () => {
  const later = MORE.map((one) => ({ ...one, total: (one.total ?? 0) + 5 }));
  const lines = drawTop(reportOf(2, later), reportOf(0), new TopChoice(), false);
  assertEquals(lines.filter((line) => / 2\.5 /.test(line)).length, 3);
  // A backend that was not there before, and one that has begun anew.
  const other = [{ ...MORE[0], id: "new:22" }, { ...MORE[1], total: 0 }];
  const [fresh = "", anew = ""] = drawTop(reportOf(2, other), reportOf(0), new TopChoice(), false)
    .filter((line) => /^(new|b):22/.test(line)).toSorted().toReversed();
  assert(/ - +10$/.test(fresh), fresh);
  assert(/ 0\.0 +0$/.test(anew), anew);
});

Deno.test("drawTop() fits the screen, and scrolls no further than its last row", () => {
  const many = Array.from({ length: 100 }, (_, i) => ({ id: `n${i}`, active: 100 - i }));
  const choice = new TopChoice();
  const drawn = () =>
    drawTop(reportOf(0, many), undefined, choice, false, { rows: 20, columns: 80 });
  assertEquals(drawn().length, 19);
  for (let i = 0; i < 200; i++) choice.pressed("\x1b[B");
  const rows = order(drawn()).filter((word) => word.startsWith("n"));
  assertEquals(rows.at(-1), "n99");
  choice.pressed("\x1b[A");
  assertEquals(order(drawn()).filter((word) => word.startsWith("n")).at(-1), "n98");
});

Deno.test("drawTop() shortens long names, not the figures behind them, on a narrow screen", () => {
  const long = "compute-server-with-a-long-name";
  const ids = [`${long}-01.cluster.example.org:22`, `${long}-02.cluster.example.org:2222`, "a:22"];
  const report = reportOf(0, ids.map((id) => ({ id })));
  const drawn = (columns: number) =>
    drawTop(report, undefined, new TopChoice(), false, { rows: 24, columns });
  for (const columns of [80, 100, 120]) {
    const lines = drawn(columns);
    const at = lines.findIndex((line) => line.startsWith("BACKEND"));
    const table = lines.slice(at, at + 4);
    assert(table.every((line) => line.length <= columns), table.join("\n"));
    assert(/TOTAL$/.test(table[0] ?? ""), table[0]);
    const names = order(lines).slice(0, 3);
    assertEquals(new Set(names).size, 3);
    assert(/01.*:22$/.test(names[0] ?? "") && /02.*:2222$/.test(names[1] ?? ""), names.join());
  }
  assertEquals(order(drawn(200)).slice(0, 3), ids);
});
