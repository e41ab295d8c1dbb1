// Tokens by a strategy, and what sessions of proxies do to it; without sockets.

import { assertEquals } from "@std/assert";
import { PlacedSupply } from "../../../lib/app/placed_supply.ts";
import { ACTIVE } from "../../../lib/core/pick/pick_table.ts";
import { PickTable } from "../../../lib/core/pick/pick_table.ts";
import { success } from "../../../lib/core/values/result.ts";
import type { Peer } from "../../../lib/sp/pusher.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { poolConfig } from "../../support/pool_config.ts";

const OURS: Peer = { name: "ours", speaks: true };
const OTHER: Peer = { name: "other", speaks: true };
const FOREIGN: Peer = { name: "foreign", speaks: false };

class Placed implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly told: string[] = [];
  readonly table: PickTable = PickTable.allocate(16);
  readonly supply: PlacedSupply;
  kicks = 0;

  constructor(keys: Readonly<Record<string, unknown>> = {}) {
    const say = (text: string) => this.told.push(text);
    const config = poolConfig({
      strategy: "least_connections",
      health: { probe: "none" },
      load: { source: "none" },
      backends: ["unused:1"],
      ...keys,
    });
    this.supply = new PlacedSupply(config, {
      clock: this.clock,
      random: () => 0.5,
      log: { error: say, warning: say, info: say, debug: say },
      createLoadSource: () => undefined,
      resolve: (address) => Promise.resolve(success([address])),
      alreadyResolved: () => true,
      sessionTimeMs: 60_000,
      table: this.table,
      kick: () => this.kicks++,
    });
  }

  take(...lines: string[]): Promise<void> {
    return this.supply.take(lines.map((line) => new TextEncoder().encode(line)));
  }

  next(peer: Peer = OURS): string | undefined {
    const token = this.supply.next(peer);
    return token && new TextDecoder().decode(token);
  }

  /** Sessions by row, as the strategy sees them. */
  active(rows = 2): number[] {
    return Array.from({ length: rows }, (_, row) => this.table.read(row, ACTIVE));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.supply[Symbol.asyncDispose]();
  }
}

Deno.test("a token counts as a session until its end is heard", async () => {
  await using placed = new Placed();
  assertEquals(placed.next(), undefined);
  await placed.take("a:1", "b:2");
  assertEquals(placed.kicks > 0, true);
  const first = [placed.next(), placed.next(), placed.next(), placed.next()];
  assertEquals(first.toSorted(), ["a:1", "a:1", "b:2", "b:2"]);
  assertEquals(placed.active(), [2, 2]);
  for (let i = 0; i < 2; i++) placed.supply.heard(OURS, { kind: "end", token: "b:2" });
  assertEquals(placed.active(), [2, 0]);
  assertEquals([placed.next(), placed.next()], ["b:2", "b:2"]);
  // Nobody can end what it does not have.
  for (let i = 0; i < 5; i++) placed.supply.heard(OTHER, { kind: "end", token: "a:1" });
  for (let i = 0; i < 5; i++) placed.supply.heard(OURS, { kind: "end", token: "nobody:1" });
  assertEquals(placed.active(), [2, 2]);
});

Deno.test("limits of backends hold over all proxies, and an end frees a place", async () => {
  await using placed = new Placed({ backend_defaults: { max_connections: 1 } });
  await placed.take("a:1", "b:2 max_connections=2");
  const tokens = [placed.next(OURS), placed.next(OTHER), placed.next(OURS)];
  assertEquals(tokens.toSorted(), ["a:1", "b:2", "b:2"]);
  assertEquals(placed.next(OTHER), undefined);
  placed.supply.heard(tokens[1] === "a:1" ? OTHER : OURS, { kind: "end", token: "a:1" });
  assertEquals(placed.next(OTHER), "a:1");
});

Deno.test("sessions of a proxy go with it and come back with it", async () => {
  await using placed = new Placed();
  await placed.take("a:1", "b:2");
  for (let i = 0; i < 4; i++) placed.next(OURS);
  placed.next(OTHER);
  placed.supply.left(OURS);
  assertEquals(placed.active().reduce((sum, one) => sum + one), 1);
  placed.supply.left(OTHER);
  assertEquals(placed.active(), [0, 0]);
  placed.supply.heard(OURS, { kind: "have", token: "a:1", count: 7 });
  placed.supply.heard(OURS, { kind: "have", token: "c:3", count: 5 });
  assertEquals(placed.active(3), [7, 0, 0]);
  // Of a backend that the list does not have yet, they count once it has.
  await placed.take("a:1", "b:2", "c:3");
  assertEquals(placed.active(3), [7, 0, 5]);
  placed.supply.heard(OURS, { kind: "have", token: "a:1", count: 3 });
  placed.supply.heard(OURS, { kind: "end", token: "c:3" });
  assertEquals(placed.active(3), [3, 0, 4]);
  placed.next(OURS);
  placed.supply.left(OURS);
  assertEquals(placed.active(3), [0, 0, 0]);
});

Deno.test("sessions at a backend that has left the list end there", async () => {
  await using placed = new Placed();
  await placed.take("a:1");
  placed.next();
  placed.next();
  await placed.take("b:2");
  assertEquals(placed.active(), [2, 0]);
  assertEquals(placed.next(), "b:2");
  placed.supply.heard(OURS, { kind: "end", token: "a:1" });
  await placed.take("a:1");
  placed.next();
  assertEquals(placed.active(), [2, 1]);
  placed.supply.left(OURS);
  assertEquals(placed.active(), [0, 0]);
});

Deno.test("tokens of a proxy that says nothing count for a while", async () => {
  await using placed = new Placed();
  await placed.take("a:1", "b:2");
  for (let i = 0; i < 4; i++) placed.next(FOREIGN);
  assertEquals(placed.active(), [2, 2]);
  placed.supply.left(FOREIGN);
  await placed.clock.advance(59_000);
  placed.next(FOREIGN);
  await placed.clock.advance(2000);
  assertEquals(placed.active().reduce((sum, one) => sum + one), 1);
});

Deno.test("what cannot be read is left out, and a list of nothing else leaves the last one", async () => {
  await using placed = new Placed();
  await placed.take("a:1", "no port", "b", "c:99999", "d:1 cores=x", "a:1");
  assertEquals(placed.next(), "a:1");
  assertEquals(placed.told.filter((text) => text.startsWith("cannot use a line")), [
    'cannot use a line: line 2: Cannot read "port" behind a backend: expected cores=N, weight=W or max_connections=N',
    'cannot use a line: line 4: Cannot read "99999" as a port: expected 1 to 65535',
    'cannot use a line: line 5: Cannot read "x" as cores: expected a number above 0, up to 8192',
  ]);
  assertEquals(placed.told.includes("nor 1 line more"), true);
  await placed.take("\u00ff\u0000", "b");
  assertEquals(placed.next(), "a:1");
  assertEquals(placed.told.at(-1), "keeps its last list: this one holds no backend");
  // Nothing at all is said plainly.
  await placed.take();
  assertEquals(placed.next(), undefined);
  await placed.take("a:1");
  assertEquals(placed.next(), "a:1");
});

Deno.test("a list for which there is no room leaves the last one", async () => {
  await using placed = new Placed();
  await placed.take("a:1");
  await placed.take(...Array.from({ length: 20 }, (_, at) => `n${at}:1`));
  assertEquals(placed.told.at(-1), "keeps its last list: there is no room for 20 backends");
  assertEquals(placed.next(), "a:1");
});
