// Engine cases about the PROXY protocol: headers that clients begin with, and those that backends are sent.

import { assert, assertEquals } from "@std/assert";
import { compileAccess } from "../../lib/core/admission/access_list.ts";
import { type Location, LocationTable } from "../../lib/core/location/location_table.ts";
import { STICKY_SECONDS } from "../../lib/core/pick/pick_table.ts";
import { PROXY_VERSIONS } from "../../lib/core/proxy_protocol/proxy_endpoint.ts";
import { formatAddress } from "../../lib/core/values/address.ts";
import { parseNetwork } from "../../lib/core/values/network.ts";
import type { RefusalReason } from "../../lib/engine/engine.ts";
import { echo, greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import {
  digest,
  pseudoRandomBytes,
  readAll,
  readExactly,
  receive,
  send,
  writeAll,
} from "../support/bytes.ts";
import {
  bytesOf,
  type End,
  networksOf,
  proxyHeader,
  readProxyHeader,
  V2_SIGNATURE,
} from "../support/proxy_headers.ts";
import { connectResettable } from "../support/reset.ts";
import { waitFor } from "../support/wait_for.ts";
import type { EngineCase } from "./engine_cases.ts";
import { connectTo, type EngineFixture, frontendOf, planOf, portOf } from "./engine_fixture.ts";
import { deadAddress, deadPort } from "./placing_cases.ts";

const ANYBODY_HERE = networksOf("127.0.0.0/8", "::1");
const [KELVIN, LB]: [End, End] = [["192.0.2.7", 40_001], ["198.51.100.22", 22]];
const [KELVIN6, LB6]: [End, End] = [["2001:db8::7", 40_006], ["2001:db8:1::16", 2222]];

interface HeaderCase {
  readonly header: Uint8Array<ArrayBuffer>;
  /** Who the client is and where it went; absent: what the connection says. */
  readonly told?: readonly [client: string, reached: string];
}

const IPV4 = ["192.0.2.7:40001", "198.51.100.22:22"] as const;
const IPV6 = ["[2001:db8::7]:40006", "[2001:db8:1::16]:2222"] as const;
/** Type-length-values: one of 4 KiB that nobody knows. */
const LONG_VECTOR = "ee1000" + "5a".repeat(4096);

const SOUND: readonly HeaderCase[] = [
  { header: proxyHeader("v1", KELVIN, LB), told: IPV4 },
  { header: proxyHeader("v1", KELVIN6, LB6), told: IPV6 },
  { header: proxyHeader("v2", KELVIN, LB), told: IPV4 },
  { header: proxyHeader("v2", KELVIN6, LB6), told: IPV6 },
  { header: proxyHeader("v2", KELVIN, LB, LONG_VECTOR), told: IPV4 },
  {
    header: proxyHeader("v1", ["::ffff:192.0.2.7", 40_001], ["::ffff:198.51.100.22", 22]),
    told: IPV4,
  },
  { header: bytesOf("PROXY UNKNOWN\r\n") },
  { header: bytesOf("PROXY UNKNOWN 192.0.2.7 198.51.100.22 40001 22\r\n") },
  { header: Uint8Array.fromHex(V2_SIGNATURE + "20000000") },
  { header: Uint8Array.fromHex(V2_SIGNATURE + "2011000c" + "c0000207c6336416" + "9c410016") },
  { header: Uint8Array.fromHex(V2_SIGNATURE + "213100d8" + "2f".repeat(216)) },
];

/** What no header is; `end`: the client has nothing more to say. */
const MALFORMED: readonly { readonly bytes: Uint8Array<ArrayBuffer>; readonly end?: true }[] = [
  { bytes: bytesOf("SSH-2.0-OpenSSH_9.2\r\n") },
  { bytes: bytesOf("PROXY TCP4 192.0.2.7 198.51.100.22 40001 22\nSSH-2.0-x\r\n") },
  { bytes: bytesOf("PROXY TCP4 192.0.2.7 198.51.100.22 40001 65536\r\n") },
  { bytes: bytesOf("PROXY UNKNOWN " + "x".repeat(94)) },
  { bytes: Uint8Array.fromHex(V2_SIGNATURE + "1111000c") },
  { bytes: Uint8Array.fromHex(V2_SIGNATURE + "2011ffff") },
  { bytes: Uint8Array.fromHex(V2_SIGNATURE + "21110013c0000207c63364169c410016030004deadbeef") },
  { bytes: bytesOf("PROXY TCP4 192.0.2.7"), end: true },
  { bytes: Uint8Array.fromHex(V2_SIGNATURE + "2111000cc0000207"), end: true },
  { bytes: bytesOf("P"), end: true },
  { bytes: bytesOf(""), end: true },
];

/** Listens for proxies from here, before peers that echo. */
function listenForProxies(fixture: EngineFixture, backend: string): Promise<number> {
  return fixture.listen(planOf([backend]), { acceptProxyFrom: ANYBODY_HERE });
}

/** Where clients of a network go instead of to pool `p`. */
function locationOf(text: string, pool: string): Location {
  const network = parseNetwork(text);
  assert(network.ok);
  const rule = { networks: [network.value], countries: [], pool: 1 };
  return { table: LocationTable.compile([rule]), pools: ["p", pool] };
}

async function refusals(
  fixture: EngineFixture,
  count: number,
): Promise<(readonly [RefusalReason, string])[]> {
  await fixture.nth("refused", count);
  return fixture.of("refused").map(({ reason, client }) => [reason, formatAddress(client)]);
}

function localOf(conn: Deno.TcpConn): string {
  return `${conn.localAddr.hostname}:${conn.localAddr.port}`;
}

export const PROXY_PROTOCOL_CASES: readonly EngineCase[] = [
  {
    name: "a PROXY header says who the client is; what comes behind it in one segment arrives",
    run: async (fixture) => {
      await using backend = new TcpPeer(echo);
      const port = await listenForProxies(fixture, backend.address);
      for (const [index, { header, told }] of SOUND.entries()) {
        const client = await connectTo(port);
        const payload = pseudoRandomBytes(700 * index, index + 1);
        await writeAll(client, new Uint8Array([...header, ...payload]));
        await client.closeWrite();
        assertEquals(await digest(await readAll(client)), await digest(payload));
        const expected = told ?? [localOf(client), `127.0.0.1:${port}`];
        client.close();
        const opened = await fixture.nth("opened", index + 1);
        const closed = await fixture.nth("closed", index + 1);
        assertEquals([formatAddress(opened.client), formatAddress(opened.local)], expected);
        assertEquals(formatAddress(closed.client), expected[0]);
        assertEquals(
          [closed.bytesToBackend, closed.bytesToClient],
          [payload.length, payload.length],
        );
      }
    },
  },
  {
    name: "a PROXY header may come in pieces, however it is cut",
    run: async (fixture) => {
      await using backend = new TcpPeer(echo);
      const port = await listenForProxies(fixture, backend.address);
      const headers = [SOUND[0], SOUND[2]].map((one) => one?.header ?? new Uint8Array());
      const cuts = headers.flatMap((header) =>
        Array.from(header, (_, cut) => ({ header, cut: cut + 1 }))
      );
      const clients = await Promise.all(cuts.map(async ({ header, cut }) => {
        const client = await connectTo(port);
        await writeAll(client, header.subarray(0, cut));
        return client;
      }));
      await waitFor("all to be accepted", () => fixture.engine.counters().accepted === cuts.length);
      await Promise.all(clients.map(async (client, index) => {
        const { header = new Uint8Array(), cut = 0 } = cuts[index] ?? {};
        await writeAll(client, header.subarray(cut));
        await send(client, `payload ${index}`);
        await client.closeWrite();
        assertEquals(new TextDecoder().decode(await readAll(client)), `payload ${index}`);
        client.close();
      }));
      // One whose every byte is a segment.
      using slow = await connectTo(port);
      for (const byte of headers[0] ?? []) await writeAll(slow, new Uint8Array([byte]));
      await send(slow, "x");
      assertEquals(await receive(slow, 1), "x");
      await fixture.nth("opened", cuts.length + 1);
      assertEquals(
        new Set(fixture.of("opened").map(({ client }) => formatAddress(client))),
        new Set([IPV4[0]]),
      );
    },
  },
  {
    name: "from a network that is not listed, a PROXY header is the client's own words",
    run: async (fixture) => {
      await using backend = new TcpPeer(echo);
      const port = await fixture.listen(planOf([backend.address]), {
        acceptProxyFrom: networksOf("127.0.0.2", "192.0.2.0/24", "::/0"),
      });
      for (const [index, { header }] of SOUND.entries()) {
        using client = await connectTo(port);
        await writeAll(client, header);
        assertEquals(await readExactly(client, header.length), header);
        const { client: said } = await fixture.nth("opened", index + 1);
        assertEquals(formatAddress(said), localOf(client));
      }
    },
  },
  {
    name: "clients go by the address in their PROXY header: location, stickiness, sessions",
    run: async (fixture) => {
      await using own = new TcpPeer(greetThenEcho("o"));
      await using other = new TcpPeer(greetThenEcho("u"));
      await using lab = new TcpPeer(greetThenEcho("l"));
      fixture.engine.publish("lab", planOf([lab.address]));
      const plan = planOf([own.address, other.address], { stickyEntries: 64 });
      plan.table.words[STICKY_SECONDS] = 60;
      const port = await fixture.listen(plan, {
        acceptProxyFrom: ANYBODY_HERE,
        location: locationOf("192.0.2.0/24", "lab"),
      });
      const heard = async (source: End) => {
        const client = await connectTo(port);
        await writeAll(client, proxyHeader("v2", source, LB));
        return { client, greeting: await receive(client, 1) };
      };
      const located = await heard(KELVIN);
      assertEquals(located.greeting, "l");
      const [session] = fixture.engine.sessions();
      assertEquals(session && [session.pool, formatAddress(session.client)], ["lab", IPV4[0]]);
      located.client.close();
      // In turn, but for who has been there before.
      let greetings = "";
      for (const last of [1, 2, 2, 2, 1, 1]) {
        const { client, greeting } = await heard([`198.51.100.${last}`, 1024]);
        greetings += greeting;
        client.close();
        await fixture.quiet();
      }
      assertEquals(greetings, "ouuuoo");
    },
  },
  {
    name: "lists and limits are asked about the address in a PROXY header, never about the proxy's",
    run: async (fixture) => {
      await using backend = new TcpPeer(greetThenEcho("g"));
      const deny = [{ words: [0x7f00_0000], prefix: 8 }, { words: [0xc000_0200], prefix: 24 }];
      const denied = compileAccess({ deny });
      assert(denied !== undefined);
      const port = await fixture.listen(planOf([backend.address]), {
        acceptProxyFrom: ANYBODY_HERE,
        denied: [denied],
        perSource: { maxConnections: 1, penaltyMs: 0 },
      });
      const come = async (header: Uint8Array) => {
        const client = await connectTo(port);
        await writeAll(client, header);
        return client;
      };
      const elsewhere = proxyHeader("v2", ["198.51.100.7", 1], LB);
      using one = await come(elsewhere);
      assertEquals(await receive(one, 1), "g");
      const refused = [
        await come(elsewhere),
        await come(proxyHeader("v1", KELVIN, LB)),
        // Nobody told: it is the proxy itself.
        await come(bytesOf("PROXY UNKNOWN\r\n")),
      ];
      for (const client of refused) assertEquals((await readAll(client)).length, 0);
      assertEquals(
        new Set((await refusals(fixture, 3)).map((refusal) => refusal.join(" "))),
        new Set([
          "source_full 198.51.100.7:1",
          `denied ${IPV4[0]}`,
          `denied ${refused[2] && localOf(refused[2])}`,
        ]),
      );
      using other = await come(proxyHeader("v1", ["198.51.100.8", 1], LB));
      assertEquals(await receive(other, 1), "g");
      one.close();
      await fixture.nth("closed");
      using again = await come(elsewhere);
      assertEquals(await receive(again, 1), "g");
      for (const client of refused) client.close();
    },
  },
  {
    name: "a client with a bad PROXY header is closed, and told of by its own address",
    run: async (fixture) => {
      await using backend = new TcpPeer(echo);
      const port = await listenForProxies(fixture, backend.address);
      for (const [index, { bytes, end }] of MALFORMED.entries()) {
        using client = await connectTo(port);
        await writeAll(client, bytes);
        if (end === true) await client.closeWrite();
        // Closed with bytes unread, which may come as a reset.
        const answer = await readAll(client).catch(() => new Uint8Array());
        assertEquals([index, answer.length], [index, 0]);
        const [reason, said] = (await refusals(fixture, index + 1))[index] ?? [];
        assertEquals([index, reason, said], [index, "bad_proxy_header", localOf(client)]);
      }
      const resetting = await connectResettable(port);
      await resetting.send("PROXY ");
      await resetting.reset();
      const all = await refusals(fixture, MALFORMED.length + 1);
      assertEquals(all.at(-1)?.[0], "bad_proxy_header");
      assertEquals(backend.accepted, 0);
      const { refused, active, activeByFrontend } = fixture.engine.counters();
      assertEquals([refused, active], [all.length, 0]);
      await waitFor(
        "the last to be gone",
        () => fixture.engine.counters().activeByFrontend.get("f") === 0,
      );
      assertEquals(activeByFrontend.size, 1);
    },
  },
  {
    name: "a PROXY header has its time, and those whose header comes in time go on meanwhile",
    run: async (fixture) => {
      await using backend = new TcpPeer(echo);
      const port = await listenForProxies(fixture, backend.address);
      using quiet = await connectTo(port);
      using begun = await connectTo(port);
      await writeAll(begun, proxyHeader("v1", KELVIN, LB).subarray(0, 20));
      using dribbling = await connectTo(port);
      const stop = new AbortController();
      const dribble = (async () => {
        for (const byte of bytesOf("PROXY UNKNOWN " + "x".repeat(80))) {
          await writeAll(dribbling, new Uint8Array([byte]));
          await new Promise((resolve) => setTimeout(resolve, 100));
          if (stop.signal.aborted) return;
        }
      })().catch(() => {});
      using sound = await connectTo(port);
      await writeAll(sound, proxyHeader("v1", KELVIN, LB));
      await send(sound, "x");
      assertEquals(await receive(sound, 1), "x");
      const all = await refusals(fixture, 3);
      stop.abort();
      await dribble;
      assertEquals(
        new Set(all.map(([reason, client]) => `${reason} ${client}`)),
        new Set([quiet, begun, dribbling].map((client) => `bad_proxy_header ${localOf(client)}`)),
      );
      await send(sound, "y");
      assertEquals(await receive(sound, 1), "y");
    },
  },
  {
    name:
      "clients whose PROXY header is awaited count for the frontend, and a drain's end cuts them",
    run: async (fixture) => {
      await using backend = new TcpPeer(echo);
      const port = await fixture.listen(planOf([backend.address]), {
        acceptProxyFrom: ANYBODY_HERE,
        maxConnections: 2,
        whenFull: "close",
      });
      using first = await connectTo(port);
      using second = await connectTo(port);
      await writeAll(second, bytesOf("PROXY "));
      await waitFor(
        "both to count",
        () => fixture.engine.counters().activeByFrontend.get("f") === 2,
      );
      using third = await connectTo(port);
      assertEquals((await readAll(third)).length, 0);
      assertEquals((await refusals(fixture, 1))[0]?.[0], "frontend_full");
      const cut = new AbortController();
      const drained = fixture.engine.drain(cut.signal);
      cut.abort();
      await drained;
      assertEquals(
        new Set((await refusals(fixture, 3)).slice(1).map(([reason]) => reason)),
        new Set(["no_backend"]),
      );
      for (const client of [first, second]) {
        assertEquals((await readAll(client).catch(() => new Uint8Array())).length, 0);
      }
      assertEquals(backend.accepted, 0);
    },
  },
  {
    name: "a client whose PROXY header comes after a reload goes by what is new",
    run: async (fixture) => {
      await using before = new TcpPeer(greetThenEcho("b"));
      await using after = new TcpPeer(greetThenEcho("a"));
      await using lab = new TcpPeer(greetThenEcho("l"));
      const { engine } = fixture;
      const staying = deadPort();
      const listenOn = (port: number) => [{ transport: "tcp", host: "127.0.0.1", port } as const];
      const leaving = deadPort();
      engine.publish("p", planOf([before.address]));
      const settings = { acceptProxyFrom: ANYBODY_HERE };
      await engine.start([
        frontendOf({ ...settings, listen: listenOn(staying) }),
        frontendOf({ ...settings, listen: listenOn(leaving), name: "leaving" }),
      ]);
      const clients: Deno.TcpConn[] = [];
      for (const port of [staying, staying, leaving]) {
        const client = await connectTo(port);
        clients.push(client);
        await writeAll(client, bytesOf("PRO"));
      }
      await waitFor("all to be accepted", () => engine.counters().accepted === 3);
      await engine.start(
        // Who is being read goes on to be read.
        [frontendOf({ listen: listenOn(staying), location: locationOf("2001:db8::/32", "lab") })],
        () => {
          engine.publish("p", planOf([after.address]));
          engine.publish("lab", planOf([lab.address]));
        },
      );
      const [one, two, three] = clients;
      assert(one && two && three);
      await writeAll(one, proxyHeader("v1", KELVIN, LB).subarray(3));
      assertEquals(await receive(one, 1), "a");
      await writeAll(two, proxyHeader("v1", KELVIN6, LB6).subarray(3));
      assertEquals(await receive(two, 1), "l");
      // It came to a frontend that is no more.
      await writeAll(three, proxyHeader("v1", KELVIN, LB).subarray(3)).catch(() => {});
      assertEquals((await readAll(three).catch(() => new Uint8Array())).length, 0);
      assertEquals((await refusals(fixture, 1)).map(([reason]) => reason), ["no_backend"]);
      for (const client of clients) client.close();
      assertEquals(before.accepted, 0);
    },
  },
  {
    name: "limits that a reload brings count those whose PROXY header is awaited by what it tells",
    run: async (fixture) => {
      await using backend = new TcpPeer(echo);
      const listen = [{ transport: "tcp", host: "127.0.0.1", port: deadPort() }] as const;
      const settings = { listen, acceptProxyFrom: ANYBODY_HERE };
      const port = await fixture.listen(planOf([backend.address]), settings);
      using waiting = await connectTo(port);
      await waitFor("the client", () => fixture.engine.counters().accepted === 1);
      const perSource = { maxConnections: 1, penaltyMs: 0 };
      await fixture.engine.start([frontendOf({ ...settings, perSource })]);
      const says = async (client: Deno.Conn, header: Uint8Array) => {
        await writeAll(client, header);
        await send(client, "x");
        assertEquals(await receive(client, 1), "x");
      };
      await says(waiting, proxyHeader("v1", KELVIN, LB));
      // The proxy itself, which had no place.
      using proxy = await connectTo(port);
      await says(proxy, bytesOf("PROXY UNKNOWN\r\n"));
      using another = await connectTo(port);
      await writeAll(another, proxyHeader("v1", KELVIN, LB));
      assertEquals((await readAll(another)).length, 0);
      assertEquals((await refusals(fixture, 1))[0], ["source_full", IPV4[0]]);
    },
  },
  {
    name: "headers that come while reloads go on are lost to nobody",
    run: async (fixture) => {
      await using backend = new TcpPeer(echo);
      const listen = [{ transport: "tcp", host: "127.0.0.1", port: deadPort() }] as const;
      const settings = { listen, acceptProxyFrom: ANYBODY_HERE };
      const port = await fixture.listen(planOf([backend.address]), settings);
      let running = true;
      const reloads = (async () => {
        for (let turn = 0; running; turn++) {
          const idleTimeoutMs = turn % 2 === 0 ? 0 : 600_000;
          await fixture.engine.start([frontendOf({ ...settings, idleTimeoutMs })], () => {
            fixture.engine.publish("p", planOf([backend.address]));
          });
          // An engine may need no turn of the event loop for it.
          await new Promise((resolve) => setTimeout(resolve, 0));
        }
      })();
      const exchange = async (index: number) => {
        using client = await connectTo(port);
        const header = proxyHeader(index % 2 === 0 ? "v1" : "v2", [`192.0.2.${index}`, 1], LB);
        await writeAll(client, header.subarray(0, 17));
        await writeAll(client, header.subarray(17));
        await send(client, `${index}`);
        assertEquals(await receive(client, `${index}`.length), `${index}`);
      };
      for (let round = 0; round < 10; round++) {
        await Promise.all(Array.from({ length: 20 }, (_, index) => exchange(index)));
      }
      running = false;
      await reloads;
      assertEquals(fixture.of("refused"), []);
    },
  },
  {
    name: "backends are sent a PROXY header first, at once, with the client and where it went",
    run: async (fixture) => {
      const folder = await Deno.makeTempDir();
      const headers: string[] = [];
      try {
        for (const version of PROXY_VERSIONS) {
          // Speaks only once it knows who calls, and never hears from the client before.
          await using backend = new TcpPeer(async (conn, peer) => {
            headers.push(await readProxyHeader(conn, version));
            await greetThenEcho("g")(conn, peer);
          });
          const path = `${folder}/${version}.sock`;
          fixture.engine.publish("p", { ...planOf([backend.address]), sendProxy: version });
          const bound = await fixture.engine.start([frontendOf({
            listen: [
              { transport: "tcp", host: "127.0.0.1", port: 0 },
              { transport: "tcp", host: "", port: 0 },
              { transport: "unix", path },
            ],
          })]);
          const [own = 0, any = 0] = (bound.get("f") ?? []).map((address) =>
            address.transport === "tcp" ? address.port : 0
          );
          const reached = async (hostname: string, port: number): Promise<string> => {
            using client = await Deno.connect({ hostname, port });
            assertEquals(await receive(client, 1), "g");
            await send(client, "x");
            assertEquals(await receive(client, 1), "x");
            const header = proxyHeader(
              version,
              [client.localAddr.hostname, client.localAddr.port],
              [hostname, port],
            );
            return version === "v1" ? String.fromCharCode(...header) : header.toHex();
          };
          const expected = [
            await reached("127.0.0.1", own),
            await reached("127.0.0.3", any),
            await reached("::1", any),
          ];
          using unix = await Deno.connect({ transport: "unix", path });
          assertEquals(await receive(unix, 1), "g");
          // As HAProxy has it for whoever has no IP address.
          expected.push(version === "v1" ? "PROXY UNKNOWN\r\n" : V2_SIGNATURE + "20000000");
          assertEquals(headers.splice(0), expected);
        }
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
      // The header is no byte of the client's.
      await fixture.nth("closed", 6);
      assertEquals(
        fixture.of("closed").slice(0, 3).map(({ bytesToBackend }) => bytesToBackend),
        [1, 1, 1],
      );
    },
  },
  {
    name:
      "what one PROXY header tells, the other passes on, also on unix sockets and after retries",
    run: async (fixture) => {
      const folder = await Deno.makeTempDir();
      try {
        for (const [index, version] of PROXY_VERSIONS.entries()) {
          const headers: string[] = [];
          const path = `${folder}/${version}.sock`;
          await using _backend = new TcpPeer(async (conn) => {
            headers.push(await readProxyHeader(conn, version));
            await echo(conn);
          }, { path });
          const plan = planOf([deadAddress(), `unix:${path}`]);
          fixture.engine.publish("p", { ...plan, sendProxy: version });
          const bound = await fixture.engine.start([
            frontendOf({ acceptProxyFrom: ANYBODY_HERE }),
          ]);
          const port = portOf(bound.get("f"));
          for (const [source, destination] of [[KELVIN, LB], [KELVIN6, LB6]] as const) {
            for (const from of PROXY_VERSIONS) {
              using client = await connectTo(port);
              await writeAll(client, proxyHeader(from, source, destination));
              await send(client, `hello ${from}`);
              assertEquals(await receive(client, 8), `hello ${from}`);
              const expected = proxyHeader(version, source, destination);
              const text = version === "v1" ? String.fromCharCode(...expected) : expected.toHex();
              assertEquals(headers.splice(0), [text]);
            }
          }
          await fixture.nth("opened", 4 * (index + 1));
        }
        assert(fixture.of("connect_failed").length > 0);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  },
  {
    name: "backends are sent what a reload says, and sessions before it are left alone",
    run: async (fixture) => {
      await using backend = new TcpPeer(echo);
      const plan = planOf([backend.address]);
      const port = await fixture.listen(plan);
      using before = await connectTo(port);
      await send(before, "x");
      assertEquals(await receive(before, 1), "x");
      fixture.engine.publish("p", { ...plan, sendProxy: "v1" });
      using after = await connectTo(port);
      const header = String.fromCharCode(
        ...proxyHeader("v1", ["127.0.0.1", after.localAddr.port], ["127.0.0.1", port]),
      );
      assertEquals(await receive(after, header.length), header);
      await send(before, "y");
      assertEquals(await receive(before, 1), "y");
    },
  },
];
