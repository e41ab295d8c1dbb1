// A worker was told of a new listener before it was counted that the next one would be. Where the control
// plane was interrupted in between, the first took clients and handed some over to the second, which did
// not know their listener and closed them without a word.

import { assertEquals } from "@std/assert";
import { CONTROL_WORDS, MESSAGES_SENT } from "../../lib/engine/splice/layout.ts";
import { openLibc } from "../../lib/engine/splice/libc.ts";
import { SocketMaker } from "../../lib/engine/splice/sockets.ts";
import { connectTo, EngineFixture, frontendOf, planOf } from "../conformance/engine_fixture.ts";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { receive, send } from "../support/bytes.ts";
import { KEEPALIVE, makeSpliceEngine } from "../support/splice_engine.ts";

const CLIENTS = 12;
/** The first worker takes them all within a few milliseconds. */
const INTERRUPTION_MS = 300;

Deno.test("a listener is new to all workers at once", async () => {
  const libc = openLibc();
  const { fd, bound } = new SocketMaker(libc, KEEPALIVE)
    .listen({ transport: "tcp", host: "127.0.0.1", port: 0 });
  libc.close();
  await using backend = new TcpPeer(echo);
  await using fixture = new EngineFixture(makeSpliceEngine({ inherited: [fd] }));
  const { engine } = fixture;
  engine.publish("p", planOf([backend.address]));
  const elsewhere = frontendOf({ name: "g" });
  await engine.start([elsewhere]);
  const clients: Deno.TcpConn[] = [];
  const port = bound.transport === "tcp" ? bound.port : 0;
  while (clients.length < CLIENTS) clients.push(await connectTo(port));

  const { add } = Atomics;
  let told = 0;
  const interrupted = (words: Int32Array, index: number, value: number): number => {
    const isTelling = words.length === CONTROL_WORDS && index === MESSAGES_SENT;
    if (isTelling && ++told === 2) {
      for (const end = performance.now() + INTERRUPTION_MS; performance.now() < end;);
    }
    return add(words, index, value);
  };
  Object.defineProperty(Atomics, "add", { value: interrupted, configurable: true });
  try {
    await engine.start([elsewhere, frontendOf({ listen: [bound] })]);
  } finally {
    Object.defineProperty(Atomics, "add", { value: add, configurable: true, writable: true });
  }
  for (const client of clients) {
    await send(client, "x");
    assertEquals(await receive(client, 1), "x");
    client.close();
  }
  assertEquals(engine.counters().opened, CLIENTS);
});
