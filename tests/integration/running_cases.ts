// The real program under the faults of a working day: backends that die or hang, descriptors and places
// running out, and what the command line says of it all.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { echo, greetThenEcho, silent, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer, type BalancerOptions, runProgram } from "../support/balancer.ts";
import { readAll, receive, send } from "../support/bytes.ts";
import { configOf } from "../support/running_config.ts";
import { isTurnedAway, Sessions } from "../support/sessions.ts";
import { waitFor, within } from "../support/wait_for.ts";

/** Registers the cases for one engine. */
export function runningCases(engine: "splice" | "portable"): void {
  const start = (options: BalancerOptions) =>
    Balancer.start({ ...options, flags: [...options.flags ?? [], "--engine", engine] });

  Deno.test(`${engine}: flags alone start a balancer; the access log tells the whole story`, async () => {
    await using a = new TcpPeer(greetThenEcho("A"));
    await using balancer = await start({
      flags: ["--listen", "127.0.0.1:0", "--backends", `${a.address}=4`, "--load", "none"],
    });
    const port = await balancer.port("main");
    {
      using client = await Deno.connect({ hostname: "127.0.0.1", port });
      assertEquals(await receive(client, 1), "A");
      await send(client, "xyz");
      assertEquals(await receive(client, 3), "xyz");
      const opened = await waitFor("the opened record", () => balancer.records("opened")[0]);
      assertEquals(opened.client, `127.0.0.1:${client.localAddr.port}`);
      assertEquals([opened.backend, opened.strategy], [a.address, "round_robin"]);
      const [seen] = a.open;
      assert(seen !== undefined && seen.remoteAddr.transport === "tcp");
      assertEquals(opened.outgoing, `127.0.0.1:${seen.remoteAddr.port}`);
    }
    const closed = await waitFor("the closed record", () => balancer.records("closed")[0]);
    assertEquals([closed.sent, closed.received, closed.reason], [3, 4, "client_closed"]);
    balancer.signal("SIGTERM");
    assertEquals(await balancer.end(), 0);
  });

  Deno.test(`${engine}: all backends down: the client is closed at once and the log says why`, async () => {
    const a = new TcpPeer(echo);
    await using balancer = await start({ config: configOf([a.address]) });
    const port = await balancer.port("echo");
    await balancer.until(
      "the backend to be up",
      ({ pools }) => pools[0]?.backends[0]?.state === "up",
    );
    await a[Symbol.asyncDispose]();
    await balancer.until("it to be down", ({ pools }) => pools[0]?.backends[0]?.state === "down");
    assert(await within("the refusal", isTurnedAway(port), 2000));
    const line = await balancer.logged("was closed");
    assertStringIncludes(String(line.message), "no backend is up");
    assertEquals(line.level, "error");
  });

  Deno.test(`${engine}: a dead backend is passed over at once, taken out, and taken back when it lives`, async () => {
    const dying = new TcpPeer(greetThenEcho("d"));
    await using living = new TcpPeer(greetThenEcho("l"));
    await using balancer = await start({
      config: configOf([dying.address, living.address], {
        health: "{ probe: tcp, interval: 300ms, timeout: 200ms, fall: 3, rise: 2 }",
      }),
    });
    const port = await balancer.port("echo");
    const visit = async () => {
      using client = await Deno.connect({ hostname: "127.0.0.1", port });
      return await receive(client, 1);
    };
    assertEquals([await visit(), await visit()].sort(), ["d", "l"]);
    const { port: dyingPort } = dying;
    await dying[Symbol.asyncDispose]();
    // Not one of them may fail, health or no health.
    for (let i = 0; i < 10; i++) assertEquals(await visit(), "l");
    const down = await balancer.until(
      "the dead one to be down",
      ({ pools }) => pools[0]?.backends[0]?.state === "down",
    );
    assertStringIncludes(down.pools[0]?.backends[0]?.reason ?? "", "refused");
    await using _again = new TcpPeer(greetThenEcho("d"), { port: dyingPort });
    await balancer.until("it to be up again", ({ pools }) => pools[0]?.backends[0]?.state === "up");
    const seen = new Set([await visit(), await visit()]);
    assertEquals([...seen].sort(), ["d", "l"]);
  });

  Deno.test(`${engine}: a client sticks to its backend, also over a reload`, async () => {
    await using a = new TcpPeer(greetThenEcho("a"));
    await using b = new TcpPeer(greetThenEcho("b"));
    const placement = "sticky: { by: source, ttl: 1h }";
    const backends = [a.address, b.address];
    await using balancer = await start({ config: configOf(backends, { placement }) });
    const port = await balancer.port("echo");
    const visit = async () => {
      using client = await Deno.connect({ hostname: "127.0.0.1", port });
      return await receive(client, 1);
    };
    assertEquals([await visit(), await visit(), await visit()], ["a", "a", "a"]);
    const reversed = configOf([b.address, a.address], { placement, strategy: "random" });
    assertEquals((await balancer.reload(reversed)).event, "reloaded");
    for (let i = 0; i < 5; i++) assertEquals(await visit(), "a");
    const told = () => balancer.records("opened").map(({ sticky }) => sticky);
    await waitFor("the access log", () => told().length === 8);
    assertEquals(told().slice(0, 2), [undefined, true]);
    assertEquals((await balancer.reload(configOf(backends))).event, "reloaded");
    assertEquals([await visit(), await visit()].sort(), ["a", "b"]);
  });

  Deno.test(`${engine}: a client that finds all full waits, and status, log and why say so`, async () => {
    await using a = new TcpPeer(greetThenEcho("a"));
    const configWith = (timeout: string) => `
frontends: { f: { listen: "127.0.0.1:0" } }
pools:
  p:
    queue: { timeout: ${timeout} }
    backends: [{ address: "${a.address}", max_connections: 1 }]
    load: { source: none }
    health: { probe: none }
`;
    await using balancer = await start({ config: configWith("1h") });
    const port = await balancer.port("f");
    const first = await Deno.connect({ hostname: "127.0.0.1", port });
    assertEquals(await receive(first, 1), "a");
    using second = await Deno.connect({ hostname: "127.0.0.1", port });
    // Two counters of another thread's, one after the other.
    const waits = await balancer.until(
      "it to wait",
      ({ pools }) => pools[0]?.queue.waiting === 1 && pools[0].queue.waited === 1,
    );
    assertEquals(waits.pools[0]?.queue, { waiting: 1, waited: 1, timedOut: 0 });
    const table = await runProgram(["status", "--admin-socket", balancer.adminSocket]);
    assertStringIncludes(table.stdout, "1 client waits for a place");
    first.close();
    assertEquals(await receive(second, 1), "a");
    const opened = await waitFor("the second record", () => balancer.records("opened")[1]);
    assert(Number(opened.queue_ms) > 0, JSON.stringify(opened));
    assertEquals(balancer.records("opened")[0]?.queue_ms, undefined);
    const why = await runProgram(["why", "--admin-socket", balancer.adminSocket]);
    assertStringIncludes(why.stdout, " in the queue)");

    // Who waits when a reload shortens the wait is refused by what holds now.
    using third = await Deno.connect({ hostname: "127.0.0.1", port });
    await balancer.until("it to wait", ({ pools }) => pools[0]?.queue.waiting === 1);
    assertEquals((await balancer.reload(configWith("1ms"))).event, "reloaded");
    assertEquals((await readAll(third)).length, 0);
    const { message } = await balancer.logged("was closed");
    assertStringIncludes(String(message), "every backend was full for as long as queue.timeout");
    assertEquals((await balancer.status()).pools[0]?.queue.timedOut, 1);
    await send(second, "x");
    assertEquals(await receive(second, 1), "x");
  });

  Deno.test(`${engine}: a burst is paced`, async () => {
    await using a = new TcpPeer(greetThenEcho("a"));
    await using b = new TcpPeer(greetThenEcho("b"));
    const backends = [a.address, b.address];
    // However slow the machine is, they are young.
    const config = configOf(backends, { strategy: "first", placement: "pace: { within: 1m }" });
    await using balancer = await start({ config });
    const port = await balancer.port("echo");
    using standing = new DisposableStack();
    let order = "";
    for (let i = 0; i < 10; i++) {
      const client = standing.use(await Deno.connect({ hostname: "127.0.0.1", port }));
      order += await receive(client, 1);
    }
    assertEquals(order, "aaaaaabbbb");
    const paced = () => balancer.records("opened").filter(({ paced }) => paced === true).length;
    await waitFor("the access log", () => paced() === 4);
  });

  Deno.test(`${engine}: a backend that accepts but never speaks is found by the banner probe`, async () => {
    await using mute = new TcpPeer(silent);
    await using sshd = new TcpPeer(greetThenEcho("SSH-2.0-peer\r\n"));
    await using balancer = await start({
      config: configOf([mute.address, sshd.address], {
        health: "{ probe: banner, interval: 200ms, timeout: 150ms, fall: 2, rise: 1 }",
      }),
    });
    const report = await balancer.until("the mute one to be down", ({ pools }) => {
      const states = pools[0]?.backends.map(({ state }) => state).join();
      return states === "down,up";
    });
    assertStringIncludes(report.pools[0]?.backends[0]?.reason ?? "", "says nothing");
    const port = await balancer.port("echo");
    for (let i = 0; i < 4; i++) {
      using client = await Deno.connect({ hostname: "127.0.0.1", port });
      assertEquals(await receive(client, 7), "SSH-2.0");
    }
  });

  Deno.test(`${engine}: running out of descriptors turns clients away, not the balancer over`, async () => {
    await using a = new TcpPeer(echo);
    await using balancer = await start({
      config: configOf([a.address], { health: "{ probe: none }" }),
      prefix: ["prlimit", "--nofile=96:96"],
    });
    const port = await balancer.port("echo");
    const clients: Deno.TcpConn[] = [];
    try {
      for (let i = 0; i < 80; i++) {
        clients.push(await Deno.connect({ hostname: "127.0.0.1", port }));
      }
      await balancer.logged("cannot accept");
      // Those that were served are served on.
      const [first] = clients;
      assert(first !== undefined);
      await send(first, "hello");
      assertEquals(await receive(first, 5), "hello");
    } finally {
      for (const client of clients) client.close();
    }
    await balancer.until("the sessions to end", ({ counters }) => counters.active === 0);
    using sessions = await Sessions.open(port, 5);
    await sessions.exchange("after the drought");
  });

  Deno.test(`${engine}: a lack of descriptors that comes and goes is said once`, async () => {
    await using a = new TcpPeer(echo);
    await using balancer = await start({
      config: configOf([a.address], { health: "{ probe: none }" }),
      prefix: ["prlimit", "--nofile=96:96"],
    });
    const port = await balancer.port("echo");
    const clients = new Set<Deno.TcpConn>();
    try {
      for (let i = 0; i < 80; i++) {
        clients.add(await Deno.connect({ hostname: "127.0.0.1", port }));
      }
      await balancer.logged("cannot accept");
      // Whoever leaves lets somebody in, and the descriptors are used up again.
      for (let i = 0; i < 12; i++) {
        const leaver = await waitFor("a client that is served", () => {
          const served = new Set(balancer.records("opened").map(({ client }) => client));
          return [...clients].find(({ localAddr: { port } }) => served.has(`127.0.0.1:${port}`));
        });
        const before = balancer.records("opened").length;
        clients.delete(leaver);
        leaver.close();
        for (let more = 0; more < 3; more++) {
          clients.add(await Deno.connect({ hostname: "127.0.0.1", port }));
        }
        await waitFor("a newer one", () => balancer.records("opened").length > before);
      }
    } finally {
      for (const client of clients) client.close();
    }
    await balancer.until("the sessions to end", ({ counters }) => counters.active === 0);
    const said = balancer.log.filter(({ message }) => String(message).includes("cannot accept"));
    assertEquals(said.length, 1);
  });

  Deno.test(`${engine}: a client beyond max_connections is closed with a line that says so`, async () => {
    await using a = new TcpPeer(echo);
    await using balancer = await start({
      config: configOf([a.address], { frontend: ", max_connections: 2, when_full: close" }),
    });
    const port = await balancer.port("echo");
    using _sessions = await Sessions.open(port, 2);
    assert(await isTurnedAway(port));
    await balancer.logged("max_connections is reached");
  });

  Deno.test({
    name: `${engine}: root binds port 22, then another user serves it`,
    ignore: Deno.uid() !== 0,
    fn: async () => {
      await using a = new TcpPeer(greetThenEcho("a"));
      await using balancer = await start({
        config: configOf([a.address]).replace("127.0.0.1:0", "127.77.0.22:22"),
        flags: ["--user", "nobody"],
      });
      const status = await Deno.readTextFile(`/proc/${balancer.pid}/status`);
      assertEquals(/^Uid:\s+(.*)$/m.exec(status)?.[1], "65534\t65534\t65534\t65534");
      assertEquals(/^CapEff:\s+(.*)$/m.exec(status)?.[1], "0000000000000000");
      using client = await Deno.connect({ hostname: "127.77.0.22", port: 22 });
      assertEquals(await receive(client, 1), "a");
      balancer.signal("SIGTERM");
      client.close();
      assertEquals(await balancer.end(), 0);
    },
  });

  Deno.test(`${engine}: an unknown user, a taken port, a bad file: each ends with its status and a reason`, async () => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const flags = ["--backends", "127.0.0.1:1", "--load", "none", "--admin-socket", "off"];
    const busy = await runProgram(["--listen", `127.0.0.1:${taken.addr.port}`, ...flags]);
    assertEquals(busy.code, 1);
    assertStringIncludes(busy.stderr, `127.0.0.1:${taken.addr.port}`);
    const user = await runProgram(["--listen", "127.0.0.1:0", "--user", "no-such-user", ...flags]);
    assertEquals(user.code, 2);
    assertStringIncludes(user.stderr, "--user: Cannot become user");
    const file = await runProgram(["--config", "/does/not/exist.conf"]);
    assertEquals(file.code, 2);
    assertStringIncludes(file.stderr, "/does/not/exist.conf");
    const usage = await runProgram(["--lisen", ":22"]);
    assertEquals(usage.code, 64);
    assertStringIncludes(usage.stderr, "--listen");
  });

  Deno.test(`${engine}: status without a balancer says how to find one`, async () => {
    const { code, stderr } = await runProgram(["status", "--admin-socket", "/tmp/no/such.sock"]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "/tmp/no/such.sock");
  });

  Deno.test(`${engine}: status shows the table, and JSON where a program reads it`, async () => {
    await using a = new TcpPeer(echo);
    await using balancer = await start({ config: configOf([`${a.address}`]) });
    const { code, stdout } = await runProgram(["status", "--admin-socket", balancer.adminSocket]);
    assertEquals(code, 0);
    assertStringIncludes(stdout, "BACKEND");
    assertStringIncludes(stdout, a.address);
    const json = await runProgram(["status", "--json", "--admin-socket", balancer.adminSocket]);
    const parsed: unknown = JSON.parse(json.stdout);
    assert(typeof parsed === "object" && parsed !== null && "pools" in parsed);
  });

  Deno.test(`${engine}: check --probe asks every backend once and shows the answers`, async () => {
    await using good = new TcpPeer(greetThenEcho("SSH-2.0-x\r\n"));
    await using bad = new TcpPeer(greetThenEcho("220 smtp\r\n"));
    const { code, stdout } = await runProgram([
      "check",
      "--probe",
      "--listen",
      "127.0.0.1:0",
      "--backends",
      `${good.address},${bad.address}`,
      "--load",
      "none",
      "--health",
      "banner",
    ]);
    assertEquals(code, 1);
    assertStringIncludes(stdout, `ok   ${good.address}`);
    assertStringIncludes(stdout, `FAIL ${bad.address}`);
    assertStringIncludes(stdout, "220 smtp");
  });

  Deno.test(`${engine}: the demo serves every client and ends by itself`, async () => {
    const { code, stdout } = await runProgram(["demo", "--seconds", "3", "--json"]);
    const summary: unknown = JSON.parse(stdout);
    assertEquals(code, 0);
    assert(typeof summary === "object" && summary !== null);
    assert("failed" in summary && summary.failed === 0);
    assert("served" in summary && typeof summary.served === "number" && summary.served > 5);
  });

  Deno.test(`${engine}: a client is never left hanging while the only backend hangs in connect`, async () => {
    using full = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
    const stop = new AbortController();
    const fillers = Array.from(
      { length: 4 },
      () =>
        Deno.connect({ hostname: "127.0.0.1", port: full.addr.port, signal: stop.signal })
          .catch(() => undefined),
    );
    await Promise.race(fillers);
    await using balancer = await start({
      config: configOf([`127.0.0.1:${full.addr.port}`], { health: "{ probe: none }" })
        .replace("strategy:", "connect: { timeout: 500ms, retries: 1 }\n    strategy:"),
    });
    using client = await Deno.connect({
      hostname: "127.0.0.1",
      port: await balancer.port("echo"),
    });
    assertEquals((await within("the end", readAll(client), 5000)).length, 0);
    await balancer.logged("no backend took the connection");
    stop.abort();
    for (const filler of fillers) (await filler)?.close();
  });
}
