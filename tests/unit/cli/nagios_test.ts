import { assert, assertEquals } from "@std/assert";
import type { BackendReport, PoolReport, StatusReport } from "../../../lib/admin/report.ts";
import { cannotTell, pluginResult } from "../../../lib/cli/nagios.ts";

/** A report of one pool with these backends. */
function reportOf(
  state: StatusReport["state"],
  ...backends: readonly Pick<BackendReport, "id" | "usable" | "free" | "state" | "reason">[]
): StatusReport {
  const counters = { active: 2, opened: 9, refused: 1, connectFailures: 3 };
  // The plugin looks at nothing else.
  return {
    state,
    counters,
    pools: [{ name: "p", backends }] as unknown as PoolReport[],
  } as unknown as StatusReport;
}

const GOOD = { id: "a:22", usable: true, free: 1.5, state: "up", reason: "" } as const;
const BAD = {
  id: "b:22",
  usable: false,
  free: null,
  state: "down",
  reason: "it | is\ngone",
} as const;
const LEFT = { ...BAD, state: "leaving" } as const;

Deno.test("pluginResult(): a plugin's words and exit status", () => {
  const data = (usable: number, all: number) =>
    `usable=${usable};;;0;${all} sessions=2;;;0 opened=9c refused=1c connect_failures=3c`;
  assertEquals(pluginResult(reportOf("running", GOOD, LEFT)), {
    exitCode: 0,
    line: `COMPUTE-LB OK - 1 of 1 backend usable, 2 sessions | ${
      data(1, 1)
    } 'free p a:22'=1.50;;;0`,
  });
  assertEquals(pluginResult(reportOf("running", GOOD, BAD)), {
    exitCode: 1,
    line: "COMPUTE-LB WARNING - 1 of 2 backends usable, 2 sessions; b:22: it / is; gone | " +
      `${data(1, 2)} 'free p a:22'=1.50;;;0`,
  });
  assertEquals(pluginResult(reportOf("running", BAD)), {
    exitCode: 2,
    line:
      "COMPUTE-LB CRITICAL - 0 of 1 backend usable, 2 sessions; pool p has no usable backend; " +
      `b:22: it / is; gone | ${data(0, 1)}`,
  });
  assertEquals(pluginResult(reportOf("draining", GOOD)).exitCode, 2);
  const [pool] = reportOf("running", GOOD).pools;
  const discovery = [{ name: "redis r", failure: "no route" }];
  const unasked = pluginResult({
    ...reportOf("running", GOOD),
    pools: [{ ...pool, discovery }] as unknown as PoolReport[],
  });
  assertEquals(unasked.exitCode, 1);
  assert(unasked.line.includes("; redis r: no route |"), unasked.line);
  assertEquals(cannotTell("Cannot ask x:\npermission denied"), {
    exitCode: 3,
    line: "COMPUTE-LB UNKNOWN - Cannot ask x:; permission denied",
  });
});
