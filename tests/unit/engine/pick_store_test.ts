import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { SNAPSHOT_WORDS, takeSnapshot } from "../../../lib/core/pick/decision_snapshot.ts";
import { Choice, pick } from "../../../lib/core/pick/pick_kernels.ts";
import { ELIGIBLE, PickTable } from "../../../lib/core/pick/pick_table.ts";
import { NO_PICK, PickStore } from "../../../lib/engine/pick_store.ts";

/** What the store keeps beside a snapshot. */
const ENTRY_WORDS = 6;

Deno.test("a store keeps the last snapshots whole, and knows which are gone", () => {
  const words = 512;
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 32 }), { maxLength: 60 }), (sizes) => {
    const store = new PickStore(words);
    const snapshot = new Int32Array(SNAPSHOT_WORDS + 3);
    const traces = sizes.map((rows, index) => {
      const table = PickTable.allocate(64);
      const taken = new Set<number>();
      const names = Array.from({ length: rows }, (_, row) => {
        taken.add(table.claim(taken));
        table.write(row, ELIGIBLE, 1);
        return { backend: `${index}.${row}`, addresses: [] };
      });
      const choice = new Choice();
      pick(table, null, 0, choice);
      const length = takeSnapshot(table, null, choice, 0, snapshot.subarray(3));
      return { length, place: store.put(snapshot, 3, names, index, NO_PICK) };
    });
    let before = 0;
    for (const [age, { length, place }] of traces.toReversed().entries()) {
      const [trace, ...others] = store.chain(place);
      assertEquals(others, []);
      const snapshot = trace?.snapshot;
      const atMs = traces.length - 1 - age;
      if (trace !== undefined) assertEquals([trace.atMs, trace.failure], [atMs, undefined]);
      before += length + ENTRY_WORDS;
      // What has stood at the end of the slab may have cost up to one snapshot's room.
      if (before <= words - SNAPSHOT_WORDS - ENTRY_WORDS) {
        assertEquals(snapshot?.backends.length, sizes[atMs]);
      }
      if (before > words) assertEquals(snapshot, undefined);
      for (const [row, { backend }] of snapshot?.backends.entries() ?? []) {
        assertEquals(backend, `${atMs}.${row}`);
      }
      if (trace !== undefined) assertEquals(trace.kernel, "rotation");
    }
  }));
});

Deno.test("a store tells the picks of one connection in order, with what failed", () => {
  const store = new PickStore();
  const table = PickTable.allocate(64);
  const names = [{ backend: "a", addresses: [] }];
  table.write(table.claim(new Set()), ELIGIBLE, 1);
  const choice = new Choice();
  const snapshot = new Int32Array(SNAPSHOT_WORDS);
  pick(table, null, 0, choice);
  takeSnapshot(table, null, choice, 0, snapshot);
  const first = store.put(snapshot, 0, names, 1, NO_PICK);
  store.failed(first, "refused");
  store.put(snapshot, 0, names, 2, NO_PICK);
  const last = store.put(snapshot, 0, names, 3, first);
  assertEquals(
    store.chain(last).map(({ atMs, failure }) => [atMs, failure]),
    [[1, "refused"], [3, undefined]],
  );
  assertEquals(store.chain(NO_PICK), []);
  assertEquals([store.kernelAt(last), store.kernelAt(NO_PICK)], ["rotation", undefined]);
});
