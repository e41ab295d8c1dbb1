// With the access log off, every connection still had its decision told in full, backend by backend, for a
// line that nobody writes.

import { assertEquals } from "@std/assert";
import { openedEvent, storeOf } from "../support/events.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { EventLog } from "../../lib/app/event_log.ts";
import { AccessLog } from "../../lib/log/access_log.ts";
import { BatchWriter } from "../../lib/log/batch_writer.ts";

for (const enabled of [true, false]) {
  Deno.test(`the access log ${enabled ? "on" : "off"}: decisions are told if read`, async () => {
    let lines = 0;
    let told = 0;
    const sink = {
      write: (bytes: Uint8Array) => {
        lines += bytes.filter((byte) => byte === 10).length;
        return Promise.resolve(bytes.length);
      },
    };
    const access = new AccessLog(new BatchWriter(sink));
    access.enabled = enabled;
    const quiet = { error() {}, warning() {}, info() {}, debug() {} };
    const log = new EventLog(quiet, access, (_pool, kernel) => kernel, new ManualClock());
    const store = {
      ...storeOf([]),
      read() {
        told++;
        return undefined;
      },
    };
    log.write(openedEvent({ store }));
    await access.writer.flush();
    assertEquals({ lines, told }, enabled ? { lines: 1, told: 1 } : { lines: 0, told: 0 });
  });
}
