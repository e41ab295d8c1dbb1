// Orders of administrators as they may come.

import fc from "fast-check";
import type { Order } from "../../lib/core/administration/administration.ts";

const said = fc.record({
  by: fc.constantFrom("alice", "bob"),
  atMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  reason: fc.constantFrom("disk", "kernel"),
}, { requiredKeys: ["by", "atMs"] });

const backend = {
  pool: fc.constantFrom("p", "q"),
  backend: fc.constantFrom("a:22", "b:22", "[2001:db8::1]:22", "unix:/run/c.sock"),
  said,
};

const frontend = {
  frontend: fc.constantFrom("ssh", "other"),
  network: fc.constantFrom("192.0.2.0/24", "2001:db8::/32", "198.51.100.7/32"),
  said,
};

const weight = fc.integer({ min: 0, max: 256_000 }).map((thousandths) => thousandths / 1000);
const time = fc.integer({ min: 0, max: 4_000_000_000_000 });

/** Any order. */
export const anyOrder: fc.Arbitrary<Order> = fc.oneof(
  fc.record({
    kind: fc.constant("set" as const),
    ...backend,
    state: fc.constantFrom(null, "enabled", "draining", "disabled"),
    deadlineMs: fc.option(time, { nil: null }),
    overrules: fc.constant("its agent says drain (a\u0301)"),
    weight: fc.option(weight, { nil: null }),
  }, { requiredKeys: ["kind", "pool", "backend", "said"] }),
  fc.record({
    kind: fc.constant("add" as const),
    ...backend,
    cores: fc.constantFrom(1, 2.5),
    weight,
    maxConnections: fc.constantFrom(0, 10),
  }, { requiredKeys: ["kind", "pool", "backend", "said"] }),
  fc.record({ kind: fc.constant("remove" as const), ...backend, isConfigured: fc.boolean() }),
  fc.record({ kind: fc.constant("deny" as const), ...frontend, untilMs: time }, {
    requiredKeys: ["kind", "frontend", "network", "said"],
  }),
  fc.record({ kind: fc.constant("undeny" as const), ...frontend }),
);
