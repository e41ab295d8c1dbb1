// Engine cases about starting, changing and stopping, and about what a long run leaves behind.

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { Address } from "../../lib/core/values/address.ts";
import { ACTIVE } from "../../lib/core/pick/pick_table.ts";
import { echo, greetThenEcho, silent, TcpPeer } from "../peers/tcp_peer.ts";
import { readAll, receive, send } from "../support/bytes.ts";
import { NamedClient } from "../support/named_client.ts";
import { connectResettable } from "../support/reset.ts";
import { freePort } from "../support/processes.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { waitFor, within } from "../support/wait_for.ts";
import type { Frontend } from "../../lib/engine/engine.ts";
import type { EngineCase } from "./engine_cases.ts";
import {
  connectTo,
  frontendOf,
  greeted,
  openDescriptors,
  planOf,
  portOf,
} from "./engine_fixture.ts";

const encode = (text: string) => new TextEncoder().encode(text);

/** Leaves the file of a unix socket on which nobody listens. */
async function leaveSocketFile(path: string): Promise<void> {
  using _listener = Deno.listen({ transport: "unix", path: `${path}.made` });
  await Deno.rename(`${path}.made`, path);
}

export const RUNNING_CASES: readonly EngineCase[] = [
  {
    name: "start binds all or none, and says which address was taken",
    run: async (fixture) => {
      using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      await using a = new TcpPeer(greetThenEcho("a"));
      const plan = planOf([a.address]);
      const port = await fixture.listen(plan);
      const listen = [
        { transport: "tcp", host: "127.0.0.1", port: 0 },
        { transport: "tcp", host: "127.0.0.1", port: taken.addr.port },
      ] as const;
      const refusal = await assertRejects(
        () => fixture.engine.start([frontendOf({ name: "g", listen })]),
        Error,
        `127.0.0.1:${taken.addr.port}`,
      );
      assertStringIncludes(refusal.message, `in use (ss -ltnp "sport = ${taken.addr.port}"`);
      using client = await connectTo(port);
      assertEquals(await receive(client, 1), "a");
    },
  },
  {
    name: "who comes while a start's last step runs is accepted when it has ended",
    run: async (fixture) => {
      await using a = new TcpPeer(greetThenEcho("a"));
      const stays = await fixture.listen(planOf([a.address]));
      const port = freePort();
      const listen = [{ transport: "tcp", host: "127.0.0.1", port }] as const;
      const early: Deno.TcpConn[] = [];
      const frontends = [frontendOf(), frontendOf({ name: "g", listen })];
      await fixture.engine.start(
        frontends,
        () => assertEquals(fixture.engine.counters().accepted, 3),
        async () => {
          for (let i = 0; i < 3; i++) {
            early.push(await connectTo(port));
            // The engine has turned meanwhile: at an address that stays, clients are served.
            assertEquals(await greeted(stays), "a");
          }
          return frontends;
        },
      );
      for (const client of early) {
        assertEquals(await receive(client, 1), "a");
        client.close();
      }
      assertEquals(fixture.engine.counters().accepted, 6);
    },
  },
  {
    name: "a start whose last step fails has accepted nobody, leaves nothing open, can be repeated",
    run: async (fixture) => {
      await using a = new TcpPeer(greetThenEcho("a"));
      fixture.engine.publish("p", planOf([a.address]));
      const port = freePort();
      const listen = [{ transport: "tcp", host: "127.0.0.1", port }] as const;
      const clients: Deno.TcpConn[] = [];
      const start = (step?: () => Promise<readonly Frontend[]>) => {
        const atSwitch = () => assertEquals(step, undefined);
        return fixture.engine.start([frontendOf({ listen })], atSwitch, step);
      };
      const failing = start(async () => {
        clients.push(await connectTo(port));
        throw new Error("no admin socket");
      });
      await assertRejects(() => failing, Error, "no admin socket");
      for (const client of clients) {
        assertEquals(await readAll(client).catch(() => new Uint8Array()), new Uint8Array());
        client.close();
      }
      assertEquals(clients.length, 1);
      await assertRejects(() => connectTo(port), Deno.errors.ConnectionRefused);
      assertEquals(fixture.engine.counters().accepted, 0);
      await start();
      assertEquals(await greeted(port), "a");
    },
  },
  {
    name: "a unix socket has the mode that its frontend says, or the umask leaves it",
    run: async (fixture) => {
      await using a = new TcpPeer(greetThenEcho("a"));
      const folder = await Deno.makeTempDir();
      const path = `${folder}/f.sock`;
      const umask = Deno.umask(0o027);
      const start = (socketMode?: number) =>
        fixture.engine.start([
          frontendOf({
            listen: [{ transport: "unix", path }],
            ...(socketMode === undefined ? {} : { socketMode }),
          }),
        ]);
      const mode = async () => ((await Deno.stat(path)).mode ?? 0) & 0o7777;
      const visit = async () => {
        using client = await Deno.connect({ transport: "unix", path });
        assertEquals(await receive(client, 1), "a");
      };
      try {
        fixture.engine.publish("p", planOf([a.address]));
        await start();
        assertEquals(await mode(), 0o750);
        await visit();
        // A reload changes a socket that stays, and what it does not mention stays as it is.
        await start(0o666);
        assertEquals(await mode(), 0o666);
        await start();
        assertEquals(await mode(), 0o666);
        await visit();
        // One that is refused changes nothing.
        const taken: Address = { transport: "tcp", host: "127.0.0.1", port: a.port };
        const both: Address[] = [{ transport: "unix", path }, taken];
        await assertRejects(() =>
          fixture.engine.start([frontendOf({ listen: both, socketMode: 0o600 })])
        );
        assertEquals(await mode(), 0o666);
        await fixture.engine.start([]);
        // More and less than the umask leaves, and in the place of a file that a dead one left.
        for (const wanted of [0o660, 0o777, 0o600, 0o702]) {
          await leaveSocketFile(path);
          await start(wanted);
          assertEquals(await mode(), wanted);
          await visit();
          await fixture.engine.start([]);
        }
        assertEquals(Deno.umask(), 0o027);
        await start(0o600);
        await Deno.remove(path);
        await Deno.writeTextFile(path, "", { mode: 0o640 });
        await assertRejects(() => start(0o666), Error, `Cannot give "unix:${path}" the mode 0666`);
        assertEquals(await mode(), 0o640);
      } finally {
        Deno.umask(umask);
        await fixture.engine.start([]);
        await Deno.remove(folder, { recursive: true });
      }
    },
  },
  {
    name: "a client of a unix socket has no name, whatever name its own end has",
    run: async (fixture) => {
      await using a = new TcpPeer(silent);
      await using folder = new TemporaryDirectory();
      const path = `${folder.path}/f.sock`;
      fixture.engine.publish("p", planOf([a.address]));
      await fixture.engine.start([frontendOf({ listen: [{ transport: "unix", path }] })]);
      const unique = crypto.randomUUID();
      {
        // The portable engine closes clients whose name is not UTF-8: Deno does.
        using _notText = new NamedClient(new Uint8Array([255, ...encode(unique)]), path);
      }
      using _forger = new NamedClient(encode(`${unique}\n2026 closed client=x`), path);
      const opened = await waitFor(
        "the second client's session",
        () => fixture.of("opened").at(-1),
      );
      assertEquals(opened.client, { transport: "unix", path: "" });
      assertEquals(opened.local, { transport: "unix", path });
    },
  },
  {
    name: "a restart keeps what stays, binds what is new, leaves what is gone to its tunnels",
    run: async (fixture) => {
      await using a = new TcpPeer(echo);
      fixture.engine.publish("p", planOf([a.address]));
      const first = await fixture.engine.start([
        frontendOf({ name: "stays" }),
        frontendOf({ name: "goes" }),
      ]);
      const stays = portOf(first.get("stays"));
      const goes = portOf(first.get("goes"));
      using onStays = await connectTo(stays);
      using onGoes = await connectTo(goes);
      for (const client of [onStays, onGoes]) {
        await send(client, "x");
        await receive(client, 1);
      }
      const second = await fixture.engine.start([
        frontendOf({ name: "stays" }),
        frontendOf({ name: "new" }),
      ]);
      assertEquals(portOf(second.get("stays")), stays);
      for (const client of [onStays, onGoes]) {
        await send(client, "y");
        assertEquals(await receive(client, 1), "y");
      }
      await assertRejects(() => connectTo(goes), Deno.errors.ConnectionRefused);
      using onNew = await connectTo(portOf(second.get("new")));
      await send(onNew, "z");
      assertEquals(await receive(onNew, 1), "z");
    },
  },
  {
    name: "a unix socket's stale file is replaced, a live one is not",
    run: async (fixture) => {
      const folder = await Deno.makeTempDir();
      try {
        const path = `${folder}/s.sock`;
        // A listener in a process that is killed leaves its file behind.
        const owner = new Deno.Command(Deno.execPath(), {
          args: [
            "eval",
            `Deno.listen({ transport: "unix", path: ${JSON.stringify(path)} }); console.log("up");
             setInterval(() => {}, 1000);`,
          ],
          stdout: "piped",
        }).spawn();
        const output = owner.stdout.getReader();
        await output.read();
        const listen = [{ transport: "unix", path }] as const;
        await using a = new TcpPeer(greetThenEcho("a"));
        fixture.engine.publish("p", planOf([a.address]));
        await assertRejects(() => fixture.engine.start([frontendOf({ listen })]), Error, path);
        owner.kill("SIGKILL");
        await owner.status;
        await output.cancel();
        await fixture.engine.start([frontendOf({ listen })]);
        using client = await Deno.connect({ transport: "unix", path });
        assertEquals(await receive(client, 1), "a");
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  },
  {
    name: "an ordinary file in a unix socket's place is left alone",
    run: async (fixture) => {
      const path = await Deno.makeTempFile();
      try {
        await Deno.writeTextFile(path, "precious");
        const listen = [{ transport: "unix", path }] as const;
        await assertRejects(() => fixture.engine.start([frontendOf({ listen })]), Error, path);
        assertEquals(await Deno.readTextFile(path), "precious");
      } finally {
        await Deno.remove(path);
      }
    },
  },
  {
    name: "clients that reset before they are accepted do no harm",
    run: async (fixture) => {
      await using a = new TcpPeer(greetThenEcho("a"));
      const port = await fixture.listen(planOf([a.address]));
      for (let i = 0; i < 50; i++) await (await connectResettable(port)).reset();
      using client = await connectTo(port);
      assertEquals(await receive(client, 1), "a");
    },
  },
  {
    name: "plans swapped under load lose no connection",
    run: async (fixture) => {
      await using a = new TcpPeer(echo);
      await using b = new TcpPeer(echo);
      const plans = [planOf([a.address]), planOf([b.address]), planOf([a.address, b.address])];
      const port = await fixture.listen(planOf([a.address]));
      let swapping = true;
      const swapper = (async () => {
        for (let i = 0; swapping; i++) {
          fixture.engine.publish("p", plans[i % plans.length] ?? planOf([a.address]));
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      })();
      const user = async () => {
        for (let i = 0; i < 50; i++) {
          using client = await connectTo(port);
          await send(client, "hello");
          assertEquals(await receive(client, 5), "hello");
        }
      };
      await Promise.all(Array.from({ length: 8 }, user));
      swapping = false;
      await swapper;
      await fixture.quiet();
      for (const plan of plans) {
        assertEquals([plan.table.read(0, ACTIVE), plan.table.read(1, ACTIVE)], [0, 0]);
      }
    },
  },
  {
    name: "drain stops accepting and waits for the last tunnel",
    run: async (fixture) => {
      await using a = new TcpPeer(echo);
      const port = await fixture.listen(planOf([a.address]));
      using client = await connectTo(port);
      await send(client, "x");
      await receive(client, 1);
      let drained = false;
      const draining = fixture.engine.drain(new AbortController().signal)
        .then(() => drained = true);
      await waitFor(
        "the port to be closed",
        () =>
          connectTo(port).then((conn) => {
            conn.close();
            return false;
          }, () => true),
      );
      await send(client, "y");
      assertEquals(await receive(client, 1), "y");
      assert(!drained);
      client.close();
      await within("the drain", draining);
      assertEquals((await fixture.nth("closed")).reason, "client_closed");
    },
  },
  {
    name: "drain cuts what stands at the deadline",
    run: async (fixture) => {
      await using a = new TcpPeer(echo);
      const port = await fixture.listen(planOf([a.address]));
      using client = await connectTo(port);
      await send(client, "x");
      await receive(client, 1);
      const deadline = new AbortController();
      const draining = fixture.engine.drain(deadline.signal);
      await send(client, "y");
      assertEquals(await receive(client, 1), "y");
      deadline.abort();
      await within("the drain", draining);
      await readAll(client).catch(() => {});
      assertEquals((await fixture.nth("closed")).reason, "shutdown");
    },
  },
  {
    name: "2000 tunnels at once echo every byte and leave no descriptor behind",
    run: async (fixture) => {
      await using a = new TcpPeer(echo);
      // A busy machine fills the peer's backlog, and a SYN that was dropped comes again after 1 s, 3 s, 7 s.
      const plan = planOf([a.address], { connectTimeoutMs: 20_000 });
      const port = await fixture.listen(plan);
      // The first connection brings lazily made descriptors with it.
      using warm = await connectTo(port);
      await send(warm, "x");
      await receive(warm, 1);
      warm.close();
      await fixture.quiet();
      await waitFor("the warm-up's end", () => a.open.size === 0);
      const before = openDescriptors();
      const clients: Deno.TcpConn[] = [];
      for (let i = 0; i < 2000; i += 100) {
        clients.push(...await Promise.all(Array.from({ length: 100 }, () => connectTo(port))));
      }
      await Promise.all(clients.map(async (client, i) => {
        for (let round = 0; round < 3; round++) {
          const text = `${i} ${round} `.padEnd(64 + i % 512, "#");
          await send(client, text);
          assertEquals(await receive(client, text.length), text);
        }
      }));
      assertEquals(fixture.engine.counters().active, 2000);
      assertEquals(plan.table.read(0, ACTIVE), 2000);
      for (const client of clients) client.close();
      await fixture.quiet();
      await waitFor("the backend's side to end", () => a.open.size === 0);
      // The very last close may still be on its way through the event loop.
      await waitFor("the descriptors to return", () => openDescriptors() <= before);
      assertEquals(plan.table.read(0, ACTIVE), 0);
      const { opened, accepted, refused } = fixture.engine.counters();
      assertEquals([opened, accepted, refused], [2001, 2001, 0]);
    },
  },
  {
    name: "5000 short connections leave descriptors where they were",
    run: async (fixture) => {
      await using a = new TcpPeer(echo);
      const port = await fixture.listen(planOf([a.address]));
      const visit = async () => {
        using client = await connectTo(port);
        await send(client, "hello");
        assertEquals(await receive(client, 5), "hello");
      };
      await visit();
      await fixture.quiet();
      await waitFor("the warm-up's end", () => a.open.size === 0);
      const before = openDescriptors();
      await Promise.all(Array.from({ length: 10 }, async () => {
        for (let i = 0; i < 500; i++) await visit();
      }));
      await fixture.quiet();
      await waitFor("the backend's side to end", () => a.open.size === 0);
      await waitFor("the descriptors to return", () => openDescriptors() <= before);
      const closed = await waitFor("all records", () => {
        const records = fixture.of("closed");
        return records.length === 5001 ? records : undefined;
      });
      assert(closed.every((record) => record.bytesToBackend === 5 && record.bytesToClient === 5));
      assertEquals(new Set(closed.map((record) => record.tunnel)).size, 5001);
    },
  },
];
