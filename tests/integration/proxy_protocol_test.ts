// The PROXY protocol against the real HAProxy: one in front of the real program, one behind it, both versions,
// both families, both engines.

import { assertEquals } from "@std/assert";
import { formatHost } from "../../lib/core/values/address.ts";
import { HaproxyProcess } from "../peers/haproxy_process.ts";
import { readAll, send } from "../support/bytes.ts";
import { Balancer } from "../support/balancer.ts";
import { requirePeer } from "../support/require_peer.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { waitFor } from "../support/wait_for.ts";

const VERSIONS = ["v1", "v2"] as const;
const HOSTS = ["127.0.0.1", "::1"] as const;

/** What HAProxy is told of a server that it sends headers to. */
const SENDING = {
  v1: "send-proxy",
  v2: "send-proxy-v2",
  checksum: "send-proxy-v2 proxy-v2-options crc32c,unique-id",
} as const;

/** Asks whoever answers at the other end who calls; "" when the connection is closed. */
async function whoCalls(hostname: string, port: number): Promise<{ said: string; client: string }> {
  using conn = await Deno.connect({ hostname, port });
  return { said: await answer(conn), client: `${hostname} ${conn.localAddr.port}` };
}

async function answer(conn: Deno.Conn): Promise<string> {
  await send(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const response = new TextDecoder().decode(await readAll(conn).catch(() => new Uint8Array()));
  return response.split("\r\n\r\n")[1]?.trim() ?? "";
}

/** An HAProxy that expects headers, and answers with what it takes from them: client, then frontend. */
async function startBehind(): Promise<{ haproxy: HaproxyProcess; port: number }> {
  let port = 0;
  const haproxy = await HaproxyProcess.start((free) => {
    port = free();
    return `frontend behind
  mode http
  bind 127.0.0.1:${port} accept-proxy
  bind ::1:${port} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%ci %cp %fi %fp"`;
  });
  return { haproxy, port };
}

for (const engine of ["splice", "portable"]) {
  Deno.test({
    ...requirePeer("haproxy"),
    name: `${engine}: HAProxy in front and HAProxy behind agree on who the client is`,
    fn: async () => {
      await using folder = new TemporaryDirectory();
      const behind = await startBehind();
      await using _behind = behind.haproxy;
      const listen = ["127.0.0.1:0", "[::1]:0"];
      const pool = (host: string, sendProxy: string) => ({
        strategy: "round_robin",
        send_proxy: sendProxy,
        health: { probe: "tcp", interval: "200ms" },
        backends: [`${formatHost(host)}:${behind.port}`],
      });
      const config = {
        engine: { kind: engine },
        frontends: {
          ...Object.fromEntries(
            VERSIONS.flatMap((version) =>
              HOSTS.map((_, index) => [`${version}-${index}`, {
                listen: [...listen, `unix:${folder.path}/${version}-${index}`],
                pool: `${version}-${index}`,
                accept_proxy_from: ["192.0.2.0/24"],
              }])
            ),
          ),
          // What HAProxy has told in front is passed on.
          ...Object.fromEntries(
            VERSIONS.map((version) => [`chain-${version}`, {
              listen,
              pool: `${version}-0`,
              accept_proxy_from: ["127.0.0.0/8", "::1"],
            }]),
          ),
          silent: { listen: "127.0.0.1:0", pool: "silent" },
        },
        pools: {
          ...Object.fromEntries(
            VERSIONS.flatMap((version) =>
              HOSTS.map((host, index) => [`${version}-${index}`, pool(host, version)])
            ),
          ),
          silent: pool("127.0.0.1", "off"),
        },
      };
      await using balancer = await Balancer.start({ config: JSON.stringify(config) });
      const { frontends } = await balancer.until(
        "HAProxy to take probes for connections",
        (status) =>
          status.pools.every(({ backends }) => backends.every(({ state }) => state === "up")),
      );
      const portOf = (name: string, index: number) => {
        const text = frontends.find((one) => one.name === name)?.listen[index] ?? "";
        return Number(text.slice(text.lastIndexOf(":") + 1));
      };

      // Behind: without a header nobody is served; with one, HAProxy knows the client.
      assertEquals((await whoCalls("127.0.0.1", portOf("silent", 0))).said, "");
      for (const version of VERSIONS) {
        for (const index of HOSTS.keys()) {
          const name = `${version}-${index}`;
          for (const [at, host] of HOSTS.entries()) {
            const port = portOf(name, at);
            const { said, client } = await whoCalls(host, port);
            assertEquals([name, said], [name, `${client} ${host} ${port}`]);
          }
          using unix = await Deno.connect({ transport: "unix", path: `${folder.path}/${name}` });
          const said = await answer(unix);
          // Who has no address is our own connection.
          const record = await waitFor(
            "the record",
            () =>
              balancer.records("opened").find(({ pool, client }) =>
                pool === name && String(client).startsWith("unix:")
              ),
          );
          const [, host = "", port] = /^\[?([^\]]+)\]?:(\d+)$/.exec(String(record.outgoing)) ?? [];
          assertEquals([name, said], [name, `${host} ${port} ${HOSTS[index]} ${behind.port}`]);
        }
      }

      // In front: every way in which it sends headers, to every address of ours.
      const ports = new Map<string, number>();
      const servers = VERSIONS.flatMap((out) =>
        Object.entries(SENDING).flatMap(([name, sending]) =>
          HOSTS.map((to, index) => ({
            name: `${out}-${name}-${index}`,
            out,
            server: `${formatHost(to)}:${portOf(`chain-${out}`, index)} ${sending}`,
          }))
        )
      );
      await using front = await HaproxyProcess.start((free) =>
        servers.map(({ name, server }) => {
          const port = free();
          ports.set(name, port);
          return `listen ${name}
  unique-id-format %{+X}o\\ %ci
  bind 127.0.0.1:${port}
  bind ::1:${port}
  server s ${server} check inter 200`;
        }).join("\n")
      );
      for (const { name } of servers) {
        // Its own checks are connections on nobody's behalf.
        await waitFor(
          `HAProxy's check of ${name}`,
          async () => (await front.server(name, "s")).get("check_status") === "L4OK",
        );
        const port = ports.get(name) ?? 0;
        for (const host of HOSTS) {
          const { said, client } = await whoCalls(host, port);
          assertEquals([name, said], [name, `${client} ${host} ${port}`]);
          const expected = `${formatHost(host)}:${client.split(" ")[1]}`;
          await waitFor(
            `the record of ${expected}`,
            () => balancer.records("opened").some((one) => one.client === expected),
          );
        }
      }
      const refused = balancer.log.filter(({ reason }) => reason === "bad_proxy_header");
      assertEquals(refused, []);

      // Without a header, it is closed, and the log says whose connection it was.
      using plain = await Deno.connect({ hostname: "127.0.0.1", port: portOf("chain-v1", 0) });
      assertEquals(await answer(plain), "");
      const line = await balancer.logged("no sound PROXY header");
      assertEquals(line.reason, "bad_proxy_header");
      assertEquals(String(line.message).includes(`127.0.0.1:${plain.localAddr.port}`), true);
    },
  });
}
