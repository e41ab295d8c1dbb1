import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Rate } from "../../../../lib/core/admission/rate.ts";
import {
  ADMITTED,
  FULL,
  HELD,
  type SourceLimits,
  SourceTable,
  TOO_MANY,
} from "../../../../lib/core/admission/source_table.ts";
import { Source } from "../../../../lib/core/pick/source.ts";
import { within } from "../../../support/wait_for.ts";

function v4(address: number): Source {
  const source = new Source();
  source.setIpv4(address);
  return source;
}

/** The other way to write a GCRA: a bucket that leaks, in microseconds of it. */
class Bucket {
  #level = 0;
  #atUs = 0;

  /** Pours a step in if there is room for that, or in any case. @returns whether there was. */
  pour(nowUs: number, { connections, windowMs }: Rate, always: boolean): boolean {
    const step = Math.floor(1000 * windowMs / connections);
    const size = step * connections;
    this.#level = Math.min(size, Math.max(0, this.#level - (nowUs - this.#atUs)));
    this.#atUs = nowUs;
    const hasRoom = this.#level + step <= size;
    if (hasRoom || always) this.#level += step;
    return hasRoom;
  }
}

/** One address as the manual has it, without bounds of memory. */
class Model {
  standing = 0;
  #arrivals = new Bucket();
  #refusals = new Bucket();
  #shutOutUntilUs = 0;

  enter(nowUs: number, { maxConnections, rate, penaltyMs }: SourceLimits): number {
    this.#shutOutUntilUs = Math.min(this.#shutOutUntilUs, nowUs + 1000 * penaltyMs);
    if (rate === undefined) this.#shutOutUntilUs = 0;
    if (this.#shutOutUntilUs > nowUs) return TOO_MANY;
    if (maxConnections > 0 && this.standing >= maxConnections) return FULL;
    if (rate !== undefined && !this.#arrivals.pour(nowUs, rate, false)) {
      if (penaltyMs > 0 && !this.#refusals.pour(nowUs, rate, true)) {
        this.#shutOutUntilUs = nowUs + 1000 * penaltyMs;
        this.#refusals = new Bucket();
      }
      return TOO_MANY;
    }
    if (maxConnections === 0) return ADMITTED;
    this.standing++;
    return HELD;
  }
}

const limits: fc.Arbitrary<SourceLimits> = fc.record({
  maxConnections: fc.constantFrom(0, 1, 2, 5),
  rate: fc.record({
    connections: fc.constantFrom(1, 2, 3, 7, 1000),
    windowMs: fc.constantFrom(1000, 1500, 60_000),
  }),
  penaltyMs: fc.constantFrom(0, 1000, 300_000),
}, { requiredKeys: ["maxConnections", "penaltyMs"] });

const step = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      kind: fc.constant("enter" as const),
      who: fc.nat({ max: 3 }),
      afterMs: fc.oneof(
        fc.constant(0),
        fc.nat({ max: 600 }),
        fc.nat({ max: 70_000 }),
        fc.double({ min: 0, max: 10, noNaN: true }),
      ),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant("leave" as const), who: fc.nat({ max: 3 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("stood" as const), who: fc.nat({ max: 3 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("limits" as const), limits }) },
);

Deno.test("the table decides as a simple model does", () => {
  fc.assert(
    fc.property(limits, fc.array(step, { maxLength: 200, size: "max" }), (first, steps) => {
      // Nobody's entry is ever needed for somebody else.
      const table = SourceTable.allocate(1024);
      const models = [0, 1, 2, 3].map(() => new Model());
      // Two frontends, two addresses of each.
      const keys = [0, 1, 2, 3].map((who) => [who >> 1, v4(7 + (who & 1))] as const);
      let now = first;
      let nowMs = 12_345.678;
      for (const one of steps) {
        if (one.kind === "limits") {
          now = one.limits;
          continue;
        }
        const [model, [frontend, source]] = [models[one.who], keys[one.who] ?? [0, v4(0)]];
        assert(model !== undefined);
        if (one.kind === "enter") {
          nowMs += one.afterMs;
          const decided = new SourceTable(table.buffer).enter(frontend, source, now, nowMs);
          assertEquals(decided, model.enter(Math.floor(nowMs * 1000), now));
        } else if (one.kind === "stood") {
          assertEquals(table.hold(frontend, source), HELD);
          model.standing++;
        } else if (model.standing > 0) {
          model.standing--;
          table.leave(frontend, source);
        }
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("as many as the rate says come at once, then one each step; penalty begins where help says", () => {
  const rate = { connections: 10, windowMs: 60_000 };
  const all = (nowMs: number, times: number, penaltyMs: number, table: SourceTable) =>
    Array.from(
      { length: times },
      () => table.enter(0, v4(1), { maxConnections: 0, rate, penaltyMs }, nowMs),
    ).map((outcome) => outcome === ADMITTED ? "+" : "-").join("");
  const mild = SourceTable.allocate(16);
  assertEquals(all(1000, 30, 0, mild), "+".repeat(10) + "-".repeat(20));
  assertEquals([all(6999, 1, 0, mild), all(7000, 2, 0, mild)], ["-", "+-"]);
  // A minute without it: all of it again.
  assertEquals(all(67_000, 11, 0, mild), "+".repeat(10) + "-");

  const strict = SourceTable.allocate(16);
  assertEquals(all(0, 20, 300_000, strict), "+".repeat(10) + "-".repeat(10));
  // Ten refusals are not too many: time lets it in.
  assertEquals(all(6000, 2, 300_000, strict), "+-");
  // One more than that at once, and it is shut out from here on, whatever it tries meanwhile.
  assertEquals(all(6001, 20, 300_000, strict), "-".repeat(20));
  assertEquals([all(306_000, 20, 300_000, strict), all(306_001, 11, 300_000, strict)], [
    "-".repeat(20),
    "+".repeat(10) + "-",
  ]);
});

Deno.test("addresses are told apart, a /64 is one, IPv4 in IPv6 is IPv4, unix sockets have no limits", () => {
  const table = SourceTable.allocate(1024);
  const only = { maxConnections: 1, penaltyMs: 0 };
  const enter = (frontend: number, host: string | undefined) => {
    const source = new Source();
    if (host === undefined) source.setUnknown();
    else source.setAddress({ transport: "tcp", host, port: 1 });
    return table.enter(frontend, source, only, 0);
  };
  assertEquals([enter(0, "192.0.2.1"), enter(0, "::ffff:192.0.2.1")], [HELD, FULL]);
  assertEquals([enter(0, "2001:db8::1"), enter(0, "2001:db8::ffff:0:0:1")], [HELD, FULL]);
  assertEquals([enter(0, "2001:db8:0:1::1"), enter(1, "2001:db8::1")], [HELD, HELD]);
  assertEquals([enter(0, "0.0.0.0"), enter(0, "::")], [HELD, HELD]);
  assertEquals([enter(0, undefined), enter(0, undefined)], [ADMITTED, ADMITTED]);
});

Deno.test("whoever keeps to the limits comes in, whatever a flood of other addresses does", () => {
  const rate = { connections: 2, windowMs: 2000 };
  const strict = { maxConnections: 1, rate, penaltyMs: 3_600_000 };
  for (
    const [standing, limits] of [[true, strict], [false, strict], [false, {
      ...strict,
      maxConnections: 0,
    }]] as const
  ) {
    const table = SourceTable.allocate(1024);
    const outcomes = new Set<number>();
    let polite = 0;
    for (let i = 0; i < 100_000; i++) {
      // A thousand a second, each of them shut out or standing.
      const other = v4(0x0a00_0000 + i);
      for (let n = 0; n < (standing ? 1 : 6); n++) table.enter(0, other, limits, i);
      if (!standing && limits.maxConnections > 0) table.leave(0, other);
      if (i % 1000 !== 0) continue;
      const outcome = table.enter(0, v4(1), limits, i);
      outcomes.add(outcome);
      polite++;
      if (outcome === HELD) table.leave(0, v4(1));
    }
    assertEquals(polite, 100);
    const isIn = [...outcomes].every((outcome) => outcome === HELD || outcome === ADMITTED);
    assert(isIn, `${standing} ${[...outcomes]}`);
  }
});

Deno.test("who stands is not forgotten for others, who has been away longest is the first to be", () => {
  const only = { maxConnections: 1, penaltyMs: 0 };
  const table = SourceTable.allocate(16);
  const outcomes = Array.from({ length: 500 }, (_, client) => table.enter(0, v4(client), only, 0));
  const held = [...outcomes.keys()].filter((client) => outcomes[client] === HELD);
  assertEquals([held.length, new Set(outcomes)], [16, new Set([HELD, ADMITTED])]);
  assert(held.every((client) => table.enter(0, v4(client), only, 0) === FULL));

  const rate = { connections: 1, windowMs: 3_600_000 };
  const rare = { maxConnections: 0, rate, penaltyMs: 0 };
  const late = SourceTable.allocate(16);
  for (let client = 0; client < 500; client++) late.enter(0, v4(client), rare, client);
  const again = (client: number) => late.enter(0, v4(client), rare, 500);
  // Whichever set they are in, the last eight that came to it are known.
  assertEquals([499, 498, 497, 496].map(again), new Array<number>(4).fill(TOO_MANY));
  assertEquals([1, 2, 3, 4].map(again), new Array<number>(4).fill(ADMITTED));
});

Deno.test("a frontend that is forgotten leaves nothing, others keep what they have", () => {
  const table = SourceTable.allocate(1024);
  const only = { maxConnections: 1, penaltyMs: 0 };
  for (const frontend of [0, 1, 2]) {
    for (let i = 0; i < 100; i++) assertEquals(table.enter(frontend, v4(i), only, 0), HELD);
  }
  table.forget(0);
  table.forget(1);
  for (const [frontend, outcome] of [[0, HELD], [1, HELD], [2, FULL]] as const) {
    for (let i = 0; i < 100; i++) assertEquals(table.enter(frontend, v4(i), only, 0), outcome);
  }
});

Deno.test("a lock that its thread died with is broken", () => {
  const table = SourceTable.allocate(16);
  const only = { maxConnections: 1, penaltyMs: 0 };
  new Int32Array(table.buffer, 0, 2).fill(1);
  assertEquals([1, 2].map(() => table.enter(0, v4(1), only, 0)), [HELD, FULL]);
});

const WORKERS = 3;
const MOST = 4;

/** Enters and leaves as a few addresses, and counts how many of each stand. */
const SOURCE = `
  import { HELD, SourceTable } from ${JSON.stringify(lib("core/admission/source_table.ts"))};
  import { Source } from ${JSON.stringify(lib("core/pick/source.ts"))};
  self.onmessage = ({ data: { buffer, standing, gate, number, rounds } }) => {
    const table = new SourceTable(buffer);
    const source = new Source();
    const limits = { maxConnections: ${MOST}, penaltyMs: 0 };
    const held = [];
    let state = number * 7919;
    let most = 0;
    Atomics.add(gate, 0, 1);
    while (Atomics.load(gate, 0) < ${WORKERS});
    for (let i = 0; i < rounds || held.length > 0; i++) {
      state = Math.imul(state, 1664525) + 1013904223 | 0;
      if (i < rounds && (state & 64) !== 0) {
        const client = (state >>> 16) % standing.length;
        source.setIpv4(client);
        if (table.enter(0, source, limits, i) !== HELD) continue;
        most = Math.max(most, Atomics.add(standing, client, 1) + 1);
        held.push(client);
      } else if (held.length > 0) {
        const client = held.shift();
        source.setIpv4(client);
        Atomics.sub(standing, client, 1);
        table.leave(0, source);
      }
    }
    self.postMessage(most);
  };`;

function lib(path: string): string {
  return new URL(`../../../../lib/${path}`, import.meta.url).href;
}

Deno.test("threads that come and go at once never pass the limit, and leave nothing behind", async () => {
  const url = URL.createObjectURL(new Blob([SOURCE], { type: "application/javascript" }));
  const table = SourceTable.allocate(64);
  const standing = new Int32Array(new SharedArrayBuffer(4 * 2));
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const workers = Array.from({ length: WORKERS }, () => new Worker(url, { type: "module" }));
  try {
    const most = await within(
      "the threads",
      Promise.all(workers.map((worker, number) => {
        const { promise, resolve, reject } = Promise.withResolvers<number>();
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = (event) => reject(new Error(event.message));
        worker.postMessage({ buffer: table.buffer, standing, gate, number, rounds: 2_000_000 });
        return promise;
      })),
      30_000,
    );
    assertEquals(Math.max(...most), MOST);
  } finally {
    for (const worker of workers) worker.terminate();
    URL.revokeObjectURL(url);
  }
  const only = { maxConnections: MOST, penaltyMs: 0 };
  for (let client = 0; client < standing.length; client++) {
    const outcomes = Array.from({ length: MOST + 1 }, () => table.enter(0, v4(client), only, 0));
    assertEquals(outcomes, [...new Array<number>(MOST).fill(HELD), FULL]);
  }
});
