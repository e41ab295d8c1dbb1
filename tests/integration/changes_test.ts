// A thousand changes at random while people work: 500 sessions that stand, some 500 new ones a second. None may
// be lost, none refused that should not be, none placed on a backend or taken from a network that an
// acknowledged order has closed before.

import { assert, assertEquals } from "@std/assert";
import { requestAdmin } from "../../lib/admin/client.ts";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { receive, send } from "../support/bytes.ts";
import { openMany, type Visit, visitUntil } from "../support/visits.ts";
import { heardFrom } from "../support/loopback_client.ts";
import { numbersFrom } from "../support/tables.ts";
import { waitFor } from "../support/wait_for.ts";

const CHANGES = 1000;
const STANDING = 500;
/** Each peer greets with its letter; the first is never closed, so that somebody can take every client. */
const LETTERS = ["a", "b", "c", "d", "e", "f"] as const;
/** In the file; the others are added and removed at run time. */
const CONFIGURED = 4;
const DENIED = { network: "127.0.9.0/24", client: "127.0.9.7" };

/** A time in which no client that began in it may land on a backend. */
interface Closed {
  readonly letter: string;
  readonly fromMs: number;
  toMs: number;
}

for (const engine of ["splice", "portable"]) {
  Deno.test(`${engine}: nobody is lost, refused or misplaced by a thousand changes`, async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = numbersFrom(seed);
    const below = (n: number) => Math.floor(random() * n);
    await using peers = new AsyncDisposableStack();
    const addresses = LETTERS.map((letter) => {
      const peer = peers.use(new TcpPeer(greetThenEcho(letter)));
      return peer.address;
    });
    const configOf = (weight: number) =>
      JSON.stringify({
        engine: { kind: engine, workers: 2 },
        log: { access: false },
        frontends: { ssh: { listen: "127.0.0.1:0" } },
        pools: {
          compute: {
            backends: addresses.slice(0, CONFIGURED).map((address) => ({ address, weight })),
            strategy: "round_robin",
            load: { source: "none" },
            health: { probe: "none" },
            pace: { sessions: "off" },
          },
        },
      });
    await using balancer = await Balancer.start({ config: configOf(1) });
    const port = await balancer.port("ssh");
    const standing = await openMany(port, STANDING);
    const stop = new AbortController();
    const visits: Visit[] = [];
    const troubles: string[] = [];
    const visiting = visitUntil(stop.signal, port, visits, troubles);

    /** Letters that are closed now, by what closed them. */
    const closed = new Map<string, Closed>();
    const past: Closed[] = [];
    const order = async (method: string, resource: string, body?: unknown) => {
      const request = { method, resource, ...(body === undefined ? {} : { body }) };
      const answer = await requestAdmin(balancer.adminSocket, request);
      assert(answer.ok && answer.status < 300, `${method} ${resource}: ${JSON.stringify(answer)}`);
    };
    const resourceOf = (index: number) =>
      `/v1/pools/compute/backends/${encodeURIComponent(addresses[index] ?? "")}`;
    const close = (letter: string) => {
      if (!closed.has(letter)) {
        closed.set(letter, { letter, fromMs: performance.now(), toMs: Infinity });
      }
    };
    const open = (letter: string) => {
      const entry = closed.get(letter);
      if (entry === undefined) return;
      entry.toMs = performance.now();
      past.push(entry);
      closed.delete(letter);
    };
    let denied = false;
    // Not in the file: nobody may land there before they are added.
    for (const letter of LETTERS.slice(CONFIGURED)) close(letter);
    const changes: readonly (() => Promise<void>)[] = [
      async () => {
        const index = 1 + below(LETTERS.length - 1);
        if (index >= CONFIGURED && closed.has(LETTERS[index] ?? "")) return;
        const state = random() < 0.5 ? "draining" : "disabled";
        await order("PATCH", resourceOf(index), { state });
        close(LETTERS[index] ?? "");
      },
      async () => {
        const index = 1 + below(CONFIGURED - 1);
        open(LETTERS[index] ?? "");
        await order("PATCH", resourceOf(index), { state: "enabled" });
      },
      async () => {
        const index = below(CONFIGURED);
        const isRemoved = closed.has(LETTERS[index] ?? "");
        if (!isRemoved) await order("PATCH", resourceOf(index), { weight: 1 + below(5) });
      },
      async () => {
        const index = CONFIGURED + below(LETTERS.length - CONFIGURED);
        open(LETTERS[index] ?? "");
        await order("PUT", resourceOf(index), { cores: 1 + below(8) });
        await order("PATCH", resourceOf(index), { state: "default" });
      },
      async () => {
        const index = 1 + below(LETTERS.length - 1);
        if (closed.has(LETTERS[index] ?? "")) return;
        await order("DELETE", resourceOf(index));
        close(LETTERS[index] ?? "");
      },
      async () => {
        await Deno.writeTextFile(balancer.configFile, configOf(1 + below(3)));
        await order("POST", "/v1/reload");
      },
      async () => {
        const resource = `/v1/frontends/ssh/deny/${encodeURIComponent(DENIED.network)}`;
        await order(denied ? "DELETE" : "PUT", resource, denied ? undefined : {});
        denied = !denied;
        const heard = await heardFrom(DENIED.client, port);
        assertEquals(heard === "", denied, `seed ${seed}: ${DENIED.client} heard "${heard}"`);
      },
    ];
    try {
      for (let i = 0; i < CHANGES; i++) {
        await changes[below(changes.length)]?.();
        const before = visits.length + troubles.length;
        await waitFor(
          "more visits",
          () => visits.length + troubles.length > before + 1 || undefined,
        );
      }
    } finally {
      stop.abort();
      await visiting;
    }
    for (const letter of [...closed.keys()]) open(letter);
    assertEquals(troubles, [], `seed ${seed}`);
    const misplaced = visits.filter(({ letter, fromMs, toMs }) =>
      past.some((one) => one.letter === letter && fromMs > one.fromMs && toMs < one.toMs)
    );
    assertEquals(misplaced, [], `seed ${seed}`);
    for (const conn of standing) {
      await send(conn, "still here");
      assertEquals(await receive(conn, 10), "still here", `seed ${seed}`);
      conn.close();
    }
  });
}
