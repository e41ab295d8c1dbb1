// Engine cases about TCP's urgent data. A read stops at the byte before the urgent one, which says neither
// that the input is at its end nor that nothing waits behind. The urgent byte itself may be dropped.

import { assertEquals } from "@std/assert";
import { formatAddress } from "../../lib/core/values/address.ts";
import { openLibc } from "../../lib/engine/splice/libc.ts";
import { TcpPeer } from "../peers/tcp_peer.ts";
import { digest, pseudoRandomBytes } from "../support/bytes.ts";
import { UrgentServer, UrgentSocket } from "../support/urgent_socket.ts";
import { waitFor } from "../support/wait_for.ts";
import type { EngineCase } from "./engine_cases.ts";
import { connectTo, type EngineFixture, planOf } from "./engine_fixture.ts";

/** Plain bytes by their number, an urgent byte, a wait until all before has come, or the end. */
type Step = number | "urgent" | "arrive" | "end";

const COURSES: readonly { readonly name: string; readonly steps: readonly Step[] }[] = [
  { name: "in the middle", steps: [60_000, "urgent", 20_000, "end"] },
  { name: "first", steps: ["urgent", 5000, "end"] },
  { name: "last", steps: [30_000, "urgent", "end"] },
  { name: "alone", steps: ["urgent", "end"] },
  { name: "twice in a row", steps: [100, "urgent", "urgent", 100, "end"] },
  {
    name: "where buffers end",
    steps: [16_384, "urgent", 16_384, "urgent", 65_536, "urgent", 262_144, "end"],
  },
  {
    name: "between keystrokes",
    steps: [1, "urgent", 1, "arrive", 1, "urgent", 1, "arrive", "end"],
  },
  { name: "without an end", steps: [60_000, "urgent", 20_000, "arrive", 5000, "arrive", "end"] },
  {
    name: "in bulk without an end",
    steps: [3_000_000, "urgent", 3_000_000, "arrive", "urgent", 3_000_000, "arrive", "end"],
  },
  { name: "in bulk", steps: [3_000_000, "urgent", 3_000_000, "urgent", 3_000_000, "end"] },
];

/** No plain byte is one of these. */
const URGENT = new Uint8Array([255]);

/** Reads until the end, and leaves out what was urgent. */
class Reader {
  readonly #parts: Uint8Array[] = [];
  count = 0;
  ended = false;

  async run(conn: Deno.Conn): Promise<void> {
    const buffer = new Uint8Array(65_536);
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
      const plain = buffer.slice(0, n).filter((byte) => byte !== URGENT[0]);
      this.#parts.push(plain);
      this.count += plain.length;
    }
    this.ended = true;
  }

  async digest(): Promise<string> {
    return await digest(
      new Uint8Array(await new Blob(this.#parts.map((p) => p.slice())).arrayBuffer()),
    );
  }
}

/** Takes the steps, and compares what comes. @param isSlow nothing is read until no more is taken. */
async function follow(
  steps: readonly Step[],
  sender: UrgentSocket,
  conn: Deno.Conn,
  isSlow: boolean,
): Promise<void> {
  const reader = new Reader();
  const total = steps.reduce<number>((sum, step) => sum + (typeof step === "number" ? step : 0), 0);
  const plain = pseudoRandomBytes(total, 5).map((byte) => byte & 127);
  let sent = 0;
  let isSent = false;
  const sending = async () => {
    for (const step of steps) {
      if (step === "urgent") await sender.sendUrgent(URGENT);
      else if (step === "end") sender.end();
      else if (step === "arrive") {
        await waitFor(`${sent} bytes of ${total}`, () => reader.count === sent);
      } else {
        await sender.send(plain.slice(sent, sent + step));
        sent += step;
      }
    }
    isSent = true;
  };
  const all = sending();
  if (isSlow) await waitFor("the sender to be held back", () => isSent || sender.isHeldBack);
  const reading = reader.run(conn);
  await Promise.all([all, waitFor(`the end of ${total} bytes`, () => reader.ended)]);
  await reading;
  assertEquals(reader.count, total);
  assertEquals(await reader.digest(), await digest(plain));
}

async function toBackend(
  fixture: EngineFixture,
  steps: readonly Step[],
  isSlow: boolean,
): Promise<void> {
  const libc = openLibc();
  const accepted = Promise.withResolvers<Deno.Conn>();
  const done = Promise.withResolvers<void>();
  await using backend = new TcpPeer((conn) => {
    accepted.resolve(conn);
    return done.promise;
  });
  const port = await fixture.listen(planOf([backend.address]));
  {
    using client = UrgentSocket.connect(libc, port);
    try {
      await follow(steps, client, await accepted.promise, isSlow);
    } finally {
      done.resolve();
    }
  }
  assertEquals((await fixture.nth("closed")).reason, "client_closed");
  libc.close();
}

async function toClient(
  fixture: EngineFixture,
  steps: readonly Step[],
  isSlow: boolean,
): Promise<void> {
  const libc = openLibc();
  {
    using server = new UrgentServer(libc);
    const port = await fixture.listen(planOf([formatAddress(server.bound)]));
    using client = await connectTo(port);
    using backend = await server.accept();
    await follow(steps, backend, client, isSlow);
  }
  assertEquals((await fixture.nth("closed")).reason, "backend_closed");
  libc.close();
}

export const URGENT_CASES: readonly EngineCase[] = COURSES.flatMap(({ name, steps }) => {
  const speeds = steps.includes("arrive") ? [false] : [false, true];
  return speeds.flatMap((isSlow) => {
    const reader = isSlow ? ", a slow reader" : "";
    return [
      {
        name: `all bytes around urgent ones reach the backend: ${name}${reader}`,
        run: (fixture: EngineFixture) => toBackend(fixture, steps, isSlow),
      },
      {
        name: `all bytes around urgent ones reach the client: ${name}${reader}`,
        run: (fixture: EngineFixture) => toClient(fixture, steps, isSlow),
      },
    ];
  });
});
