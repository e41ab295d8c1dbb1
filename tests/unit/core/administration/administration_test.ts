import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import {
  type Administration,
  NO_ADMINISTRATION,
  type Order,
  ordered,
  overrideOf,
  withoutExpired,
} from "../../../../lib/core/administration/administration.ts";
import { administered } from "../../../../lib/core/administration/override.ts";
import { backendsNamed } from "../../../support/pools.ts";
import { anyOrder } from "../../../support/orders.ts";

const ALICE = { by: "alice", atMs: 1000 };
const BOB = { by: "bob", atMs: 2000 };
const ON = { pool: "p", backend: "a:22" } as const;

function after(...orders: readonly Order[]): Administration {
  return orders.reduce(ordered, NO_ADMINISTRATION);
}

/** What remains of a backend "a:22" beside one that nobody has ordered anything of. */
function effect(...orders: readonly Order[]) {
  const overrides = after(...orders).backends.get("p") ?? new Map();
  const [backend, ...others] = administered(backendsNamed(["a:22", "b:22"]), overrides);
  assertEquals(others.length, backend?.id === "b:22" ? 0 : 1);
  return backend?.id === "b:22" ? undefined : backend;
}

Deno.test("a drain holds until it is taken back, its deadline until it is changed", () => {
  const drain = { kind: "set", ...ON, said: ALICE, state: "draining", deadlineMs: 9000 } as const;
  assertEquals(effect(drain)?.admin, "draining");
  const state = () => overrideOf(now, "p", "a:22").state;
  let now = after(drain);
  assertEquals(state(), { state: "draining", deadlineMs: 9000, ...ALICE });
  now = ordered(now, { kind: "set", ...ON, said: BOB, deadlineMs: null });
  assertEquals(state(), { state: "draining", ...BOB });
  now = ordered(now, { kind: "set", ...ON, said: ALICE, state: "disabled" });
  assertEquals(state(), { state: "disabled", ...ALICE });
  // A deadline is nothing to a backend that is not drained.
  assertStrictEquals(ordered(now, { kind: "set", ...ON, said: BOB, deadlineMs: 5 }), now);
  assertEquals(ordered(now, { kind: "set", ...ON, said: BOB, state: "enabled" }), {
    ...NO_ADMINISTRATION,
  });
});

Deno.test("to disable a backend that drains ends its deadline", () => {
  const now = after(
    { kind: "set", ...ON, said: ALICE, state: "draining", deadlineMs: 9000 },
    { kind: "set", ...ON, said: BOB, state: "disabled" },
    { kind: "set", ...ON, said: BOB, state: "draining" },
  );
  assertEquals(overrideOf(now, "p", "a:22").state, { state: "draining", ...BOB });
});

Deno.test("to order again what stands keeps who ordered it, unless the reason is another", () => {
  const drain = { kind: "set", ...ON, said: ALICE, state: "draining" } as const;
  const now = after(drain);
  assertStrictEquals(ordered(now, { ...drain, said: BOB }), now);
  const again = ordered(now, { ...drain, said: { ...BOB, reason: "disk" } });
  assertEquals(overrideOf(again, "p", "a:22").state?.by, "bob");
  assertStrictEquals(ordered(again, drain), again);
});

Deno.test("what is removed is out until it is enabled or added, whatever names it", () => {
  const remove = { kind: "remove", ...ON, said: ALICE, isConfigured: true } as const;
  assertEquals(effect(remove), undefined);
  assertEquals(effect(remove, { kind: "set", ...ON, said: BOB, weight: 2 }), undefined);
  assertEquals(effect(remove, { kind: "set", ...ON, said: BOB, state: "disabled" }), undefined);
  for (
    const back of [
      { kind: "set", ...ON, said: BOB, state: "enabled" },
      { kind: "set", ...ON, said: BOB, state: null },
      { kind: "set", ...ON, said: BOB, state: "enabled", overrules: "its agent says drain" },
      { kind: "add", ...ON, said: BOB },
    ] as const
  ) assertEquals(effect(remove, back)?.id, "a:22", JSON.stringify(back));
});

Deno.test("what an administrator alone has added is forgotten when it is removed", () => {
  const add = { kind: "add", pool: "p", backend: "c:22", said: ALICE, cores: 4 } as const;
  const remove = { kind: "remove", pool: "p", backend: "c:22", said: BOB } as const;
  const names = (now: Administration) =>
    administered(backendsNamed(["a:22"]), now.backends.get("p") ?? new Map());
  const address = { transport: "tcp", host: "c", port: 22 } as const;
  assertEquals(names(after(add))[1], { id: "c:22", address, maxConnections: 0, cores: 4 });
  assertEquals(after(add, { ...remove, isConfigured: false }), { ...NO_ADMINISTRATION });
  // One that a configuration has named before may be named again.
  const drain = {
    kind: "set",
    pool: "p",
    backend: "c:22",
    said: ALICE,
    state: "draining",
  } as const;
  const drained = after(drain, { ...remove, isConfigured: false });
  assertEquals(Object.keys(overrideOf(drained, "p", "c:22")), ["state", "removed"]);
  const removed = after(add, { ...remove, isConfigured: true });
  assertEquals(names(removed).length, 1);
  // What it was added with counts again.
  const back = ordered(removed, {
    kind: "set",
    pool: "p",
    backend: "c:22",
    said: ALICE,
    state: null,
  });
  assertEquals(names(back)[1]?.cores, 4);
});

Deno.test("administrator over configuration: weight, cores and limit", () => {
  const now = after(
    { kind: "add", ...ON, said: ALICE, cores: 8, weight: 3, maxConnections: 5 },
    { kind: "set", ...ON, said: ALICE, weight: 0 },
  );
  const configured = backendsNamed(["a:22"]).map((one) => ({ ...one, cores: 2, weight: 9 }));
  const [backend] = administered(configured, now.backends.get("p") ?? new Map());
  assertEquals([backend?.cores, backend?.weight, backend?.maxConnections], [8, 0, 5]);
  const without = ordered(now, { kind: "set", ...ON, said: ALICE, weight: null });
  const [plain] = administered(configured, without.backends.get("p") ?? new Map());
  assertEquals(plain?.weight, 3);
});

Deno.test("denials end by order or with their time", () => {
  const of = { frontend: "ssh", network: "192.0.2.0/24" } as const;
  const now = after(
    { kind: "deny", ...of, said: ALICE, untilMs: 5000 },
    { kind: "deny", frontend: "ssh", network: "198.51.100.7", said: ALICE },
  );
  assertStrictEquals(withoutExpired(now, 4999), now);
  const later = withoutExpired(now, 5000);
  assertEquals([...later.denials.get("ssh")?.keys() ?? []], ["198.51.100.7"]);
  assertEquals(
    ordered(later, { kind: "undeny", frontend: "ssh", network: "198.51.100.7", said: BOB }),
    { ...NO_ADMINISTRATION },
  );
});

Deno.test("properties: every order is idempotent, and touches nothing but what it names", () => {
  fc.assert(
    fc.property(fc.array(anyOrder, { maxLength: 30 }), anyOrder, (before, order) => {
      const was = after(...before);
      const is = ordered(was, order);
      assertStrictEquals(ordered(is, order), is);
      const isNamed = (outer: string, inner: string) =>
        order.kind === "deny" || order.kind === "undeny"
          ? outer === order.frontend && inner === order.network
          : outer === order.pool && inner === order.backend;
      for (const part of ["backends", "denials"] as const) {
        for (const [outer, inner] of was[part]) {
          for (const [key, value] of inner) {
            if (!isNamed(outer, key)) assertStrictEquals(is[part].get(outer)?.get(key), value);
          }
        }
        for (const inner of is[part].values()) assert(inner.size > 0);
      }
    }),
  );
});

Deno.test("properties: orders about different backends may come in any order", () => {
  fc.assert(
    fc.property(anyOrder, anyOrder, (one, other) => {
      const about = (order: Order) =>
        "pool" in order ? [order.pool, order.backend] : [order.frontend, order.network];
      fc.pre(about(one).join() !== about(other).join());
      assertEquals(after(one, other), after(other, one));
    }),
  );
});
