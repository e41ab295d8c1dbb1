import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { Arrivals, type Stream } from "../../../support/simulation/arrivals.ts";
import { Chance } from "../../../support/chance.ts";
import { exponentialSizes, idling } from "../../../support/simulation/workload.ts";

const behaviour = idling(exponentialSizes(1));

interface Come {
  readonly at: number;
  readonly key: number;
  readonly client: number;
}

/** The first sessions of a stream; keys count from 1000. */
function sessionsOf(stream: Stream, count: number, seed = 1): Come[] {
  const arrivals = new Arrivals(stream, new Chance(seed));
  const sessions: Come[] = [];
  let now = 0;
  while (sessions.length < count) {
    now = arrivals.next(now);
    if (now === Infinity) break;
    const key = arrivals.come(1000 + sessions.length);
    sessions.push({ at: now, key, client: arrivals.client });
  }
  return sessions;
}

Deno.test("a stream brings as many sessions as its rate says, in trains or one by one", () => {
  const count = 200_000;
  for (const train of [undefined, { meanSessions: 20, gapSeconds: 0.3 }]) {
    const stream = { behaviour, rate: 2, ...(train === undefined ? {} : { train }) };
    const last = sessionsOf(stream, count).at(-1)?.at ?? NaN;
    assertAlmostEquals(count / last, 2, 0.05);
  }
});

Deno.test("a train is one client's sessions, and as long as asked for in the mean", () => {
  const train = { meanSessions: 20, gapSeconds: 0.1 };
  const sessions = sessionsOf({ behaviour, rate: 0.000_05, train }, 50_000);
  let trains = 1;
  sessions.slice(1).forEach(({ at, client }, index) => {
    const before = sessions[index];
    // Between trains pass 111 hours in the mean, within one 0.1 s.
    if (at - (before?.at ?? 0) < 2) assertEquals(client, before?.client);
    else trains++;
  });
  assertAlmostEquals(sessions.length / trains, 20, 1.5);
  assertThrows(
    () => new Arrivals({ behaviour, rate: 20, train }, new Chance(1)),
    RangeError,
    "expected fewer sessions",
  );
});

Deno.test("recorded sessions come when they came, and have their numbers for keys", () => {
  const recorded = { at: Float64Array.of(0, 3, 3, 8), clients: Int32Array.of(4, 5, 4, 0) };
  assertEquals(sessionsOf({ behaviour, rate: 0, recorded }, 10), [
    { at: 0, key: 0, client: 4 },
    { at: 3, key: 1, client: 5 },
    { at: 3, key: 2, client: 4 },
    { at: 8, key: 3, client: 0 },
  ]);
});

Deno.test("sessions come to servers directly in proportion to their numbers", () => {
  const arrivals = new Arrivals({ behaviour, rate: 1, direct: [1, 0, 3] }, new Chance(1));
  const servers = [0, 0.24, 0.26, 0.999].map((uniform) => arrivals.direct(uniform));
  assertEquals(servers, [0, 0, 2, 2]);
  assertEquals(new Arrivals({ behaviour, rate: 1 }, new Chance(1)).direct(0.5), undefined);
  assert(sessionsOf({ behaviour, rate: 0 }, 1).length === 0);
});
