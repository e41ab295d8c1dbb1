import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { HandoffQueue } from "../../../../lib/engine/splice/handoff_queue.ts";

const ADDRESS = new Int32Array([2, 1, 2, 3, 4, 5, 6]);

Deno.test("an handoff hands clients on in order and refuses when it is full", () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: -40, max: 40 })), (bursts) => {
    const memory = HandoffQueue.allocate();
    const writers = [new HandoffQueue(memory), new HandoffQueue(memory)];
    const reader = new HandoffQueue(memory);
    const waiting: number[] = [];
    let fd = 3;
    for (const burst of bursts) {
      for (let i = 0; i < burst; i++) {
        const put = writers[i % 2]?.put(++fd, fd + 1, fd + 2, fd + 3, ADDRESS);
        assertEquals(put, waiting.length < 256);
        if (put) waiting.push(fd);
      }
      for (let i = 0; i < -burst; i++) {
        const next = waiting.shift();
        assertEquals(reader.empty, next === undefined);
        if (next === undefined) continue;
        reader.take();
        const { listener, frontend, sourcePlace } = reader;
        assertEquals(
          [reader.fd, listener, frontend, sourcePlace],
          [next, next + 1, next + 2, next + 3],
        );
        assertEquals(reader.address, ADDRESS);
      }
    }
  }));
});

Deno.test("an handoff outlives its reader", () => {
  const memory = HandoffQueue.allocate();
  const writer = new HandoffQueue(memory);
  for (let fd = 10; fd < 13; fd++) assert(writer.put(fd, 0, 0, 0, ADDRESS));
  const first = new HandoffQueue(memory);
  first.take();
  const second = new HandoffQueue(memory);
  second.take();
  assertEquals([first.fd, second.fd, second.empty], [10, 11, false]);
});
