import { assertEquals } from "@std/assert";
import type { ReplayReport } from "../../../lib/app/replay/compare.ts";
import { renderReplay } from "../../../lib/cli/simulate_text.ts";

const REPORT: ReplayReport = {
  file: "record.jsonl",
  assumptions: ["nothing"],
  pools: [{
    pool: "compute",
    seconds: 7200,
    sessions: 120,
    refused: 2,
    sessionCost: 0.412,
    recorded: {
      strategies: ["least_load"],
      sessions: { "kelvin:22": 70, "hoek:22": 50 },
      freeMean: 14.06,
      free95: 9.21,
      herdIndex: null,
      avoidableOverload: 0.0081,
    },
    replayed: [{
      strategy: "round_robin",
      sessions: { "kelvin:22": 60, "euler:22": 60 },
      freeMean: 11,
      free95: -0.5,
      herdIndex: 2.5,
      avoidableOverload: 0.5,
      turnedAway: 0,
      same: 0.5,
      otherByChance: null,
    }],
  }],
};

Deno.test("simulate draws a column for what was recorded and one for each strategy", () => {
  assertEquals(renderReplay(REPORT, false).split("\n"), [
    "pool compute: 120 sessions in 2h, recorded with least_load; 2 turned away",
    "a session takes 0.41 cores along, as the recording shows",
    "                           recorded  round_robin",
    "same choice                               50.0 %",
    "others, by chance                              -",
    "cores free at login, mean      14.1         11.0",
    "  95 % found at least           9.2         -0.5",
    "herd index, worst                 -         2.50",
    "avoidable overload            0.8 %       50.0 %",
    "turned away                                    0",
    "sessions                        120          120",
    "  kelvin:22                      70           60",
    "  hoek:22                        50            0",
    "  euler:22                        0           60",
    "",
    "Assumed:",
    "  nothing",
    "",
  ]);
});
