// Engine cases about bytes: what goes in comes out, whoever closes first and however.

import { assert, assertEquals } from "@std/assert";
import { answerAtEnd, echo, greetThenEcho, silent, TcpPeer } from "../peers/tcp_peer.ts";
import { digest, pseudoRandomBytes, readAll, receive, send, writeAll } from "../support/bytes.ts";
import { connectResettable, ResettingServer } from "../support/reset.ts";
import { waitFor, within } from "../support/wait_for.ts";
import type { EngineCase } from "./engine_cases.ts";
import { connectTo, planOf } from "./engine_fixture.ts";

export const RELAY_CASES: readonly EngineCase[] = [
  {
    name: "a server that speaks first is heard, and answers",
    run: async (fixture) => {
      await using backend = new TcpPeer(greetThenEcho("SSH-2.0-peer\r\n"));
      const port = await fixture.listen(planOf([backend.address]));
      using client = await connectTo(port);
      assertEquals(await receive(client, 14), "SSH-2.0-peer\r\n");
      for (const word of ["a", "longer word", "x".repeat(3000)]) {
        await send(client, word);
        assertEquals(await receive(client, word.length), word);
      }
    },
  },
  {
    name: "a client that closes its write side gets the whole answer",
    run: async (fixture) => {
      const answer = pseudoRandomBytes(1_000_000, 7);
      await using backend = new TcpPeer(answerAtEnd(() => answer));
      const port = await fixture.listen(planOf([backend.address]));
      using client = await connectTo(port);
      await send(client, "question");
      await client.closeWrite();
      assertEquals(await digest(await readAll(client)), await digest(answer));
      const closed = await fixture.nth("closed");
      assertEquals(closed.reason, "client_closed");
      assertEquals([closed.bytesToBackend, closed.bytesToClient], [8, answer.length]);
    },
  },
  {
    name: "a backend that closes its write side still gets all the client sends",
    run: async (fixture) => {
      const received = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
      await using backend = new TcpPeer(async (conn) => {
        await conn.write(new TextEncoder().encode("bye"));
        await conn.closeWrite();
        received.resolve(await readAll(conn));
      });
      const port = await fixture.listen(planOf([backend.address]));
      using client = await connectTo(port);
      assertEquals(new TextDecoder().decode(await readAll(client)), "bye");
      const upload = pseudoRandomBytes(300_000, 8);
      await writeAll(client, upload);
      await client.closeWrite();
      assertEquals(await digest(await received.promise), await digest(upload));
      assertEquals((await fixture.nth("closed")).reason, "backend_closed");
    },
  },
  {
    name: "large transfers both ways at once arrive identical",
    run: async (fixture) => {
      await using backend = new TcpPeer(echo);
      const port = await fixture.listen(planOf([backend.address]));
      const bytes = pseudoRandomBytes(32 * 1024 * 1024, 9);
      using client = await connectTo(port);
      const reading = readAll(client);
      await within("the upload", writeAll(client, bytes));
      await client.closeWrite();
      assertEquals(await digest(await reading), await digest(bytes));
    },
  },
  {
    name: "pieces of every size between one byte and more than a buffer arrive in order",
    run: async (fixture) => {
      await using backend = new TcpPeer(echo);
      const port = await fixture.listen(planOf([backend.address]));
      using client = await connectTo(port);
      let seed = 1;
      for (let size = 1; size < 700_000; size = Math.ceil(size * 1.9)) {
        const piece = pseudoRandomBytes(size, seed++);
        const reading = receive(client, size);
        await writeAll(client, piece);
        assertEquals(await reading, new TextDecoder().decode(piece), `a piece of ${size} bytes`);
      }
    },
  },
  {
    name: "a slow reader holds the sender back",
    run: async (fixture) => {
      let sent = 0;
      await using backend = new TcpPeer(async (conn, { accepted }) => {
        const isFirst = accepted === 1;
        for (;;) {
          const count = await conn.write(CHUNK);
          if (isFirst) sent += count;
        }
      });
      const port = await fixture.listen(planOf([backend.address]));
      using client = await connectTo(port);
      await receive(client, 1);
      const inFlight = await whenHeldBack(() => sent, port);
      await receive(client, 30_000_000);
      await waitFor("the sender to go on", () => sent > inFlight);
    },
  },
  {
    name: "a connection without a byte is a tunnel like any other",
    run: async (fixture) => {
      await using backend = new TcpPeer(echo);
      const port = await fixture.listen(planOf([backend.address]));
      (await connectTo(port)).close();
      const closed = await fixture.nth("closed");
      assertEquals([closed.bytesToBackend, closed.bytesToClient], [0, 0]);
      assertEquals(closed.reason, "client_closed");
    },
  },
  {
    name: "a client's reset reaches the backend and is named",
    run: async (fixture) => {
      await using backend = new TcpPeer(echo);
      const port = await fixture.listen(planOf([backend.address]));
      const client = await connectResettable(port);
      await client.send("x");
      await fixture.nth("opened");
      await waitFor("the backend's side", () => backend.open.size === 1);
      await client.reset();
      assertEquals((await fixture.nth("closed")).reason, "client_reset");
      await waitFor("the backend's side to end", () => backend.open.size === 0);
    },
  },
  {
    name: "a backend that dies in mid-session ends that session alone",
    run: async (fixture) => {
      await using dying = new ResettingServer();
      const dyingAddress = await dying.listen();
      await using other = new TcpPeer(echo);
      const port = await fixture.listen(planOf([dyingAddress, other.address]));
      using first = await connectTo(port);
      await receive(first, 1);
      using second = await connectTo(port);
      await send(second, "ab");
      assertEquals(await receive(second, 2), "ab");
      dying.reset();
      const ended = await fixture.nth("closed");
      assertEquals(ended.backend, dyingAddress);
      assertEquals(ended.reason, "backend_reset");
      await within("the client's end", readAll(first).catch(() => new Uint8Array()));
      await send(second, "cd");
      assertEquals(await receive(second, 2), "cd");
    },
  },
  {
    name:
      "a backend that hangs up without a word is named as who ended it, whatever the client sends",
    run: async (fixture) => {
      await using a = new TcpPeer(() => Promise.resolve());
      const port = await fixture.listen(planOf([a.address]));
      for (const [nth, words] of [[1, ""], [2, "SSH-2.0-client\r\n"]] as const) {
        const client = await connectTo(port);
        // It may have been reset by then.
        await send(client, words).catch(() => {});
        await readAll(client).catch(() => {});
        client.close();
        const { reason, bytesToClient } = await fixture.nth("closed", nth);
        assert(reason === "backend_closed" || reason === "backend_reset", reason);
        assertEquals(bytesToClient, 0);
      }
    },
  },
  {
    name: "a client that gives a mute backend up has sent something and got nothing",
    run: async (fixture) => {
      await using a = new TcpPeer(silent);
      const port = await fixture.listen(planOf([a.address]));
      const client = await connectTo(port);
      await send(client, "hello");
      await waitFor("the backend's part", () => a.accepted === 1);
      client.close();
      await waitFor("the client's end", () => a.open.size === 1);
      for (const conn of a.open) conn.close();
      const { reason, bytesToBackend, bytesToClient } = await fixture.nth("closed");
      assert(reason === "client_closed" || reason === "client_reset", reason);
      assertEquals([bytesToBackend, bytesToClient], [5, 0]);
    },
  },
  {
    name: "the answer of a backend that stops reading reaches the client",
    run: async (fixture) => {
      await using backend = new TcpPeer(async (conn) => {
        await conn.read(new Uint8Array(10));
        await conn.write(new TextEncoder().encode("too much"));
      });
      const port = await fixture.listen(planOf([backend.address]));
      using client = await connectTo(port);
      const upload = writeAll(client, new Uint8Array(8_000_000)).catch(() => {});
      // The reset of the dead backend may or may not overtake its last words on their way to us; what
      // must never happen is a hang.
      await within("the end", readAll(client).catch(() => new Uint8Array()));
      client.closeWrite().catch(() => {});
      await within("the upload's end", upload);
      await fixture.nth("closed");
    },
  },
  {
    name: "a client that sends on to a dead backend without reading is not held up for ever",
    run: async (fixture) => {
      let sent = 0;
      await using backend = new TcpPeer(async (conn, { accepted }) => {
        const isFirst = accepted === 1;
        if (isFirst) await conn.read(new Uint8Array(10));
        for (;;) {
          const count = await conn.write(CHUNK);
          if (isFirst) sent += count;
        }
      });
      const port = await fixture.listen(planOf([backend.address]));
      using client = await connectTo(port);
      await send(client, "go");
      await whenHeldBack(() => sent, port);
      // What it has not read makes this a reset.
      await send(client, "more");
      for (const conn of backend.open) conn.close();
      const upload = writeAll(client, new Uint8Array(40_000_000)).catch(() => {});
      await within("the upload's end", upload);
      client.close();
      await fixture.nth("closed", 2);
    },
  },
  {
    name: "an idle tunnel is ended only when asked for",
    run: async (fixture) => {
      await using backend = new TcpPeer(silent);
      const port = await fixture.listen(planOf([backend.address]), { idleTimeoutMs: 600 });
      using client = await connectTo(port);
      assertEquals((await readAll(client)).length, 0);
      assertEquals((await fixture.nth("closed")).reason, "idle_timeout");
    },
  },
  {
    name: "no tunnel is ended before it has been idle for as long as it may",
    run: async (fixture) => {
      await using backend = new TcpPeer(echo);
      const port = await fixture.listen(planOf([backend.address]), { idleTimeoutMs: 600 });
      const idleMs = async (beginMs: number) => {
        using client = await connectTo(port);
        await new Promise((resolve) => setTimeout(resolve, beginMs));
        const sent = performance.now();
        await send(client, "x");
        assertEquals((await readAll(client)).length, 1);
        return performance.now() - sent;
      };
      const begins = Array.from({ length: 12 }, (_, index) => 30 * index);
      for (const ms of await Promise.all(begins.map(idleMs))) assert(ms >= 600, `${ms} ms`);
    },
  },
  {
    name: "a trickle keeps a tunnel from being idle",
    run: async (fixture) => {
      await using backend = new TcpPeer(echo);
      const idleTimeoutMs = 800;
      const port = await fixture.listen(planOf([backend.address]), { idleTimeoutMs });
      // On a machine that stood still for so long in between, its end is right, and says nothing.
      const { isOpen } = await waitFor("a trickle without a long pause", async () => {
        const outcome = await trickle(port, 2 * idleTimeoutMs);
        return (outcome.isOpen || outcome.longestPauseMs < idleTimeoutMs) && outcome;
      });
      assert(isOpen, "it was ended between bytes");
    },
  },
];

const CHUNK = new Uint8Array(65_536);
/** More than the kernel's buffers of a session take on loopback: some megabytes each. */
const BEYOND_BUFFERS = 64 * 1024 * 1024;

/**
 * Waits until a backend that sends without end to a client that does not read is held back: what proves it
 * is another such session, whose client reads more than all buffers take while the first one's backend gets
 * rid of nothing.
 * @returns what the backend had got rid of.
 * @throws {AssertionError} when it gets rid of more than buffers take.
 */
async function whenHeldBack(sent: () => number, port: number): Promise<number> {
  await waitFor("the backend to send", () => sent() > 0);
  using other = await connectTo(port);
  for (;;) {
    const before = sent();
    await readAway(other, BEYOND_BUFFERS);
    assert(sent() < BEYOND_BUFFERS, `${sent()} bytes are in flight`);
    if (sent() === before) return before;
  }
}

async function readAway(conn: Deno.Conn, count: number): Promise<void> {
  const buffer = new Uint8Array(1024 * 1024);
  for (let left = count; left > 0;) {
    const n = await within("more bytes", conn.read(buffer));
    if (n === null) throw new Error(`Connection ended ${left} bytes too early`);
    left -= n;
  }
}

/** Has a byte echoed now and then; the longest pause is from before one is sent to after the next is back. */
async function trickle(
  port: number,
  forMs: number,
): Promise<{ isOpen: boolean; longestPauseMs: number }> {
  using client = await connectTo(port);
  const buffer = new Uint8Array(1);
  const begin = performance.now();
  let longestPauseMs = 0;
  for (let last = begin; last - begin < forMs;) {
    const sendingAt = performance.now();
    const isOpen = await send(client, "x").then(() => client.read(buffer)).then(
      (n) => n !== null,
      () => false,
    );
    longestPauseMs = Math.max(longestPauseMs, performance.now() - last);
    if (!isOpen) return { isOpen, longestPauseMs };
    last = sendingAt;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return { isOpen: true, longestPauseMs };
}
