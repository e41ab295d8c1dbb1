// The real program under orders: reloads good and bad, TERM under load, TERM and once more.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { echo, greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer, type BalancerOptions } from "../support/balancer.ts";
import { receive, send } from "../support/bytes.ts";
import { configOf } from "../support/running_config.ts";
import { isTurnedAway, Sessions } from "../support/sessions.ts";
import { waitFor } from "../support/wait_for.ts";

/** Registers the cases for one engine. */
export function orderCases(engine: "splice" | "portable"): void {
  const start = (options: BalancerOptions) =>
    Balancer.start({ ...options, flags: [...options.flags ?? [], "--engine", engine] });

  Deno.test(`${engine}: a reload with a bad file under 200 sessions loses none and says why`, async () => {
    await using a = new TcpPeer(echo);
    await using balancer = await start({ config: configOf([a.address]) });
    const port = await balancer.port("echo");
    using sessions = await Sessions.open(port, 200);
    const outcome = await balancer.reload(configOf([a.address], { strategy: "round_robbin" }));
    assertEquals(outcome.event, "reload_refused");
    assertStringIncludes(String(outcome.message), "round_robbin");
    assertStringIncludes(String(outcome.message), balancer.configFile);
    await sessions.exchange("after the bad reload");
    using fresh = await Sessions.open(port, 3);
    await fresh.exchange("new ones");
    const report = await balancer.status();
    assertStringIncludes(report.reload.error ?? "", "round_robbin");
    assertEquals(report.counters.active, 203);
  });

  Deno.test(`${engine}: a reload that cannot bind changes nothing`, async () => {
    await using a = new TcpPeer(echo);
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const good = configOf([a.address]);
    await using balancer = await start({ config: good });
    const port = await balancer.port("echo");
    using sessions = await Sessions.open(port, 5);
    const bad = good.replace(
      "frontends:",
      `frontends:\n  other: { listen: "127.0.0.1:${taken.addr.port}", pool: main }`,
    );
    const outcome = await balancer.reload(
      bad.replace('echo: { listen: "127.0.0.1:0"', "$&, pool: main"),
    );
    assertEquals(outcome.event, "reload_refused");
    assertStringIncludes(String(outcome.message), `127.0.0.1:${taken.addr.port}`);
    await sessions.exchange("still here");
    assertEquals((await balancer.status()).frontends.map(({ name }) => name), ["echo"]);
  });

  Deno.test(`${engine}: a reload that removes a backend lets its sessions go on`, async () => {
    await using goes = new TcpPeer(greetThenEcho("g"));
    await using stays = new TcpPeer(greetThenEcho("s"));
    await using balancer = await start({ config: configOf([goes.address, stays.address]) });
    const port = await balancer.port("echo");
    using onGoes = await Deno.connect({ hostname: "127.0.0.1", port });
    assertEquals(await receive(onGoes, 1), "g");
    assertEquals((await balancer.reload(configOf([stays.address]))).event, "reloaded");
    for (let i = 0; i < 3; i++) {
      using client = await Deno.connect({ hostname: "127.0.0.1", port });
      assertEquals(await receive(client, 1), "s");
    }
    await send(onGoes, "still there");
    assertEquals(await receive(onGoes, 11), "still there");
    const leaving = (await balancer.status()).pools[0]?.backends.find(({ id }) =>
      id === goes.address
    );
    assertEquals([leaving?.state, leaving?.active, leaving?.usable], ["leaving", 1, false]);
    onGoes.close();
    await balancer.until(
      "it to be forgotten",
      ({ pools }) => pools[0]?.backends.every(({ id }) => id !== goes.address) === true,
    );
  });

  Deno.test(`${engine}: a reload can add frontends and pools and take them away`, async () => {
    await using a = new TcpPeer(greetThenEcho("a"));
    await using b = new TcpPeer(greetThenEcho("b"));
    const one = configOf([a.address]);
    await using balancer = await start({ config: one });
    const port = await balancer.port("echo");
    const two = `
frontends:
  echo: { listen: "127.0.0.1:0", pool: main }
  more: { listen: "127.0.0.1:0", pool: second }
pools:
  main: { strategy: round_robin, backends: ["${a.address}"], load: { source: none } }
  second: { strategy: random, backends: ["${b.address}"], load: { source: none } }
`;
    assertEquals((await balancer.reload(two)).event, "reloaded");
    assertEquals(await balancer.port("echo"), port);
    const more = await balancer.port("more");
    using onMore = await Deno.connect({ hostname: "127.0.0.1", port: more });
    assertEquals(await receive(onMore, 1), "b");
    assertEquals((await balancer.reload(one)).event, "reloaded");
    assert(await isTurnedAway(more));
    await send(onMore, "x");
    assertEquals(await receive(onMore, 1), "x");
  });

  Deno.test(`${engine}: TERM under load: no session is cut, no new one accepted, the process leaves with the last`, async () => {
    await using a = new TcpPeer(echo);
    await using balancer = await start({ config: configOf([a.address]) });
    const port = await balancer.port("echo");
    using sessions = await Sessions.open(port, 100);
    balancer.signal("SIGTERM");
    await balancer.logged("draining");
    await waitFor("the port to be closed", () => isTurnedAway(port));
    for (let i = 0; i < 5; i++) await sessions.exchange(`while draining ${i}`);
    assertEquals((await balancer.status()).state, "draining");
    assert(!balancer.ended);
    sessions.close();
    assertEquals(await balancer.end(), 0);
    const reasons = new Set(balancer.records("closed").map(({ reason }) => reason));
    assertEquals([...reasons], ["client_closed"]);
    // Who came between the word and the closing of the port was served as well.
    assert(balancer.records("opened").length >= 100);
    assertEquals(balancer.records("closed").length, balancer.records("opened").length);
  });

  Deno.test(`${engine}: shutdown_timeout cuts what stands, and not before`, async () => {
    await using a = new TcpPeer(echo);
    await using balancer = await start({
      config: configOf([a.address], { top: "shutdown_timeout: 1500ms" }),
    });
    using sessions = await Sessions.open(await balancer.port("echo"), 20);
    const started = performance.now();
    balancer.signal("SIGTERM");
    await balancer.logged("draining");
    await sessions.exchange("before the deadline");
    assertEquals(await balancer.end(), 0);
    assert(performance.now() - started > 1300, "it left before the deadline");
    assertEquals(
      balancer.records("closed").map(({ reason }) => reason),
      Array(20).fill("shutdown"),
    );
  });

  for (const second of ["SIGTERM", "SIGINT"] as const) {
    Deno.test(`${engine}: TERM and then ${second}: leaves at once`, async () => {
      await using a = new TcpPeer(echo);
      await using balancer = await start({ config: configOf([a.address]) });
      using sessions = await Sessions.open(await balancer.port("echo"), 3);
      balancer.signal("SIGTERM");
      await balancer.logged("draining");
      await sessions.exchange("still on");
      balancer.signal(second);
      assertEquals(await balancer.end(), 0);
    });
  }
}
