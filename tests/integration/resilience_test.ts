// The real program with backends that misbehave while their probes pass, on both engines.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { waitFor } from "../support/wait_for.ts";

interface Settings {
  readonly health?: string;
  readonly pool?: string;
}

function configOf(backends: readonly string[], { health, pool }: Settings = {}): string {
  return `
frontends: { ssh: { listen: "127.0.0.1:0" } }
pools:
  main:
    strategy: round_robin
    load: { source: none }
    pace: { sessions: off }
    health: ${health ?? "{ probe: tcp, interval: 200ms, timeout: 150ms, rise: 1, fall: 100 }"}
    backends: [${backends.join(", ")}]
    ${pool ?? ""}
`;
}

/** What the backend of one session says first; "" when the session ends without a word. */
async function visit(port: number): Promise<string> {
  using client = await Deno.connect({ hostname: "127.0.0.1", port });
  const buffer = new Uint8Array(1);
  try {
    return await client.read(buffer) === null ? "" : String.fromCharCode(buffer[0] ?? 0);
  } catch {
    return "";
  }
}

/** Accepts, and hangs up without a word. */
const hangsUp = () => Promise.resolve();

for (const engine of ["portable", "splice"] as const) {
  const start = (config: string) => Balancer.start({ config, flags: ["--engine", engine] });

  Deno.test(`${engine}: a backend that hangs up on everybody is held back, then tried by one`, async () => {
    await using hole = new TcpPeer(hangsUp);
    await using good = new TcpPeer(greetThenEcho("g"));
    const backends = [hole.address, good.address];
    const config = configOf(backends, { pool: "black_holes: { hold: 1h }" });
    await using balancer = await start(config);
    const port = await balancer.port("ssh");
    const heard: string[] = [];
    const held = await waitFor("it to be held back", async () => {
      heard.push(await visit(port));
      const report = await balancer.status();
      return report.pools[0]?.backends[0]?.usable === false ? report : undefined;
    });
    assertEquals(heard.filter((text) => text === "").length, 5, heard.join());
    const [first] = held.pools[0]?.backends ?? [];
    assertEquals([first?.state, first?.holds[0]?.cause], ["up", "black_hole"]);
    assertStringIncludes(first?.reason ?? "", "it ended its last 5 sessions within seconds");
    assert(Date.parse(first?.holds[0]?.until ?? "") - Date.parse(held.now) > 3_500_000);
    for (let i = 0; i < 4; i++) assertEquals(await visit(port), "g");
    // A reload keeps what is known.
    assertEquals((await balancer.reload(`${config}\n`)).event, "reloaded");
    for (let i = 0; i < 4; i++) assertEquals(await visit(port), "g");
    // Who switches it off gets the backend back.
    await balancer.reload(configOf(backends, { pool: "black_holes: { sessions: off }" }));
    await balancer.logged("is no longer held back: black holes are not looked for any more");
    assertEquals([await visit(port), await visit(port)].sort(), ["", "g"]);
  });

  Deno.test(`${engine}: after a hold, one session tries the backend and the others go elsewhere`, async () => {
    let mended = false;
    const greet = greetThenEcho("m");
    await using hole = new TcpPeer((conn, peer) => mended ? greet(conn, peer) : hangsUp());
    await using good = new TcpPeer(greetThenEcho("g"));
    await using balancer = await start(
      configOf([hole.address, good.address], { pool: "black_holes: { hold: 1s }" }),
    );
    const port = await balancer.port("ssh");
    await waitFor("it to be held back", async () => {
      await visit(port);
      return balancer.log.find((line) => String(line.message).includes("is held back"));
    });
    mended = true;
    await balancer.logged("one session is let try it");
    const clients: Deno.TcpConn[] = [];
    try {
      const trial = await waitFor("the trial", async () => {
        const client = await Deno.connect({ hostname: "127.0.0.1", port });
        clients.push(client);
        const buffer = new Uint8Array(1);
        await client.read(buffer);
        return buffer[0] === "m".charCodeAt(0) ? client : undefined;
      });
      await balancer.until(
        "the trial to be known",
        ({ pools }) => pools[0]?.backends[0]?.usable === false,
      );
      for (let i = 0; i < 4; i++) assertEquals(await visit(port), "g");
      assertEquals(clients.at(-1), trial);
    } finally {
      for (const client of clients) client.close();
    }
    // The client broke it off: it was no proof, so the next one may try.
    await balancer.until(
      "another trial",
      ({ pools }) => pools[0]?.backends[0]?.usable === true,
    );
  });

  Deno.test(`${engine}: connects that fail eject a backend although its probes pass`, async () => {
    let flapping = new TcpPeer(greetThenEcho("f"));
    await using good = new TcpPeer(greetThenEcho("g"));
    const { address, port: flappingPort } = flapping;
    await using balancer = await start(configOf([address, good.address], {
      health: "{ probe: tcp, interval: 300ms, timeout: 150ms, rise: 1, fall: 1 }",
      pool: "outliers: { failures: 3, ejection: 1h }",
    }));
    const port = await balancer.port("ssh");
    try {
      const report = await waitFor("the ejection", async () => {
        const report = await balancer.until(
          "it to be up",
          ({ pools }) => pools[0]?.backends[0]?.state === "up",
        );
        const [backend] = report.pools[0]?.backends ?? [];
        if (backend?.holds[0]?.cause === "outlier") return report;
        await flapping[Symbol.asyncDispose]();
        // Nobody is lost: who meets the dead one is sent on.
        assertEquals([await visit(port), await visit(port)], ["g", "g"]);
        flapping = new TcpPeer(greetThenEcho("f"), { port: flappingPort });
        return undefined;
      });
      const [backend] = report.pools[0]?.backends ?? [];
      assertEquals([backend?.state, backend?.usable], ["up", false]);
      assertStringIncludes(backend?.reason ?? "", "3 connections in a row failed (refused)");
      for (let i = 0; i < 4; i++) assertEquals(await visit(port), "g");
    } finally {
      await flapping[Symbol.asyncDispose]();
    }
  });

  Deno.test(`${engine}: when nobody else is left, an ejected backend is used: panic`, async () => {
    let a = new TcpPeer(greetThenEcho("a"));
    let b = new TcpPeer(greetThenEcho("b"));
    const [addresses, [aPort, bPort]] = [[a.address, b.address], [a.port, b.port]];
    await using balancer = await start(configOf(addresses, {
      health: "{ probe: tcp, interval: 200ms, timeout: 150ms, rise: 1, fall: 3 }",
      pool: "outliers: { failures: 1, ejection: 1h }",
    }));
    const port = await balancer.port("ssh");
    try {
      await balancer.until(
        "both to be up",
        ({ pools }) => pools[0]?.backends.every(({ state }) => state === "up") === true,
      );
      await a[Symbol.asyncDispose]();
      assertEquals([await visit(port), await visit(port)], ["b", "b"]);
      a = new TcpPeer(greetThenEcho("a"), { port: aPort });
      const ejected = await balancer.until("a to be ejected and up", ({ pools }) => {
        const [backend] = pools[0]?.backends ?? [];
        return backend?.state === "up" && backend.holds.length > 0;
      });
      assertEquals(ejected.pools[0]?.panic, null);
      assertEquals([await visit(port), await visit(port)], ["b", "b"]);
      await b[Symbol.asyncDispose]();
      const panic = await balancer.until("the panic", ({ pools }) => pools[0]?.panic !== null);
      assertStringIncludes(panic.pools[0]?.panic ?? "", "only 0 of 2 backends are usable");
      await balancer.logged("panic: only 0 of 2");
      // It works: that ends its ejection, and with it the panic.
      assertEquals(await visit(port), "a");
      await balancer.logged("is no longer held back: a connection to it succeeded");
      b = new TcpPeer(greetThenEcho("b"), { port: bPort });
      await balancer.until(
        "both to be usable",
        ({ pools }) => pools[0]?.panic === null && pools[0].backends.every(({ usable }) => usable),
      );
      await balancer.logged("the panic is over");
    } finally {
      await a[Symbol.asyncDispose]();
      await b[Symbol.asyncDispose]();
    }
  });

  Deno.test(`${engine}: last_resort tries what probes call dead, when nobody else is left`, async () => {
    await using a = new TcpPeer(greetThenEcho("a"));
    const settings = {
      health: "{ probe: banner, expect: NEVER, interval: 200ms, timeout: 150ms, fall: 1 }",
    };
    await using balancer = await start(configOf([a.address], settings));
    const port = await balancer.port("ssh");
    await balancer.until("it to be down", ({ pools }) => pools[0]?.backends[0]?.state === "down");
    assertEquals(await visit(port), "");
    const pool = "panic: { last_resort: true }";
    await balancer.reload(configOf([a.address], { ...settings, pool }));
    const { pools } = await balancer.until("the panic", ({ pools }) => pools[0]?.panic !== null);
    assertStringIncludes(pools[0]?.panic ?? "", "those that are down are tried as a last resort");
    assertEquals(await visit(await balancer.port("ssh")), "a");
  });

  Deno.test(`${engine}: a backend that comes back or joins begins with a tenth of its share`, async () => {
    const a = new TcpPeer(greetThenEcho("a"));
    await using b = new TcpPeer(greetThenEcho("b"));
    await using c = new TcpPeer(greetThenEcho("c"));
    const { address, port: aPort } = a;
    const settings = {
      // A probe that a busy machine holds up must not take down those that live: they would begin anew, too.
      health: "{ probe: tcp, interval: 1s, timeout: 900ms, rise: 1, fall: 2 }",
      pool: "slow_start: 1h",
    };
    await using balancer = await start(configOf([address, b.address], settings));
    const shares = async () =>
      (await balancer.status()).pools[0]?.backends.map(({ share }) => share);
    await balancer.until(
      "both to be up",
      ({ pools }) => pools[0]?.backends.every(({ state }) => state === "up") === true,
    );
    assertEquals(await shares(), [1, 1]);
    await a[Symbol.asyncDispose]();
    await balancer.until("a to be down", ({ pools }) => pools[0]?.backends[0]?.state === "down");
    await using _again = new TcpPeer(greetThenEcho("a"), { port: aPort });
    await balancer.until("a to be back", ({ pools }) => pools[0]?.backends[0]?.share === 0.1);
    const heard: string[] = [];
    for (let i = 0; i < 22; i++) heard.push(await visit(await balancer.port("ssh")));
    assertEquals(heard.filter((text) => text === "a").length, 2, heard.join());
    await balancer.reload(configOf([address, b.address, c.address], settings));
    assertEquals(await shares(), [0.1, 1, 0.1]);
    await balancer.reload(configOf([address, b.address], { ...settings, pool: "slow_start: off" }));
    // The one that has left is still shown, until its row is free.
    assertEquals((await shares())?.slice(0, 2), [1, 1]);
  });
}
