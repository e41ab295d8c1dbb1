import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { type DecisionEvent, DecisionJournal, isFrom } from "../../../lib/app/decision_journal.ts";
import { formatAddress } from "../../../lib/core/address.ts";
import { tcpAddress } from "../../support/arbitraries.ts";

function refused(port: number, backends: number, host = "192.0.2.7"): DecisionEvent {
  return {
    kind: "refused",
    frontend: "ssh",
    pool: "compute",
    client: { transport: "tcp", host, port },
    atMs: port,
    reason: "no_backend",
    attempts: 0,
    picks: [{
      atMs: port,
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
    }],
  };
}

Deno.test("the journal keeps the last decisions, in number and in size", () => {
  fc.assert(fc.property(
    fc.array(fc.integer({ min: 0, max: 32 }), { maxLength: 60 }),
    (sizes) => {
      const journal = new DecisionJournal(10, 100);
      for (const [index, size] of sizes.entries()) {
        journal.note(refused(index + 1, size), () => "least_load");
      }
      let kept = 0;
      let seen = 0;
      for (const size of [...sizes].reverse()) {
        if (kept === 10 || (kept > 0 && seen + size > 100)) break;
        kept++;
        seen += size;
      }
      assertEquals(journal.size, kept);
      const found = journal.find({ last: 100 });
      assertEquals(
        found.map(({ client }) => client),
        sizes.map((_, index) => `192.0.2.7:${index + 1}`).slice(sizes.length - kept),
      );
    },
  ));
});

Deno.test("the journal finds the latest of a client, the oldest first", () => {
  const journal = new DecisionJournal();
  for (let port = 1; port <= 9; port++) {
    journal.note(refused(port, 1, port % 2 === 0 ? "192.0.2.7" : "192.0.2.70"), () => "turns");
  }
  const ports = (last: number, client?: string) =>
    journal.find({ last, ...(client === undefined ? {} : { client }) })
      .map(({ client }) => Number(client.split(":")[1]));
  assertEquals(ports(1), [9]);
  assertEquals(ports(3), [7, 8, 9]);
  assertEquals(ports(2, "192.0.2.7"), [6, 8]);
  assertEquals(ports(9, "192.0.2.7:4"), [4]);
  assertEquals(ports(2, "192.0.2"), [8, 9]);
  assertEquals(ports(9, "10"), []);
  const [pick] = journal.find({ last: 1 })[0]?.picks ?? [];
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
