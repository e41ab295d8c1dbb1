// The load source gmond against the real daemon, and against what only pretends to be one.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Backend } from "../../lib/core/pool/backend.ts";
import type { LoadResult } from "../../lib/core/pool/load.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { type GmondOptions, GmondSource } from "../../lib/load/gmond.ts";
import { Gmond } from "../peers/gmond.ts";
import { backendAt } from "../support/backends.ts";
import { Deadline } from "../support/deadline.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { runningPool, texts, usableIn } from "../support/pools.ts";
import { requirePeer } from "../support/require_peer.ts";
import { waitFor } from "../support/wait_for.ts";

function sourceOf(port: number, more: Partial<GmondOptions> = {}): GmondSource {
  return new GmondSource({ port, intervalMs: 0, clock: SYSTEM_CLOCK, ...more });
}

async function ask(
  source: GmondSource,
  backend: Backend,
  deadlineMs?: number,
): Promise<LoadResult> {
  using deadline = new Deadline(deadlineMs);
  return await source.sample(backend, deadline.signal);
}

function reasonOf(result: LoadResult): string {
  assertEquals(result.kind, "failed", JSON.stringify(result));
  return result.kind === "failed" ? result.reason : "";
}

function collector(port: number) {
  return { address: { transport: "tcp", host: "127.0.0.1", port } } as const;
}

Deno.test({
  ...requirePeer("gmond", "gmetric"),
  name: "gmond: a backend's own daemon tells its load, cores and memory",
  async fn() {
    // gmond escapes nothing of it.
    await using gmond = await Gmond.start({ cluster: 'a <b> & "c" é' });
    await using source = sourceOf(gmond.port);
    const before = SYSTEM_CLOCK.now();
    // It knows one host, which must be this backend's, whatever it is called.
    const result = await ask(source, backendAt("127.0.0.1"));
    assert(result.kind === "sample", JSON.stringify(result));
    const { load1, cores, memoryAvailableBytes = 0, memoryTotalBytes, takenAtMs } = result.sample;
    assert(Math.abs(load1 - (Deno.loadavg()[0] ?? 0)) < 10);
    assertEquals(cores, navigator.hardwareConcurrency);
    const { available, total } = Deno.systemMemoryInfo();
    assertEquals(memoryTotalBytes, total);
    assert(memoryAvailableBytes > available / 2 && memoryAvailableBytes < available * 2);
    assert(takenAtMs <= SYSTEM_CLOCK.now() && takenAtMs > before - 5000);
  },
});

Deno.test({
  ...requirePeer("gmond", "gmetric"),
  name: "gmond: a collector tells of all hosts, by name or address, each as old as it is",
  async fn() {
    await using gmond = await Gmond.start({ host: { name: "kelvin.example", ip: "10.9.8.7" } });
    await gmond.report({ name: "hoek.example", ip: "10.9.8.6" }, 3.25, 60);
    await using source = sourceOf(1, collector(gmond.port));
    const loadOf = async (name: string) => {
      const result = await ask(source, backendAt(name));
      return result.kind === "sample" ? result.sample.load1 : reasonOf(result);
    };
    for (const name of ["hoek.example", "HOEK.EXAMPLE", "10.9.8.6", "hoek"]) {
      assertEquals(await loadOf(name), 3.25, name);
    }
    assertMatch(
      String(await loadOf("euler")),
      /^Cannot find euler or euler:22: gmond knows 2: (kelvin|hoek)\.example, \w+\.example$/,
    );
    // A host that says nothing more grows old: its sample does not pretend to be new.
    await waitFor("an old sample", async () => {
      const result = await ask(source, backendAt("hoek"));
      return result.kind === "sample" && SYSTEM_CLOCK.now() - result.sample.takenAtMs > 2000;
    });
    const fresh = await ask(source, backendAt("kelvin"));
    assert(fresh.kind === "sample" && fresh.sample.cores !== undefined);
  },
});

Deno.test({
  ...requirePeer("gmond", "gmetric"),
  name: "gmond: a dead host's load goes stale by Ganglia's own rule",
  async fn() {
    await using gmond = await Gmond.start();
    await using source = sourceOf(1, collector(gmond.port));
    await waitFor("a fresh load", async () => {
      await gmond.report({ name: "dead", ip: "10.9.8.5" }, 0.5, 1);
      return (await ask(source, backendAt("dead"))).kind === "sample";
    });
    const reason = await waitFor("a stale load", async () => {
      const result = await ask(source, backendAt("dead"));
      return result.kind === "failed" && result.reason;
    });
    assertMatch(reason, /^load_one of dead is \d+(\.0)?s old$/);
    // Ganglia calls such a host down; health does not, and it goes on being used.
    const pool = runningPool(["dead"]);
    const told = pool.observeLoad("dead", { kind: "failed", reason }, SYSTEM_CLOCK.now());
    assertEquals(texts(told), [`dead does not report its load: ${reason}`]);
    assertEquals(usableIn(pool), ["dead"]);
    assertEquals(pool.member("dead")?.health.state, "up");
  },
});

/** Something on a loopback port that treats each connection as it is told. */
class Pretender implements AsyncDisposable {
  connections = 0;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.TcpConn>();
  readonly #accepting: Promise<void>;

  constructor(serve: (connection: Deno.TcpConn) => Promise<void>) {
    this.#accepting = this.#accept(serve);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) connection.close();
    this.#open.clear();
    await this.#accepting;
  }

  async #accept(serve: (connection: Deno.TcpConn) => Promise<void>): Promise<void> {
    const serving: Promise<void>[] = [];
    try {
      for (;;) {
        const connection = await this.#listener.accept();
        this.connections++;
        this.#open.add(connection);
        // The client may go before all is said.
        const served = serve(connection).catch(() => {}).then(() => {
          if (this.#open.delete(connection)) connection.close();
        });
        serving.push(served);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
    await Promise.all(serving);
  }
}

async function send(connection: Deno.TcpConn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

const XML = '<?xml version="1.0" encoding="ISO-8859-1"?><GANGLIA_XML VERSION="3" SOURCE="gmond">' +
  '<CLUSTER NAME="c"><HOST NAME="a" IP="10.0.0.1" TN="7" TMAX="20" DMAX="0">' +
  '<METRIC NAME="load_one" VAL="1.5" TN="3" TMAX="70" DMAX="0"/></HOST>' +
  '<HOST NAME="b" IP="10.0.0.2" TN="81" TMAX="20" DMAX="0">' +
  '<METRIC NAME="load_one" VAL="1" TN="3" TMAX="70" DMAX="0"/></HOST></CLUSTER></GANGLIA_XML>\n';

Deno.test("gmond: one answer of a collector serves everybody for an interval", async () => {
  await using pretender = new Pretender((connection) => send(connection, XML));
  const clock = new ManualClock();
  await using source = sourceOf(1, { ...collector(pretender.port), intervalMs: 10_000, clock });
  const both = () => Promise.all([ask(source, backendAt("a")), ask(source, backendAt("b"))]);
  const [a, b] = await both();
  assertEquals(a, { kind: "sample", sample: { load1: 1.5, takenAtMs: clock.now() - 3000 } });
  assertEquals(
    reasonOf(b),
    "gmond has not heard of b for 1m21s, more than 4 times its 20s: no load is taken from it",
  );
  await clock.advance(8400);
  // As old as it was, and as the answer.
  assertEquals(await ask(source, backendAt("a")), a);
  assertEquals(pretender.connections, 1);
  await clock.advance(200);
  await both();
  assertEquals(pretender.connections, 2);
});

Deno.test("gmond: what is no gmond has a reason, and no more of it is read", async () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["", /^Cannot read the XML of 0 bytes: there is no element \(127\.0\.0\.1:\d+\)$/],
    ["SSH-2.0-OpenSSH_9.2\r\n", /^Cannot read "SSH-2\.0-OpenSSH_9\.2" at byte 0 of the XML: /],
    [XML.slice(0, 300), /: it ends in the middle \(/],
    ["<html><body></body></html>", /^Cannot use the XML: expected GANGLIA_XML/],
    ['<GANGLIA_XML><HOST NAME="a"/></GANGLIA_XML>', /^gmond knows no load_one of a/],
  ];
  for (const [text, reason] of cases) {
    await using pretender = new Pretender((connection) => send(connection, text));
    await using source = sourceOf(1, collector(pretender.port));
    assertMatch(reasonOf(await ask(source, backendAt("a"))), reason);
  }
  await using endless = new Pretender(async (connection) => {
    const spaces = " ".repeat(65_536);
    await send(connection, "<GANGLIA_XML>");
    for (;;) await send(connection, spaces);
  });
  await using source = sourceOf(1, collector(endless.port));
  assertStringIncludes(
    reasonOf(await ask(source, backendAt("a"))),
    "gmond sends more than 16777216 bytes",
  );
});

Deno.test("gmond: one that is silent runs into the deadline of whoever asks", async () => {
  const over = Promise.withResolvers<void>();
  await using pretender = new Pretender(() => over.promise);
  await using source = sourceOf(1, { ...collector(pretender.port), intervalMs: 60_000 });
  const hasty = ask(source, backendAt("a"), 50);
  const patient = ask(source, backendAt("b"), 150);
  assertEquals(reasonOf(await hasty), "no answer within 50ms");
  assertEquals(reasonOf(await patient), "no answer within 150ms");
  // Nobody waits any more, so the question is over; who comes now learns what came of it.
  assertEquals(reasonOf(await ask(source, backendAt("a"), 5000)), "no answer within 150ms");
  assertEquals(pretender.connections, 1);
  over.resolve();
});

Deno.test("gmond: nobody there, and the end of the source, are reasons", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await using nobody = sourceOf(port);
  const reason = reasonOf(await ask(nobody, backendAt("127.0.0.1")));
  assertEquals(reason, `connection refused (127.0.0.1:${port})`);
  const over = Promise.withResolvers<void>();
  await using pretender = new Pretender(() => over.promise);
  const source = sourceOf(pretender.port);
  const asked = ask(source, backendAt("127.0.0.1"));
  await source[Symbol.asyncDispose]();
  assertEquals(reasonOf(await asked), "stopped");
  over.resolve();
});
