// A denial whose time was over went on for as long as the state file could not be written, and the log said
// once a second that an order was refused, which nobody had given.

import { assertEquals } from "@std/assert";
import { DenialOrders } from "../../lib/app/denial_orders.ts";
import { OrderBook } from "../../lib/app/order_book.ts";
import { ManualClock, settled } from "../support/manual_clock.ts";

Deno.test("a denial ends in time though its end cannot be kept", async () => {
  const clock = new ManualClock();
  const lines: string[] = [];
  const note = (text: string) => {
    lines.push(text);
  };
  const log = { debug: note, info: note, warning: note, error: note };
  const book = new OrderBook(log);
  const denial = { by: "alice", atMs: clock.wall(), untilMs: clock.wall() + 60_000 };
  book.restore({
    path: "/full/state.json",
    save: () => Promise.reject(new Error("No space left on device")),
    [Symbol.dispose]: () => {},
  }, {
    backends: new Map(),
    denials: new Map([["ssh", new Map([["192.0.2.0/24", denial]])]]),
  });
  let changes = 0;
  const denials = new DenialOrders({
    clock,
    log,
    inTurn: async (run) => (await run()).value,
    turnAway: () => Promise.resolve(void changes++),
    config: () => {
      throw new Error("nobody asks");
    },
    closed: () => undefined,
  }, book);
  denials.tick();
  await settled();
  assertEquals([book.administration.denials.size, changes], [1, 0]);
  await clock.advance(60_000);
  for (let second = 0; second < 3; second++) {
    denials.tick();
    await settled();
  }
  assertEquals([book.administration.denials.size, changes], [0, 1]);
  assertEquals(lines, ["denials whose time is over have ended"]);
});
