import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  Choice,
  countTunnel,
  endTunnel,
  pick,
  Tried,
} from "../../../../lib/core/pick/pick_kernels.ts";
import {
  CLOCK,
  ELIGIBLE,
  MAX_CONNECTIONS,
  PickTable,
  STICKY_SECONDS,
} from "../../../../lib/core/pick/pick_table.ts";
import { type PickKernel } from "../../../../lib/core/pick/kernels/registry.ts";
import { identityOf, Source } from "../../../../lib/core/pick/source.ts";
import {
  forgetAll,
  recall,
  remember,
  renew,
  STANDING_SECONDS,
} from "../../../../lib/core/pick/sticky.ts";
import { CHOOSING_KERNELS, numbersFrom, setKernel } from "../../../support/tables.ts";

function stickyTable(kernel: PickKernel, rows: number, entries = 1024): PickTable {
  const table = PickTable.allocate(16, entries);
  setKernel(table, kernel);
  table.words[STICKY_SECONDS] = 100;
  const taken = new Set<number>();
  for (let i = 0; i < rows; i++) {
    const row = table.claim(taken, identityOf(`b${i}`));
    taken.add(row);
    table.write(row, ELIGIBLE, 1);
  }
  return table;
}

function v4(address: number): Source {
  const source = new Source();
  source.setIpv4(address);
  return source;
}

/** One session from beginning to end. */
function visit(table: PickTable, source: Source, random = 0.5, tried: Tried | null = null) {
  const choice = new Choice();
  const row = pick(table, tried, random, choice, source);
  if (row >= 0) {
    countTunnel(table, row, source);
    endTunnel(table, row, source, choice.step);
  }
  return { row, sticky: choice.sticky };
}

Deno.test("a client comes back to its backend under every strategy, and the log knows why", () => {
  for (const kernel of CHOOSING_KERNELS) {
    const table = stickyTable(kernel, 5);
    const random = numbersFrom(5);
    const home = visit(table, v4(1), random());
    assertEquals(home.sticky, false, kernel);
    for (let i = 2; i < 40; i++) {
      visit(table, v4(i), random());
      assertEquals(visit(table, v4(1), random()), { row: home.row, sticky: true }, kernel);
    }
  }
});

Deno.test("a client comes back while the end of its session is being written", () => {
  const table = stickyTable("rotation", 5);
  const before = table.words.slice();
  remember(table, v4(1), 3);
  const entry = table.words.findIndex((word, at) => word !== before[at]);
  Atomics.or(table.words, entry, 1); // what another thread does for the time of renew()
  assertEquals(recall(table, v4(1)), 3);
  Atomics.or(table.words, entry, 2); // and of remember() elsewhere
  assertEquals(recall(table, v4(1)), -1);
});

Deno.test("a backend that is not eligible, full, tried or another by now gets no client back", () => {
  const table = stickyTable("rotation", 3);
  const [one, two, three, four] = [v4(1), v4(2), v4(3), v4(4)];
  assertEquals([one, two, three].map((client) => visit(table, client).row), [0, 1, 2]);
  assertEquals(visit(table, four).row, 0);

  table.write(0, ELIGIBLE, 0);
  assertEquals(visit(table, one), { row: 1, sticky: false });
  table.write(0, ELIGIBLE, 1);
  // Its new place is what counts.
  assertEquals(visit(table, one), { row: 1, sticky: true });

  const tried = new Tried();
  tried.add(1);
  assertEquals(visit(table, two, 0.5, tried).sticky, false);

  table.write(2, MAX_CONNECTIONS, 1);
  const choice = new Choice();
  assertEquals([pick(table, null, 0, choice, three), choice.sticky], [2, true]);
  assertEquals(visit(table, three).sticky, false);

  // Another backend stands in the row now.
  table.claim(new Set([1, 2]), identityOf("newcomer"));
  table.write(0, ELIGIBLE, 1);
  assertEquals(recall(table, four), -1);
});

/** A session that stands. */
function arrive(table: PickTable, source: Source): { row: number; sticky: boolean } {
  const choice = new Choice();
  const row = pick(table, null, 0, choice, source);
  assert(row >= 0);
  countTunnel(table, row, source);
  return { row, sticky: choice.sticky };
}

Deno.test("time begins to run when the last session has ended, however long it stood", () => {
  const table = stickyTable("rotation", 4);
  const client = v4(9);
  const { row } = arrive(table, client);
  table.words[CLOCK] = 5000;
  assertEquals(arrive(table, client), { row, sticky: true });
  table.words[CLOCK] = 9000;
  endTunnel(table, row, client, 0);
  // One is left.
  table.words[CLOCK] = 500_000;
  assertEquals(recall(table, client), row);
  endTunnel(table, row, client, 0);
  table.words[CLOCK] = 500_099;
  assertEquals(recall(table, client), row);
  table.words[CLOCK] = 500_100;
  assertEquals(recall(table, client), -1);
});

Deno.test("who is placed elsewhere has the sessions there alone, and begins anew in coming back", () => {
  const table = stickyTable("rotation", 2);
  const client = v4(9);
  for (let i = 0; i < 3; i++) remember(table, client, 0);
  remember(table, client, 1);
  // The ends of those on the first backend change nothing.
  for (let i = 0; i < 3; i++) renew(table, client, 0);
  table.words[CLOCK] = 1000;
  assertEquals(recall(table, client), 1);
  remember(table, client, 0);
  renew(table, client, 1);
  table.words[CLOCK] = 2000;
  assertEquals(recall(table, client), 0);
  // More ends than it was known to have sessions: nobody's count is below nothing.
  for (let i = 0; i < 3; i++) renew(table, client, 0);
  remember(table, client, 0);
  renew(table, client, 0);
  table.words[CLOCK] = 2100;
  assertEquals(recall(table, client), -1);
});

Deno.test("a count that lost an end is believed for 30 days, or as long as clients stick", () => {
  for (const ttl of [100, 40 * 86_400]) {
    const table = stickyTable("rotation", 2);
    table.words[STICKY_SECONDS] = ttl;
    const client = v4(9);
    remember(table, client, 1);
    remember(table, client, 1);
    renew(table, client, 1);
    const until = Math.max(ttl, STANDING_SECONDS);
    table.words[CLOCK] = until - 1;
    assertEquals(recall(table, client), 1);
    table.words[CLOCK] = until;
    assertEquals(recall(table, client), -1);
    // It does not live on in the next session's count.
    remember(table, client, 1);
    renew(table, client, 1);
    table.words[CLOCK] = until + ttl;
    assertEquals(recall(table, client), -1);
  }
});

Deno.test("full, it forgets those without sessions first, and then whoever came first", () => {
  const table = stickyTable("rotation", 5, 8);
  for (let i = 0; i < 8; i++) {
    table.words[CLOCK] = i;
    remember(table, v4(i), i % 5);
    if (i >= 4) renew(table, v4(i), i % 5);
  }
  const known = () =>
    Array.from({ length: 16 }, (_, i) => i).filter((i) => recall(table, v4(i)) >= 0);
  for (let i = 8; i < 12; i++) {
    table.words[CLOCK] = i;
    remember(table, v4(i), 0);
  }
  assertEquals(known(), [0, 1, 2, 3, 8, 9, 10, 11]);
  table.words[CLOCK] = 50;
  remember(table, v4(12), 0);
  assertEquals(known(), [1, 2, 3, 8, 9, 10, 11, 12]);
  // Nobody looks after the one that lost its sessions' count, so it is free before all others.
  table.words[CLOCK] = STANDING_SECONDS + 1;
  remember(table, v4(13), 0);
  assertEquals(known(), [2, 3, 8, 9, 10, 11, 12, 13]);
});

Deno.test("forgetAll() forgets everybody", () => {
  const table = stickyTable("rotation", 5, 64);
  for (let i = 0; i < 40; i++) remember(table, v4(i), i % 5);
  forgetAll(table);
  for (let i = 0; i < 40; i++) assertEquals(recall(table, v4(i)), -1);
  remember(table, v4(1), 2);
  renew(table, v4(1), 2);
  table.words[CLOCK] = 100;
  assertEquals(recall(table, v4(1)), -1);
});

Deno.test("the end of an old session does not undo a later place", () => {
  const table = stickyTable("rotation", 2);
  const client = v4(9);
  remember(table, client, 0);
  remember(table, client, 1);
  renew(table, client, 0);
  assertEquals(recall(table, client), 1);
});

Deno.test("nobody sticks on a unix socket, or where sticking is off, or without entries", () => {
  const table = stickyTable("rotation", 3);
  const nobody = new Source();
  assertEquals([0, 1, 2].map(() => visit(table, nobody)).map(({ sticky }) => sticky), [
    false,
    false,
    false,
  ]);
  visit(table, v4(1));
  table.words[STICKY_SECONDS] = 0;
  assertEquals(visit(table, v4(1)).sticky, false);
  const none = stickyTable("rotation", 3, 0);
  visit(none, v4(1));
  assertEquals(visit(none, v4(1)).sticky, false);
});

Deno.test("it remembers what a map would, as long as the window has room", () => {
  const step = fc.record({
    client: fc.nat(30),
    row: fc.nat(5),
    passes: fc.nat(40),
    ends: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
    const table = stickyTable("rotation", 6);
    const model = new Map<number, { row: number; until: number; standing: number }>();
    let clock = 0;
    for (const { client, row, passes, ends } of steps) {
      clock += passes;
      table.words[CLOCK] = clock;
      for (let one = 0; one <= 30; one++) {
        const known = model.get(one);
        const isKnown = known !== undefined && (known.standing > 0 || known.until > clock);
        assertEquals(recall(table, v4(one)), isKnown ? known.row : -1);
      }
      const known = model.get(client);
      const standing = known?.row === row ? known.standing : 0;
      if (!ends) {
        remember(table, v4(client), row);
        model.set(client, { row, until: clock + 100, standing: standing + 1 });
      } else {
        renew(table, v4(client), row);
        if (known?.row !== row) continue;
        model.set(client, { row, until: clock + 100, standing: Math.max(0, standing - 1) });
      }
    }
  }));
});

Deno.test("full, it forgets who has been away longest, and nobody is sent astray", () => {
  const table = stickyTable("rotation", 5, 64);
  const random = numbersFrom(3);
  const where = new Map<number, number>();
  let known = 0;
  for (let i = 0; i < 2000; i++) {
    table.words[CLOCK] = Math.floor(i / 100);
    const address = Math.floor(random() * 200);
    const row = recall(table, v4(address));
    if (row >= 0) {
      known++;
      assertEquals(row, where.get(address));
    }
    const next = Math.floor(random() * 5);
    remember(table, v4(address), next);
    renew(table, v4(address), next);
    where.set(address, next);
    assertEquals(recall(table, v4(address)), next);
  }
  assert(known > 200, `${known}`);
});

Deno.test("IPv6 clients are told apart by their /64, and from IPv4", () => {
  const table = stickyTable("rotation", 3);
  const six = new Source();
  six.setIpv6(0, 1);
  remember(table, six, 2);
  assertEquals(recall(table, v4(1)), -1);
  remember(table, v4(1), 1);
  assertEquals([recall(table, six), recall(table, v4(1))], [2, 1]);
});
