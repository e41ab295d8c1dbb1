import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { allocateEngineMemory, RING_TAIL } from "../../../../lib/engine/splice/layout.ts";
import {
  oldest,
  RecordCursor,
  RingReader,
  RingWriter,
} from "../../../../lib/engine/splice/ring.ts";

const WORDS = 64;

function ring(engine: Int32Array, start = 0): { writer: RingWriter; reader: RingReader } {
  const words = new Int32Array(new SharedArrayBuffer(WORDS * 4));
  // Both ends begin anywhere: positions wrap around at 2^32.
  const control = new Int32Array(new SharedArrayBuffer(64)).fill(start, 4, RING_TAIL + 1);
  return {
    writer: new RingWriter(words, control, engine),
    reader: new RingReader(words, control),
  };
}

function write(writer: RingWriter, values: readonly number[]): boolean {
  if (!writer.begin(2 + values.length)) return false;
  for (const value of values) writer.word(value);
  writer.commit();
  return true;
}

Deno.test("a ring gives back what went in, in order, and drops only what does not fit", () => {
  const operation = fc.oneof(
    fc.array(fc.integer(), { minLength: 1, maxLength: 20 }),
    fc.constant(0),
  );
  const start = fc.constantFrom(0, 2 ** 31 - 5, -7);
  fc.assert(fc.property(fc.array(operation), start, (operations, start) => {
    const { writer, reader } = ring(allocateEngineMemory(), start);
    const expected: (readonly number[])[] = [];
    const record = new RecordCursor();
    let used = 0;
    for (const values of operations) {
      if (values !== 0) {
        const fits = used + 2 + values.length <= WORDS;
        assertEquals(write(writer, values), fits);
        if (!fits) continue;
        expected.push(values);
        used += 2 + values.length;
      } else {
        const next = expected.shift();
        assertEquals(reader.take(record), next !== undefined);
        if (next === undefined) continue;
        assertEquals(next.map(() => record.word()), [...next]);
        used -= 2 + next.length;
      }
    }
  }));
});

Deno.test("records of several rings come in the order in which they were written", () => {
  const record = new RecordCursor();
  fc.assert(fc.property(fc.array(fc.nat(2), { maxLength: 20 }), fc.boolean(), (order, wraps) => {
    const engine = allocateEngineMemory();
    if (wraps) engine.fill(2 ** 31 - 3, 2, 3);
    const rings = [ring(engine), ring(engine), ring(engine)];
    order.forEach((which, number) => {
      const writer = rings[which]?.writer;
      assert(writer !== undefined && write(writer, [number]));
    });
    const readers = rings.map(({ reader }) => reader);
    const read: number[] = [];
    while (oldest(readers)?.take(record)) read.push(record.word());
    assertEquals(read, order.map((_, number) => number));
  }));
});

Deno.test("a number keeps all its digits on its way through a ring", () => {
  fc.assert(fc.property(fc.double({ noNaN: true }), (value) => {
    const { writer, reader } = ring(allocateEngineMemory());
    assert(writer.begin(4));
    writer.number(value);
    writer.commit();
    const record = new RecordCursor();
    assert(reader.take(record));
    assertEquals(record.number(), value);
  }));
});
