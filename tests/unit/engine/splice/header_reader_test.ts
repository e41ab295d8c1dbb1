// PROXY headers in a worker whose loop is driven by hand, system call by system call.

import { assert, assertEquals } from "@std/assert";
import { SourceTable } from "../../../../lib/core/admission/source_table.ts";
import { HEADER_TIMEOUT_MS } from "../../../../lib/core/proxy_protocol/header_reader.ts";
import {
  BYTES,
  CLIENT_ADDRESS,
  FREE,
  FRONTEND_ACTIVE,
  HELD,
  OPEN,
  READING_HEADER,
  REFUSED,
  STATE,
  TUNNEL_WORDS,
  WORKER_LOAD,
} from "../../../../lib/engine/splice/layout.ts";
import {
  EAGAIN,
  ECONNRESET,
  EINTR,
  EPOLLOUT,
  type Libc,
  MSG_PEEK,
} from "../../../../lib/engine/splice/libc.ts";
import { LoopClock } from "../../../../lib/engine/splice/loop_clock.ts";
import { reclaim } from "../../../../lib/engine/splice/reclaim.ts";
import { decodeSockaddr } from "../../../../lib/engine/splice/sockaddr.ts";
import { connectTo, portOf } from "../../../conformance/engine_fixture.ts";
import { echo, TcpPeer } from "../../../peers/tcp_peer.ts";
import { readAll, receive, send, writeAll } from "../../../support/bytes.ts";
import {
  bytesOf,
  type End,
  networksOf,
  proxyHeader,
  readProxyHeader,
} from "../../../support/proxy_headers.ts";
import { waitFor } from "../../../support/wait_for.ts";
import { specOf, WorkerByHand } from "../../../support/worker_by_hand.ts";

const [KELVIN, LB]: [End, End] = [["192.0.2.7", 40_001], ["198.51.100.22", 22]];
const PROXIES = networksOf("127.0.0.0/8").buffer;

/** Listens where everybody here is a proxy, or nobody. */
function listen(worker: WorkerByHand, acceptProxyFrom = PROXIES): number {
  const socket = worker.open();
  worker.publish(0);
  worker.loop.listen([{ ...specOf(socket, 0), acceptProxyFrom }]);
  return portOf([socket.bound]);
}

function stateOf({ memory }: WorkerByHand, slot = 0): number | undefined {
  return memory.words[slot * TUNNEL_WORDS + STATE];
}

/** Turns the loop until something has come true. */
function driven<T>(worker: WorkerByHand, what: string, isSo: () => T | false): Promise<T> {
  return waitFor(what, () => {
    worker.turn();
    return isSo();
  });
}

/** Turns the loop until a promise has its outcome; `between` turns something else is done. */
async function drivenTo<T>(
  worker: WorkerByHand,
  promise: Promise<T>,
  between: () => void = () => {},
): Promise<T> {
  let isSettled = false;
  const settled = promise.finally(() => isSettled = true);
  settled.catch(() => {});
  await driven(worker, "what the test waits for", () => {
    between();
    worker.turn();
    return isSettled;
  });
  return await settled;
}

Deno.test("a header is looked at until it is whole, and then exactly its bytes are read", async () => {
  await using backend = new TcpPeer(echo);
  for (const version of ["v1", "v2"] as const) {
    const header = proxyHeader(version, KELVIN, LB, version === "v2" ? "04000161" : "");
    for (let cut = 1; cut <= header.length; cut++) {
      const reads: (readonly [length: number, flags: number])[] = [];
      using worker = new WorkerByHand(backend.address, 4, ({ calls }) => ({
        recv: (fd, buffer, length, flags) => {
          reads.push([length, flags]);
          return calls.recv(fd, buffer, length, flags);
        },
      }));
      using client = await connectTo(listen(worker));
      await writeAll(client, header.subarray(0, cut));
      worker.turn();
      worker.turn();
      if (cut < header.length) {
        assertEquals([version, cut, stateOf(worker)], [version, cut, READING_HEADER]);
        assertEquals(reads.every(([, flags]) => flags === MSG_PEEK), true);
      }
      await writeAll(client, new Uint8Array([...header.subarray(cut), 120]));
      assertEquals(await drivenTo(worker, receive(client, 1)), "x");
      assertEquals(reads.find(([, flags]) => flags !== MSG_PEEK), [header.length, 0]);
      const { words } = worker.memory;
      assertEquals(decodeSockaddr(words, CLIENT_ADDRESS), {
        transport: "tcp",
        host: "192.0.2.7",
        port: 40_001,
      });
      worker.loop.cut();
    }
  }
});

Deno.test("a header that is whole stays unread while a reload holds the worker", async () => {
  await using backend = new TcpPeer(echo);
  using worker = new WorkerByHand(backend.address, 4);
  const socket = worker.open();
  const spec = { ...specOf(socket, 0), acceptProxyFrom: PROXIES };
  worker.publish(0);
  worker.loop.listen([spec]);
  using client = await connectTo(portOf([socket.bound]));
  using bad = await connectTo(portOf([socket.bound]));
  await driven(worker, "both clients", () => stateOf(worker, 1) === READING_HEADER);
  worker.loop.hold([]);
  await writeAll(client, proxyHeader("v1", KELVIN, LB));
  await send(bad, "no header");
  worker.turn();
  worker.turn();
  // What can be said now is said now.
  assertEquals([stateOf(worker, 0), stateOf(worker, 1)], [READING_HEADER, FREE]);
  worker.loop.listen([spec]);
  assert(stateOf(worker) !== READING_HEADER);
  await send(client, "x");
  assertEquals(await drivenTo(worker, receive(client, 1)), "x");
  worker.loop.cut();
});

Deno.test("a header that came while the thread stood still counts at its deadline", async () => {
  await using backend = new TcpPeer(echo);
  using worker = new WorkerByHand(backend.address, 4);
  const port = listen(worker);
  using late = await connectTo(port);
  using never = await connectTo(port);
  await writeAll(never, proxyHeader("v2", KELVIN, LB).subarray(0, 16));
  await driven(worker, "both clients", () => stateOf(worker, 1) === READING_HEADER);
  await writeAll(late, proxyHeader("v2", KELVIN, LB));
  const { now } = LoopClock.prototype;
  try {
    LoopClock.prototype.now = function () {
      return now.call(this) + HEADER_TIMEOUT_MS + 1000;
    };
    // Deadlines alone, as if the events were still to come.
    worker.turn(0);
    assertEquals([stateOf(worker, 0) === READING_HEADER, stateOf(worker, 1)], [false, FREE]);
    assertEquals(worker.memory.counters[REFUSED], 1);
  } finally {
    LoopClock.prototype.now = now;
  }
  worker.loop.cut();
});

Deno.test("clients whose header is awaited by a worker that dies are given back", async () => {
  await using backend = new TcpPeer(echo);
  using worker = new WorkerByHand(backend.address, 4);
  const port = listen(worker);
  using client = await connectTo(port);
  await send(client, "PROXY ");
  await driven(worker, "the client", () => stateOf(worker) === READING_HEADER);
  const { engine, memory, libc } = worker;
  assertEquals([engine[WORKER_LOAD], engine[FRONTEND_ACTIVE]], [1, 1]);
  const tunnels = reclaim(memory, 0, {
    libc,
    engine,
    sources: SourceTable.allocate(16),
    tableOf: () => undefined,
    nowMs: 0,
    atMs: 0,
  });
  assertEquals([tunnels, stateOf(worker)], [0, FREE]);
  assertEquals([engine[WORKER_LOAD], engine[FRONTEND_ACTIVE]], [0, 0]);
  assertEquals((await readAll(client).catch(() => new Uint8Array())).length, 0);
});

/** Sends of so many bytes at most, or errors by name, one after the other; then all is taken. */
const OUTCOMES: readonly (readonly (number | "EAGAIN" | "EINTR")[])[] = [
  [1, 1, 1, 1],
  ["EAGAIN"],
  ["EAGAIN", "EAGAIN", 5, "EAGAIN", 5],
  ["EINTR", 3, "EINTR", "EAGAIN", 1],
  [20, "EAGAIN"],
];

/** A libc whose sends go as the outcomes say. */
function stingySends(outcomes: (number | "EAGAIN" | "EINTR")[]) {
  return ({ calls, errno }: Libc): Partial<Libc["calls"]> => ({
    send: (fd, buffer, length, flags) => {
      const outcome = outcomes.shift();
      if (typeof outcome === "string") {
        errno[0] = outcome === "EAGAIN" ? EAGAIN : EINTR;
        return -1;
      }
      return calls.send(fd, buffer, Math.min(length, outcome ?? length), flags);
    },
  });
}

Deno.test("a header of which the backend's socket takes a part at a time arrives whole, and first", async () => {
  for (const version of ["v1", "v2"] as const) {
    // The client speaks first, or the backend.
    for (const [outcomes, said] of OUTCOMES.flatMap((one) => [[one, "hi"], [one, ""]] as const)) {
      const headers: string[] = [];
      await using backend = new TcpPeer(async (conn) => {
        headers.push(await readProxyHeader(conn, version));
        await send(conn, "g");
        await echo(conn);
      });
      const left = [...outcomes];
      using worker = new WorkerByHand(backend.address, 4, stingySends(left));
      const port = listen(worker, networksOf("192.0.2.0/24").buffer);
      worker.publish(0, version);
      const client = await connectTo(port);
      await writeAll(client, bytesOf(said));
      // The kernel, which knows of no lack of room, would not tell that there is some again.
      const hasRoom = () => stateOf(worker) === OPEN && worker.tell(0, 1, EPOLLOUT);
      const answer = `g${said}`;
      assertEquals(await drivenTo(worker, receive(client, answer.length), hasRoom), answer);
      assertEquals(left, []);
      const expected = proxyHeader(
        version,
        ["127.0.0.1", client.localAddr.port],
        ["127.0.0.1", port],
      );
      assertEquals(
        headers,
        [version === "v1" ? String.fromCharCode(...expected) : expected.toHex()],
      );
      const { words, numbers } = worker.memory;
      assertEquals(
        [numbers[BYTES], numbers[BYTES + 1], words[HELD]],
        [said.length, answer.length, 0],
      );
      client.close();
      worker.loop.cut();
    }
  }
});

Deno.test("a backend that is gone before its header is sent has not taken the connection", async () => {
  await using backend = new TcpPeer(echo);
  let failures = 1;
  using worker = new WorkerByHand(`${backend.address} ${backend.address}`, 4, (libc) => ({
    send: (...sent) => {
      if (failures === 0) return libc.calls.send(...sent);
      failures--;
      libc.errno[0] = ECONNRESET;
      return -1;
    },
  }));
  const port = listen(worker, networksOf("192.0.2.0/24").buffer);
  worker.publish(0, "v1");
  // The backend's second address has it.
  using client = await connectTo(port);
  const header = String.fromCharCode(
    ...proxyHeader("v1", ["127.0.0.1", client.localAddr.port], ["127.0.0.1", port]),
  );
  assertEquals(await drivenTo(worker, receive(client, header.length)), header);
  assertEquals(failures, 0);
  // Neither has.
  failures = 2;
  using refused = await connectTo(port);
  await driven(worker, "the refusal", () => worker.memory.counters[REFUSED] === 1);
  assertEquals((await readAll(refused)).length, 0);
  worker.loop.cut();
});
