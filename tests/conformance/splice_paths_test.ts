// The paths inside the splice engine that the common cases do not tell apart.

import { assert, assertEquals } from "@std/assert";
import { connect as connectNode } from "node:net";
import { PickTable } from "../../lib/core/pick/pick_table.ts";
import { chooseEngine } from "../../lib/engine/choose.ts";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { pseudoRandomBytes, receive, send, writeAll } from "../support/bytes.ts";
import { ResettingServer } from "../support/reset.ts";
import { makeSpliceEngine } from "../support/splice_engine.ts";
import { waitFor, within } from "../support/wait_for.ts";
import { connectTo, EngineFixture, planOf } from "./engine_fixture.ts";

Deno.test("a backend's reset is passed on to the client as a reset", async () => {
  await using dying = new ResettingServer();
  await using fixture = new EngineFixture(makeSpliceEngine());
  const port = await fixture.listen(planOf([await dying.listen()]));
  const greeted = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<string>();
  const socket = connectNode({ host: "127.0.0.1", port });
  socket.on("data", () => greeted.resolve());
  socket.on("end", () => ended.resolve("end of file"));
  socket.on("error", (error) => ended.resolve("code" in error ? String(error.code) : "error"));
  await within("the greeting", greeted.promise);
  dying.reset();
  assertEquals(await within("the end", ended.promise), "ECONNRESET");
  socket.destroy();
});

Deno.test("keystrokes get through while bulk copies keep their worker busy", async () => {
  const chunk = pseudoRandomBytes(1 << 20, 5);
  let sending = true;
  await using source = new TcpPeer(async (conn) => {
    while (sending) await writeAll(conn, chunk);
  });
  await using shell = new TcpPeer(echo);
  await using fixture = new EngineFixture(makeSpliceEngine({ workers: 1 }));
  const port = await fixture.listen(planOf([source.address, source.address, shell.address]));
  const bulk = [await connectTo(port), await connectTo(port)];
  let moved = 0;
  const reading = bulk.map(async (conn) => {
    const buffer = new Uint8Array(1 << 20);
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) moved += n;
  });
  using keys = await connectTo(port);
  await waitFor("the copies to run", () => moved > 50_000_000);
  for (let i = 0; i < 50; i++) {
    await send(keys, "k");
    assertEquals(await receive(keys, 1), "k");
  }
  const before = moved;
  await waitFor("the copies to go on", () => moved > before + 10_000_000);
  sending = false;
  await Promise.all(reading);
  for (const conn of bulk) conn.close();
});

Deno.test("few sessions are shared out evenly among the workers", async () => {
  await using backend = new TcpPeer(echo);
  const engine = makeSpliceEngine();
  await using fixture = new EngineFixture(engine);
  const port = await fixture.listen(planOf([backend.address]));
  const clients: Deno.TcpConn[] = [];
  for (let i = 0; i < 8; i++) {
    const client = await connectTo(port);
    clients.push(client);
    await send(client, "x");
    await receive(client, 1);
    const loads = engine.loadByWorker();
    const most = Math.max(...loads);
    // The more there are, the more of a difference is let pass.
    assert(most - Math.min(...loads) <= 1 + most / 4, `after ${i + 1}: ${loads}`);
  }
  for (const client of clients) client.close();
  await fixture.quiet();
});

Deno.test("plans that come and go by the thousand leave no planId taken but those of sessions", async () => {
  await using backend = new TcpPeer(echo);
  await using fixture = new EngineFixture(makeSpliceEngine());
  const first = planOf([backend.address]);
  const port = await fixture.listen(first);
  using client = await connectTo(port);
  await send(client, "x");
  assertEquals(await receive(client, 1), "x");
  const table = PickTable.allocate(4);
  for (let i = 0; i < 6000; i++) {
    fixture.engine.publish("p", { ...first, table });
    if (i % 200 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  fixture.engine.publish("p", { ...first });
  using after = await connectTo(port);
  await send(after, "y");
  assertEquals(await receive(after, 1), "y");
  client.close();
  const closed = await fixture.nth("closed");
  assertEquals([closed.pool, closed.backend], ["p", backend.address]);
});

Deno.test("chooseEngine() takes splice on Linux with glibc and says why", () => {
  assertEquals(chooseEngine("portable"), { name: "portable", reason: "asked for by name" });
  assertEquals(chooseEngine("auto"), {
    name: "splice",
    reason: "Linux with glibc, FFI permitted",
  });
});

Deno.test("chooseEngine() falls back where FFI is not permitted", async () => {
  const module = new URL("../../lib/engine/choose.ts", import.meta.url);
  const script = `import { chooseEngine } from "${module}";
    console.log(JSON.stringify(chooseEngine("auto")));
    try { chooseEngine("splice"); } catch (error) { console.log(error.message); }`;
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--ext=ts", `data:text/typescript,${encodeURIComponent(script)}`],
    stderr: "inherit",
  }).output();
  assert(success);
  const [choice, refusal] = new TextDecoder().decode(stdout).trim().split("\n");
  assertEquals(JSON.parse(choice ?? ""), {
    name: "portable",
    reason: "no splice engine: FFI is not permitted (--allow-ffi)",
  });
  assertEquals(
    refusal,
    "Cannot use the splice engine: FFI is not permitted (--allow-ffi)",
  );
});
