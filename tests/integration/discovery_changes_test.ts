// Lists of discovery sources that change while people work: hundreds at random under 500 sessions that stand and
// some 500 new ones a second, and whole lists of as many backends as a pool can have.

import { assert, assertEquals } from "@std/assert";
import { requestAdmin } from "../../lib/admin/client.ts";
import type { PoolReport, StatusReport } from "../../lib/admin/report.ts";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { receive, send } from "../support/bytes.ts";
import { freePort } from "../support/processes.ts";
import { numbersFrom } from "../support/tables.ts";
import { openMany, type Visit, visitUntil } from "../support/visits.ts";
import { waitFor } from "../support/wait_for.ts";

const CHANGES = 500;
const STANDING = 500;
/** Each peer greets with its letter; the first is in the file, so that somebody can take every client. */
const LETTERS = ["a", "b", "c", "d", "e", "f", "g", "h"] as const;
/** Removed by an administrator, whoever names it. */
const REMOVED = "h";
const SOURCES = 5;

/** A server of lists that answers each request otherwise. */
class ListServer implements AsyncDisposable {
  /** Lists that were asked for and were others than those before. */
  changes = 0;
  /** From now on every answer is this one. */
  settled: readonly string[] | undefined;
  readonly #make: () => readonly string[] | string | undefined;
  #server: Deno.HttpServer<Deno.NetAddr> | undefined;
  #last = "";
  readonly port: number;

  /** @param make a list, what is none, or undefined for a connection that ends at once. */
  constructor(make: () => readonly string[] | string | undefined) {
    this.#make = make;
    this.#server = this.#serve(0);
    this.port = this.#server.addr.port;
  }

  async die(): Promise<void> {
    await this.#server?.shutdown();
    this.#server = undefined;
  }

  live(): void {
    this.#server ??= this.#serve(this.port);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.die();
  }

  #serve(port: number): Deno.HttpServer<Deno.NetAddr> {
    return Deno.serve({ port, hostname: "127.0.0.1", onListen: () => {} }, () => {
      const made = this.settled ?? this.#make();
      if (made === undefined) return new Response(null, { status: 500 });
      const text = typeof made === "string" ? made : JSON.stringify(made);
      if (text !== this.#last && typeof made !== "string") this.changes++;
      this.#last = text;
      return new Response(text);
    });
  }
}

function poolOf({ pools }: StatusReport): PoolReport {
  const [pool] = pools;
  if (pool === undefined) throw new Error("There is no pool");
  return pool;
}

function memberIds(report: StatusReport): string[] {
  return poolOf(report).backends.filter(({ state }) => state !== "leaving").map(({ id }) => id);
}

for (const engine of ["splice", "portable"]) {
  Deno.test(`${engine}: nobody is lost or refused by hundreds of lists at random`, async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = numbersFrom(seed);
    const below = (n: number) => Math.floor(random() * n);
    await using peers = new AsyncDisposableStack();
    const addresses = LETTERS.map((letter) =>
      peers.use(new TcpPeer(greetThenEcho(letter))).address
    );
    const [always = "", ...others] = addresses;
    const removed = addresses[LETTERS.indexOf(REMOVED)] ?? "";
    const garbage = ["", "[", "<html>", '{"servers": []}', "[]", '["not a backend"]', "[12]"];
    const servers = Array.from({ length: SOURCES }, () =>
      peers.use(
        new ListServer(() => {
          const chance = random();
          if (chance < 0.01) return undefined;
          if (chance < 0.05) return garbage[below(garbage.length)] ?? "";
          return others.filter(() => random() < 0.5)
            .map((address) => random() < 0.5 ? address : `${address} weight=${1 + below(5)}`);
        }),
      ));
    const configOf = (weight: number) =>
      JSON.stringify({
        engine: { kind: engine, workers: 2 },
        log: { access: false },
        frontends: { ssh: { listen: "127.0.0.1:0" } },
        pools: {
          compute: {
            backends: [{ address: always, weight }],
            discovery: servers.map(({ port }) => ({
              source: "http",
              url: `http://127.0.0.1:${port}/`,
              interval: "100ms",
            })),
            on_empty: "clear",
            strategy: "round_robin",
            load: { source: "none" },
            health: { probe: "none" },
            pace: { sessions: "off" },
          },
        },
      });
    await using balancer = await Balancer.start({ config: configOf(1) });
    const order = async (method: string, resource: string) => {
      const answer = await requestAdmin(balancer.adminSocket, { method, resource });
      assert(answer.ok && answer.status < 300, `${method} ${resource}: ${JSON.stringify(answer)}`);
    };
    const port = await balancer.port("ssh");
    await balancer.until("the last backend", (report) => memberIds(report).includes(removed));
    await order("DELETE", `/v1/pools/compute/backends/${encodeURIComponent(removed)}`);
    const standing = await openMany(port, STANDING);
    const stop = new AbortController();
    const visits: Visit[] = [];
    const troubles: string[] = [];
    const visiting = visitUntil(stop.signal, port, visits, troubles);
    const changes = () => servers.reduce((sum, one) => sum + one.changes, 0);
    try {
      for (let round = 0; changes() < CHANGES; round++) {
        const before = changes();
        const server = servers[below(SOURCES)];
        // Some die meanwhile and come back, and the configuration is read again.
        if (round % 3 === 0) await server?.die();
        await waitFor("more lists", () => changes() > before + 10 || undefined);
        server?.live();
        if (round % 5 === 0) {
          await Deno.writeTextFile(balancer.configFile, configOf(1 + below(3)));
          await order("POST", "/v1/reload");
        }
      }
      for (const [index, server] of servers.entries()) {
        server.settled = [addresses[index + 1] ?? "", removed];
      }
      const expected = addresses.slice(0, SOURCES + 1).toSorted();
      await balancer.until(
        "the last lists",
        (report) => memberIds(report).toSorted().join() === expected.join(),
      );
    } finally {
      stop.abort();
      await visiting;
    }
    assertEquals(troubles, [], `seed ${seed}`);
    assertEquals(visits.filter(({ letter }) => letter === REMOVED), [], `seed ${seed}`);
    assertEquals(new Set(visits.map(({ letter }) => letter)).size, LETTERS.length - 1);
    for (const conn of standing) {
      await send(conn, "still here");
      assertEquals(await receive(conn, 10), "still here", `seed ${seed}`);
      conn.close();
    }
  });
}

Deno.test("the first client of a start finds the backend that a source names", async () => {
  await using peer = new TcpPeer(greetThenEcho("a"));
  const list = await Deno.makeTempFile();
  await using removal = new AsyncDisposableStack();
  removal.defer(() => Deno.remove(list));
  await Deno.writeTextFile(list, peer.address);
  await using balancer = await Balancer.start({
    flags: [
      ...["--listen", "127.0.0.1:0", "--load", "none", "--health", "none"],
      ...["--discover", `file:${list}`, "--discover", `http://127.0.0.1:${freePort()}/`],
    ],
  });
  using conn = await Deno.connect({
    hostname: "127.0.0.1",
    port: await balancer.port("main"),
  });
  assertEquals(await receive(conn, 1), "a");
  const [file, http] = poolOf(await balancer.status()).discovery;
  assertEquals([file?.backends, file?.failure, http?.backends], [1, null, null]);
  assert(http?.failure?.includes("refused"), String(http?.failure));
});

Deno.test("what counts of a backend: order, discovery, file, defaults", async () => {
  const list = await Deno.makeTempFile();
  await using removal = new AsyncDisposableStack();
  removal.defer(() => Deno.remove(list));
  await Deno.writeTextFile(list, "192.0.2.1:9=8\n192.0.2.2:9 weight=2\n");
  await using balancer = await Balancer.start({
    config: JSON.stringify({
      frontends: { ssh: { listen: "127.0.0.1:0" } },
      pools: {
        compute: {
          backends: [
            { address: "192.0.2.1:9", cores: 4, weight: 3, max_connections: 7 },
            "192.0.2.9:9",
          ],
          discovery: `file:${list}`,
          backend_defaults: { cores: 16, max_connections: 50 },
          load: { source: "none" },
          health: { probe: "none" },
        },
      },
    }),
  });
  const figures = async () =>
    poolOf(await balancer.status()).backends.filter(({ state }) => state !== "leaving")
      .map(({ id, cores, weight, maxConnections }) =>
        [id, cores, weight, maxConnections].join(" ")
      );
  const order = async (method: string, id: string, body?: unknown) => {
    const resource = `/v1/pools/compute/backends/${encodeURIComponent(id)}`;
    const request = { method, resource, ...(body === undefined ? {} : { body }) };
    const answer = await requestAdmin(balancer.adminSocket, request);
    assert(answer.ok && answer.status < 300, JSON.stringify(answer));
  };
  const one = ["192.0.2.1:9 8 3 7", "192.0.2.9:9 16 1 50", "192.0.2.2:9 16 2 50"];
  assertEquals(await figures(), one);
  await order("PATCH", "192.0.2.2:9", { weight: 5 });
  await order("PUT", "192.0.2.3:9", { cores: 2 });
  await order("DELETE", "192.0.2.1:9");
  const two = ["192.0.2.9:9 16 1 50", "192.0.2.2:9 16 5 50", "192.0.2.3:9 2 1 50"];
  assertEquals(await figures(), two);
  // What is ordered holds for the next list, too.
  await Deno.writeTextFile(list, "192.0.2.1:9\n192.0.2.2:9=1 weight=9\n192.0.2.4:9\n");
  await balancer.until("the next list", ({ pools }) => {
    return pools[0]?.backends.some(({ id }) => id === "192.0.2.4:9") === true;
  });
  assertEquals(await figures(), [
    "192.0.2.9:9 16 1 50",
    "192.0.2.2:9 1 5 50",
    "192.0.2.4:9 16 1 50",
    "192.0.2.3:9 2 1 50",
  ]);
  await order("PATCH", "192.0.2.1:9", { state: "enabled" });
  assertEquals((await figures())[0], "192.0.2.1:9 4 3 7");
  // What the file's own list has no more of the source is as the file has it.
  await Deno.writeTextFile(list, "192.0.2.9:9=3\n");
  await balancer.until("a short list", (report) => {
    return memberIds(report).join() === "192.0.2.1:9,192.0.2.9:9,192.0.2.3:9";
  });
  assertEquals((await figures())[1], "192.0.2.9:9 3 1 50");
});

/** As many backends as a pool can have, others for each letter. */
function full(letter: number, count = 512): string[] {
  return Array.from({ length: count }, (_, at) => `127.${letter}.${at >> 8}.${at & 255}:9`);
}

Deno.test("a whole list of 512 backends follows another, and waits for room", async () => {
  await using balancer = await Balancer.start({
    config: JSON.stringify({
      frontends: { ssh: { listen: "127.0.0.1:0" } },
      pools: {
        compute: {
          discovery: "file:/nonexistent",
          load: { source: "none" },
          health: { probe: "none" },
          // How long the rows of those that leave rest.
          connect: { timeout: "100ms", retries: 0 },
        },
      },
    }),
  });
  const list = `${balancer.folder}/list`;
  const config = await Deno.readTextFile(balancer.configFile);
  const writeList = (backends: readonly string[]) => Deno.writeTextFile(list, backends.join("\n"));
  await writeList(full(1));
  await balancer.reload(config.replace("/nonexistent", list));
  // The reload itself brought them.
  assertEquals(memberIds(await balancer.status()), full(1));
  for (const letter of [2, 3, 4, 5]) {
    await writeList(full(letter));
    const wanted = full(letter).join();
    await balancer.until(`list ${letter}`, (report) => memberIds(report).join() === wanted);
  }
  await writeList(full(6, 513));
  const held = await balancer.until(
    "a list that does not fit",
    (report) => poolOf(report).discoveryHeld !== null,
  );
  assertEquals(memberIds(held), full(5));
  assertEquals(
    poolOf(held).discoveryHeld,
    "pool compute would have 513 backends: expected at most 512",
  );
  // A reload goes on with those of before.
  await balancer.reload(config.replace("/nonexistent", list).replace("100ms", "90ms"));
  assertEquals(memberIds(await balancer.status()), full(5));
  await writeList(full(6));
  await balancer.until("a list that fits", (report) => memberIds(report).join() === full(6).join());
  assertEquals(poolOf(await balancer.status()).discoveryHeld, null);
});
