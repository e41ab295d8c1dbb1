// Of an outage under load ten lines a second are written. How many more there were was said at the next
// failure in another second, which after a short outage may be days away: until then, nobody was told that
// a thousand clients had been turned away.

import { assertEquals } from "@std/assert";
import { EventLog } from "../../lib/app/event_log.ts";
import { AccessLog } from "../../lib/log/access_log.ts";
import { BatchWriter } from "../../lib/log/batch_writer.ts";
import { storeOf } from "../support/events.ts";
import { ManualClock } from "../support/manual_clock.ts";

Deno.test("how many lines were suppressed is said when the second is over, or at the end", async () => {
  const lines: string[] = [];
  const error = (text: string) => void lines.push(text);
  const area = { error, warning: () => {}, info: () => {}, debug: () => {} };
  const clock = new ManualClock();
  const access = new AccessLog(new BatchWriter({ write: ({ length }) => Promise.resolve(length) }));
  const client = { transport: "tcp", host: "192.0.2.1", port: 1 } as const;
  const refuse = (log: EventLog, times: number) => {
    for (let i = 0; i < times; i++) {
      log.write({
        kind: "refused",
        frontend: "f",
        pool: "p",
        client,
        atMs: clock.wall(),
        reason: "no_backend",
        attempts: 0,
        queueMs: 0,
        lastPick: 0,
        store: storeOf([]),
      });
    }
    return lines.splice(0);
  };
  {
    await using log = new EventLog(area, access, (_pool, kernel) => kernel, clock);
    assertEquals(refuse(log, 1000).length, 10);
    await clock.advance(1000);
    assertEquals(lines.splice(0), ["990 more clients or connects failed within a second"]);
    await clock.advance(60_000);
    assertEquals(lines, []);
    assertEquals(refuse(log, 12).length, 10);
  }
  assertEquals(lines, ["2 more clients or connects failed within a second"]);
  assertEquals(clock.sleeperCount, 0);
});
