import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { DecisionJournal, isFrom } from "../../../lib/app/decision_journal.ts";
import type { DecisionEvent } from "../../../lib/engine/engine.ts";
import { formatAddress } from "../../../lib/core/values/address.ts";
import { tcpAddress } from "../../support/arbitraries.ts";
import { picksOf, storeOf } from "../../support/events.ts";

type RefusedEvent = Extract<DecisionEvent, { kind: "refused" }>;

function refused(port: number, backends: number, host = "192.0.2.7"): RefusedEvent {
  const picks = [{
    atMs: port,
    kernel: "most_free",
    failure: undefined,
    snapshot: {
      kernel: "most_free",
      why: "nobody",
      backends: Array.from({ length: backends }, (_, index) => ({
        backend: `b${index}`,
        outcome: "down" as const,
        active: 0,
      })),
      omitted: 0,
      nearlyEqual: 50,
      draw: 0.5,
    },
  }] as const;
  return {
    kind: "refused",
    frontend: "ssh",
    pool: "compute",
    client: { transport: "tcp", host, port },
    atMs: port,
    reason: "no_backend",
    attempts: 0,
    queueMs: 0,
    lastPick: 0,
    store: storeOf(picks),
  };
}

Deno.test("the journal keeps the last decisions", () => {
  fc.assert(fc.property(fc.nat(40), fc.integer({ min: 1, max: 12 }), (noted, most) => {
    const journal = new DecisionJournal(() => "least_load", most);
    for (let port = 1; port <= noted; port++) journal.note(refused(port, 1));
    const found = [...journal.find({ last: 100 })].map(({ client }) =>
      Number(client.split(":")[1])
    );
    const kept = Math.min(noted, most);
    assertEquals(found, Array.from({ length: kept }, (_, index) => noted - kept + 1 + index));
  }));
});

Deno.test("the journal knows the strategy of then, and what is forgotten by now", () => {
  let strategy = "least_load";
  const journal = new DecisionJournal(() => strategy);
  journal.note(refused(1, 2));
  const event = refused(2, 2);
  const forgotten = picksOf(event).map((pick) => ({ ...pick, snapshot: undefined }));
  journal.note({ ...event, store: storeOf(forgotten) });
  strategy = "random";
  const [first, second] = journal.find({ last: 2 });
  assertEquals(first?.picks.map(({ strategy }) => strategy), ["least_load"]);
  assertEquals(second?.picks, []);
});

Deno.test("the journal leaves out what was written over while it was read", () => {
  const journal = new DecisionJournal(() => "turns", 3);
  for (let port = 1; port <= 3; port++) journal.note(refused(port, 1));
  const reading = journal.find({ last: 3 });
  assertEquals(reading.next().value?.client, "192.0.2.7:1");
  for (let port = 4; port <= 5; port++) journal.note(refused(port, 1));
  assertEquals([...reading].map(({ client }) => client), ["192.0.2.7:3"]);
});

Deno.test("the journal finds the latest of a client, the oldest first", () => {
  const journal = new DecisionJournal(() => "turns");
  for (let port = 1; port <= 9; port++) {
    journal.note(refused(port, 1, port % 2 === 0 ? "192.0.2.7" : "192.0.2.70"));
  }
  const ports = (last: number, client?: string) =>
    [...journal.find({ last, ...(client === undefined ? {} : { client }) })]
      .map(({ client }) => Number(client.split(":")[1]));
  assertEquals(ports(1), [9]);
  assertEquals(ports(3), [7, 8, 9]);
  assertEquals(ports(2, "192.0.2.7"), [6, 8]);
  assertEquals(ports(9, "192.0.2.7:4"), [4]);
  assertEquals(ports(2, "192.0.2"), [8, 9]);
  assertEquals(ports(9, "10"), []);
  const [pick] = [...journal.find({ last: 1 })][0]?.picks ?? [];
  assertEquals([pick?.strategy, pick?.nearlyEqual, pick?.backend], ["turns", 0.05, null]);
});

Deno.test("isFrom() takes an address, its host, and the beginning of its host", () => {
  const cases: [string, string, boolean][] = [
    ["192.0.2.7:22", "192.0.2.7:22", true],
    ["192.0.2.7:22", "192.0.2.7:2", false],
    ["192.0.2.7:22", "192.0.2", true],
    ["192.0.2.7:22", "192.0.", true],
    ["192.0.2.7:22", "192.0.2.", true],
    ["192.0.2.70:22", "192.0.2.7", false],
    ["[2001:db8::1]:22", "2001:db8::1", true],
    ["[2001:db8::1]:22", "[2001:db8::1]", true],
    ["[2001:db8::1]:22", "2001:db8:", true],
    ["[2001:db8::1]:22", "2001:db", false],
    ["unix:", "", false],
    ["unix:", "unix:", true],
  ];
  for (const [address, wanted, expected] of cases) {
    assertEquals([address, wanted, isFrom(address, wanted)], [address, wanted, expected]);
  }
  fc.assert(fc.property(tcpAddress(1), (address) => {
    assertEquals(isFrom(formatAddress(address), formatAddress(address)), true);
    if (address.transport === "tcp") {
      assertEquals(isFrom(formatAddress(address), address.host), true);
    }
  }));
});
