import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { SNAPSHOT_WORDS, takeSnapshot } from "../../../lib/core/decision_snapshot.ts";
import { Choice, pick } from "../../../lib/core/pick_kernels.ts";
import { ELIGIBLE, PickTable } from "../../../lib/core/pick_table.ts";
import { SnapshotStore, StoredTrace } from "../../../lib/engine/pick_trace.ts";

Deno.test("a store keeps the last snapshots whole, and knows which are gone", () => {
  const words = 600;
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 32 }), { maxLength: 60 }), (sizes) => {
    const store = new SnapshotStore(words);
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
      return { length, trace: new StoredTrace(index, store, store.put(snapshot, 3), names) };
    });
    let before = 0;
    for (const { length, trace } of traces.toReversed()) {
      const { snapshot, atMs } = trace;
      before += length;
      // What has stood at the end of the slab may have cost up to one snapshot's room.
      if (before <= words - SNAPSHOT_WORDS) assertEquals(snapshot?.backends.length, sizes[atMs]);
      if (before > words) assertEquals(snapshot, undefined);
      for (const [row, { backend }] of snapshot?.backends.entries() ?? []) {
        assertEquals(backend, `${atMs}.${row}`);
      }
      assertEquals(trace.kernel, "rotation");
    }
  }));
});
