// Engine cases about who may come in: lists of networks, limits of each address, what happens at max_connections.

import { assert, assertEquals } from "@std/assert";
import { compileAccess } from "../../lib/core/admission/access_list.ts";
import type { SourceLimits } from "../../lib/core/admission/source_table.ts";
import { type Network, parseNetwork } from "../../lib/core/values/network.ts";
import { NetworkSet } from "../../lib/core/location/network_set.ts";
import type { Frontend } from "../../lib/engine/engine.ts";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { readAll, receive } from "../support/bytes.ts";
import { heardFrom, LoopbackClient } from "../support/loopback_client.ts";
import { freePort } from "../support/processes.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { waitFor, within } from "../support/wait_for.ts";
import type { EngineCase } from "./engine_cases.ts";
import {
  connectTo,
  type EngineFixture,
  frontendOf,
  greeted,
  planOf,
  portOf,
} from "./engine_fixture.ts";
import { deadAddress } from "./placing_cases.ts";

function networks(...texts: readonly string[]): Network[] {
  return texts.map((text) => {
    const network = parseNetwork(text);
    assert(network.ok);
    return network.value;
  });
}

/** A set as the control plane makes it. */
function deniedBy(lists: { allow?: readonly string[]; deny?: readonly string[] }): NetworkSet {
  const { allow, deny = [] } = lists;
  const denied = compileAccess({
    deny: networks(...deny),
    ...(allow === undefined ? {} : { allow: networks(...allow) }),
  });
  return denied ?? NetworkSet.of([]);
}

/** Listens on a port that stays over restarts. */
async function listenAgain(
  fixture: EngineFixture,
  settings: Partial<Frontend>,
): Promise<{ port: number; restart: (settings: Partial<Frontend>) => Promise<void> }> {
  const any = { transport: "tcp", host: "127.0.0.1", port: 0 } as const;
  const frontend = (changed: Partial<Frontend>) => frontendOf({ listen: [any], ...changed });
  const bound = await fixture.engine.start([frontend(settings)]);
  const restart = async (changed: Partial<Frontend>) => {
    await within("the restart", fixture.engine.start([frontend(changed)]));
  };
  return { port: portOf(bound.get("f")), restart };
}

function reasons(fixture: EngineFixture): string[] {
  return fixture.of("refused").map(({ reason }) => reason);
}

/** Clients of one address, as many as it may have. */
function comeFrom(address: string, port: number, count: number): LoopbackClient[] {
  return Array.from({ length: count }, () => new LoopbackClient(address, port));
}

function leave(clients: readonly LoopbackClient[]): void {
  for (const client of clients) client[Symbol.dispose]();
}

async function greetings(clients: readonly LoopbackClient[]): Promise<string> {
  const heard = await Promise.all(clients.map((client) => client.greeting()));
  return heard.sort().join("");
}

export const ADMISSION_CASES: readonly EngineCase[] = [
  {
    name: "deny and allow keep clients out before a backend hears of them, and no unix socket's",
    run: async (fixture) => {
      await using backend = new TcpPeer(greetThenEcho("a"));
      await using folder = new TemporaryDirectory();
      const path = `${folder.path}/f.sock`;
      fixture.engine.publish("p", planOf([backend.address]));
      const bound = await fixture.engine.start([frontendOf({
        listen: [{ transport: "tcp", host: "", port: 0 }, { transport: "unix", path }],
        denied: [
          deniedBy({ allow: ["127.0.0.0/24", "127.0.1.4"], deny: ["127.0.0.2", "127.0.1.0/24"] }),
          deniedBy({ deny: ["127.0.0.3"] }),
        ],
      })]);
      const port = portOf(bound.get("f"));
      let heard = "";
      // A dual-stack socket's: IPv4 in IPv6 is IPv4. 127.0.1.4 is allowed more exactly than it is denied.
      for (const last of ["0.1", "0.2", "0.3", "0.4", "1.4", "2.1"]) {
        heard += await heardFrom(`127.0.${last}`, port) || "-";
      }
      assertEquals(heard, "a--a--");
      using six = await Deno.connect({ hostname: "::1", port });
      assertEquals((await readAll(six)).length, 0);
      using unix = await Deno.connect({ transport: "unix", path });
      assertEquals(await receive(unix, 1), "a");
      await fixture.nth("refused", 5);
      assertEquals(new Set(reasons(fixture)), new Set(["denied"]));
      assertEquals(fixture.of("refused").map(({ attempts, pool }) => [attempts, pool])[4], [
        0,
        "p",
      ]);
      const { accepted, refused, opened } = fixture.engine.counters();
      assertEquals([accepted, refused, opened, backend.accepted], [8, 5, 3, 3]);
      await waitFor(
        "those who have left",
        () => fixture.engine.counters().activeByFrontend.get("f") === 1,
      );
    },
  },
  {
    name: "a network that is denied anew is out when the restart resolves, sessions stay",
    run: async (fixture) => {
      await using backend = new TcpPeer(greetThenEcho("a"));
      fixture.engine.publish("p", planOf([backend.address]));
      const { port, restart } = await listenAgain(fixture, {});
      using session = new LoopbackClient("127.0.0.2", port);
      assertEquals(await session.greeting(), "a");
      const denied = [deniedBy({ deny: ["127.0.0.2/31"] })];
      let isOver = false;
      const wrong: string[] = [];
      // One more when a change begins, and when it is said to hold.
      let steps = 0;
      const knock = async (address: string) => {
        while (!isOver) {
          const before = steps;
          const heard = await heardFrom(address, port);
          // Who knocked while something was being changed may have been told either.
          if (before % 2 === 1 || before !== steps) continue;
          const isOut = before % 4 === 2 && address !== "127.0.0.4";
          if ((heard === "") !== isOut) wrong.push(`${address} heard "${heard}" at ${before}`);
        }
      };
      const knocking = ["2", "3", "4", "2", "3"].map((last) => knock(`127.0.0.${last}`));
      for (let change = 1; change <= 40; change++) {
        steps++;
        await restart(change % 2 === 1 ? { denied } : {});
        steps++;
        const { accepted } = fixture.engine.counters();
        await waitFor("more clients", () => fixture.engine.counters().accepted > accepted + 10);
      }
      isOver = true;
      await Promise.all(knocking);
      assertEquals(wrong, []);
      assertEquals(new Set(reasons(fixture)), new Set(["denied"]));
      assertEquals(fixture.of("closed").some(({ tunnel }) => tunnel === 1), false);
    },
  },
  {
    name: "a network that a start's last step denies is out from the first client on",
    run: async (fixture) => {
      await using backend = new TcpPeer(greetThenEcho("a"));
      fixture.engine.publish("p", planOf([backend.address]));
      const listen = [{ transport: "tcp", host: "127.0.0.1", port: freePort() }] as const;
      const denied = [deniedBy({ deny: ["127.0.0.2"] })];
      const early: LoopbackClient[] = [];
      const frontend = frontendOf({ listen });
      await fixture.engine.start([frontend], () => {}, () => {
        for (const last of [2, 3]) early.push(...comeFrom(`127.0.0.${last}`, listen[0].port, 1));
        return Promise.resolve([{ ...frontend, denied }]);
      });
      assertEquals(await Promise.all(early.map((client) => client.greeting())), ["", "a"]);
      leave(early);
    },
  },
  {
    name: "clients that are kept out take no place from others, not even for an instant",
    run: async (fixture) => {
      await using backend = new TcpPeer(greetThenEcho("a"));
      const port = await fixture.listen(planOf([backend.address]), {
        maxConnections: 1,
        whenFull: "close",
        denied: [deniedBy({ deny: ["127.0.0.2"] })],
        perSource: {
          maxConnections: 0,
          rate: { connections: 1, windowMs: 86_400_000 },
          penaltyMs: 0,
        },
      });
      const { engine } = fixture;
      assertEquals(await heardFrom("127.0.0.3", port), "a");
      let isOver = false;
      const knock = async (address: string) => {
        while (!isOver) assertEquals(await heardFrom(address, port), "");
      };
      const knocking = ["2", "3", "2", "3"].map((last) => knock(`127.0.0.${last}`));
      for (let client = 0; client < 200; client++) {
        await waitFor("the place", () => engine.counters().activeByFrontend.get("f") === 0);
        assertEquals(await heardFrom(`127.0.1.${client}`, port), "a");
      }
      isOver = true;
      await Promise.all(knocking);
      assertEquals(engine.counters().opened, 201);
    },
  },
  {
    name: "at max_connections clients wait to be accepted, and come in as others leave",
    run: async (fixture) => {
      await using backend = new TcpPeer(greetThenEcho("a"));
      fixture.engine.publish("p", planOf([backend.address]));
      const bound = await fixture.engine.start([
        frontendOf({ maxConnections: 2 }),
        frontendOf({ name: "g" }),
      ]);
      const port = portOf(bound.get("f"));
      const leavers = [await connectTo(port), await connectTo(port)];
      for (const client of leavers) assertEquals(await receive(client, 1), "a");
      const late = await Promise.all([1, 2, 3].map(() => connectTo(port)));
      leavers.push(...late);
      let heard = 0;
      const hearing = late.map((client) => receive(client, 1).then(() => heard++));
      // Others are served meanwhile.
      for (let i = 0; i < 10; i++) assertEquals(await greeted(portOf(bound.get("g"))), "a");
      const { engine } = fixture;
      assertEquals([heard, engine.counters().accepted, backend.accepted], [0, 12, 12]);
      for (let left = 1; left <= 3; left++) {
        leavers[left - 1]?.close();
        await waitFor("the next one's turn", () => heard === left);
        assertEquals([engine.counters().accepted, backend.accepted], [12 + left, 12 + left]);
      }
      await Promise.all(hearing);
      for (const client of leavers.slice(3)) client.close();
      await fixture.quiet();
      assertEquals([engine.counters().refused, fixture.of("refused")], [0, []]);
    },
  },
  {
    name:
      "many clients that come and go at a full frontend are all served, never more than it may have",
    run: async (fixture) => {
      let most = 0;
      await using backend: TcpPeer = new TcpPeer((conn, peer) => {
        most = Math.max(most, fixture.engine.counters().activeByFrontend.get("f") ?? 0);
        return greetThenEcho("a")(conn, peer);
      });
      const port = await fixture.listen(planOf([backend.address]), { maxConnections: 3 });
      const visit = async () => {
        using client = await connectTo(port);
        assertEquals(await receive(client, 1), "a");
      };
      const visitor = async () => {
        for (let i = 0; i < 20; i++) await visit();
      };
      await within("all to be served", Promise.all(Array.from({ length: 20 }, visitor)));
      await fixture.quiet();
      const { opened, refused } = fixture.engine.counters();
      assertEquals([opened, refused, most], [400, 0, 3]);
    },
  },
  {
    name: "a restart lets those in who wait: with a higher limit, with none, or to be told",
    run: async (fixture) => {
      await using backend = new TcpPeer(greetThenEcho("a"));
      fixture.engine.publish("p", planOf([backend.address]));
      const { port, restart } = await listenAgain(fixture, { maxConnections: 1 });
      const clients = comeFrom("127.0.0.2", port, 1);
      assertEquals(await greetings(clients), "a");
      clients.push(...comeFrom("127.0.0.3", port, 4));
      await restart({ maxConnections: 3 });
      await fixture.nth("opened", 3);
      // A lower one ends nobody.
      await restart({ maxConnections: 2 });
      assertEquals(fixture.engine.counters().opened, 3);
      await restart({ maxConnections: 4 });
      await fixture.nth("opened", 4);
      await restart({ maxConnections: 1, whenFull: "close" });
      assertEquals(await greetings(clients), "aaaa");
      assertEquals((await fixture.nth("refused")).reason, "frontend_full");
      clients.push(...comeFrom("127.0.0.4", port, 2));
      await fixture.nth("refused", 3);
      await restart({ maxConnections: 4 });
      clients.push(...comeFrom("127.0.0.4", port, 2));
      await restart({ maxConnections: 0 });
      await fixture.nth("opened", 6);
      leave(clients);
    },
  },
  {
    name: "a frontend's sockets share its places, and those who wait for one",
    run: async (fixture) => {
      await using backend = new TcpPeer(greetThenEcho("a"));
      await using folder = new TemporaryDirectory();
      const path = `${folder.path}/f.sock`;
      fixture.engine.publish("p", planOf([backend.address]));
      const tcp = { transport: "tcp", host: "127.0.0.1", port: 0 } as const;
      const listen = [tcp, tcp, { transport: "unix", path }] as const;
      const bound = await fixture.engine.start([frontendOf({ listen, maxConnections: 1 })]);
      const ports = [0, 1].map((at) => portOf(bound.get("f")?.slice(at)));
      const connects = () => [
        ...ports.map((port) => connectTo(port)),
        Deno.connect({ transport: "unix", path }),
      ];
      const clients = await within("six", Promise.all([...connects(), ...connects()]));
      const waiting = new Map(
        clients.map((client) => [client, receive(client, 1).then(() => client)]),
      );
      for (let served = 1; served <= 6; served++) {
        const client = await within("one to be served", Promise.race(waiting.values()));
        assertEquals(fixture.engine.counters().opened, served);
        waiting.delete(client);
        client.close();
      }
      await fixture.quiet();
      assertEquals(fixture.engine.counters().refused, 0);
    },
  },
  {
    name: "clients that wait for a place hear the end of it when the engine drains",
    run: async (fixture) => {
      await using backend = new TcpPeer(greetThenEcho("a"));
      fixture.engine.publish("p", planOf([backend.address]));
      const { port } = await listenAgain(fixture, { maxConnections: 1 });
      using session = new LoopbackClient("127.0.0.2", port);
      assertEquals(await session.greeting(), "a");
      const late = comeFrom("127.0.0.3", port, 3);
      const cut = new AbortController();
      const draining = fixture.engine.drain(cut.signal);
      assertEquals(await greetings(late), "");
      assertEquals(fixture.engine.counters().active, 1);
      cut.abort();
      await within("the drain", draining);
      leave(late);
    },
  },
  {
    name: "an address has no more connections at a time than it may have, however they come",
    run: async (fixture) => {
      await using backend = new TcpPeer(greetThenEcho("a"));
      const perSource = { maxConnections: 5, penaltyMs: 0 };
      const port = await fixture.listen(planOf([backend.address]), { perSource });
      const crowd = comeFrom("127.0.0.2", port, 40);
      const others = comeFrom("127.0.0.3", port, 5);
      assertEquals(await greetings(crowd), "aaaaa");
      assertEquals(await greetings(others), "aaaaa");
      await fixture.nth("refused", 35);
      assertEquals(new Set(reasons(fixture)), new Set(["source_full"]));
      leave(crowd);
      // However sessions end, the place is free then.
      await waitFor("them to be counted out", () => fixture.engine.counters().active === 5);
      const again = comeFrom("127.0.0.2", port, 6);
      assertEquals(await greetings(again), "aaaaa");
      leave([...again, ...others]);
    },
  },
  {
    name: "a client that gets no backend gives its address's place back, and hears of it then",
    run: async (fixture) => {
      const perSource = { maxConnections: 1, penaltyMs: 0 };
      const port = await fixture.listen(planOf([deadAddress()]), { perSource });
      for (let i = 0; i < 100; i++) assertEquals(await heardFrom("127.0.0.2", port), "");
      await fixture.nth("refused", 100);
      assertEquals(new Set(reasons(fixture)), new Set(["connect_failed"]));
    },
  },
  {
    name: "a limit of each address that comes with a restart counts those who were there before",
    run: async (fixture) => {
      await using backend = new TcpPeer(greetThenEcho("a"));
      fixture.engine.publish("p", planOf([backend.address]));
      const { port, restart } = await listenAgain(fixture, {});
      const before = comeFrom("127.0.0.2", port, 6);
      assertEquals(await greetings(before), "aaaaaa");
      const perSource = { maxConnections: 4, penaltyMs: 0 };
      // Twice: nobody is counted twice.
      for (let i = 0; i < 2; i++) await restart({ perSource });
      assertEquals(await heardFrom("127.0.0.2", port), "");
      leave(before.slice(0, 2));
      await waitFor("two to leave", () => fixture.engine.counters().active === 4);
      assertEquals(await heardFrom("127.0.0.2", port), "");
      leave(before.slice(2, 3));
      await waitFor("one to leave", () => fixture.engine.counters().active === 3);
      using next = new LoopbackClient("127.0.0.2", port);
      assertEquals(await next.greeting(), "a");
      assertEquals(await heardFrom("127.0.0.2", port), "");
      await restart({});
      assertEquals(await heardFrom("127.0.0.2", port), "a");
      leave(before);
    },
  },
  {
    name: "an address comes as often as its rate says, then again when time has passed",
    run: async (fixture) => {
      await using backend = new TcpPeer(greetThenEcho("a"));
      const perSource = (connections: number, windowMs: number) => ({
        perSource: { maxConnections: 0, penaltyMs: 0, rate: { connections, windowMs } },
      });
      fixture.engine.publish("p", planOf([backend.address]));
      const { port, restart } = await listenAgain(fixture, perSource(3, 3_600_000));
      const heard = async (address: string, times: number) => {
        let all = "";
        for (let i = 0; i < times; i++) all += await heardFrom(address, port) || "-";
        return all;
      };
      assertEquals(await heard("127.0.0.2", 5), "aaa--");
      assertEquals(await heard("127.0.0.3", 2), "aa");
      await fixture.nth("refused", 2);
      assertEquals(reasons(fixture), ["source_rate", "source_rate"]);
      // Other limits hold for what has come already, too.
      await restart(perSource(1, 1000));
      await waitFor(
        "its time to pass",
        async () => await heardFrom("127.0.0.2", port) === "a",
      );
      await restart({});
      assertEquals(await heard("127.0.0.2", 5), "aaaaa");
    },
  },
  {
    name: "an address that goes on beyond its rate is shut out for the penalty, others are not",
    run: async (fixture) => {
      await using backend = new TcpPeer(greetThenEcho("a"));
      const rate = { connections: 1, windowMs: 1000 };
      const mild = { maxConnections: 0, rate, penaltyMs: 0 };
      const strict = { ...mild, penaltyMs: 3_600_000 };
      fixture.engine.publish("p", planOf([backend.address]));
      const start = (perSource: SourceLimits) =>
        fixture.engine.start([
          frontendOf({ perSource }),
          frontendOf({ name: "g", perSource: mild }),
        ]);
      const bound = await start(strict);
      const [port, other] = [portOf(bound.get("f")), portOf(bound.get("g"))];
      for (let i = 0; i < 20; i++) await heardFrom("127.0.0.2", port);
      assertEquals(await heardFrom("127.0.0.3", port), "a");
      assertEquals(await heardFrom("127.0.0.2", other), "a");
      // When the same rate lets it in again elsewhere, its time has passed here, too.
      await waitFor("its time", async () => await heardFrom("127.0.0.2", other) === "a");
      assertEquals(await heardFrom("127.0.0.2", port), "");
      await waitFor("the record", () => fixture.of("refused").at(-1)?.frontend === "f");
      assertEquals(new Set(reasons(fixture)), new Set(["source_rate"]));
      // A shorter penalty shortens what has begun.
      await start(mild);
      assertEquals(await heardFrom("127.0.0.2", port), "a");
    },
  },
];
