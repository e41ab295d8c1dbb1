import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Address } from "../../../lib/core/values/address.ts";
import type { ProbeResult } from "../../../lib/core/pool/health.ts";
import { PROXY_VERSIONS } from "../../../lib/core/proxy_protocol/proxy_endpoint.ts";
import { BY_APPLICATION, sshRefusal } from "../../../lib/core/serving/ssh_refusal.ts";
import { BannerProbe } from "../../../lib/health/banner_probe.ts";
import type { HealthProbe } from "../../../lib/health/health_probe.ts";
import { createHealthProbe } from "../../../lib/health/registry.ts";
import { TcpProbe } from "../../../lib/health/tcp_probe.ts";
import { SYSTEM_CLOCK } from "../../../lib/host/clock.ts";
import { type Script, silent, TcpPeer } from "../../peers/tcp_peer.ts";
import { backendAt } from "../../support/backends.ts";
import { send, writeAll } from "../../support/bytes.ts";
import { readProxyHeader, V2_SIGNATURE } from "../../support/proxy_headers.ts";
import { within } from "../../support/wait_for.ts";

/** Never over within a test. */
const TIMEOUT_MS = 600_000;
const tcp = new TcpProbe(SYSTEM_CLOCK, TIMEOUT_MS);
const banner = new BannerProbe(SYSTEM_CLOCK, "SSH-", TIMEOUT_MS);

async function run(
  probe: HealthProbe,
  addresses: readonly Address[],
  signal: AbortSignal = new AbortController().signal,
): Promise<ProbeResult> {
  return await within("the probe", probe.run(backendAt("b"), addresses, signal));
}

/** What a probe makes of a peer: its detail, or its failure and the reason. */
async function outcome(probe: HealthProbe, script: Script): Promise<string> {
  await using peer = new TcpPeer(script);
  const result = await run(probe, [addressOf(peer)]);
  return result.ok ? result.detail ?? "" : `${result.failure}: ${result.reason}`;
}

function addressOf(peer: TcpPeer): Address {
  return { transport: "tcp", host: "127.0.0.1", port: peer.port };
}

function says(text: string): Script {
  return (conn) => send(conn, text);
}

Deno.test("a tcp probe is content with a connection", async () => {
  assertEquals(await outcome(tcp, silent), "accepts connections");
});

Deno.test("a probe tells why it got no connection", async () => {
  await using peer = new TcpPeer(silent);
  const address = addressOf(peer);
  await peer.refuse();
  for (const probe of [tcp, banner]) {
    const result = await run(probe, [address]);
    assertEquals(!result.ok && result.failure, "refused");
    assertMatch(result.ok ? "" : result.reason, /^cannot connect to 127\.0\.0\.1:\d+: /);
    assertEquals(await run(probe, []), {
      ok: false,
      failure: "name_not_found",
      reason: "it has no address",
    });
  }
});

Deno.test("a probe goes on to the next address", async () => {
  await using gone = new TcpPeer(silent);
  await using peer = new TcpPeer(says("SSH-2.0-x\n"));
  await gone.refuse();
  for (const probe of [tcp, banner]) {
    assertEquals((await run(probe, [addressOf(gone), addressOf(peer)])).ok, true);
  }
});

Deno.test("a banner probe looks for its words at the beginning of any of the first lines", async () => {
  assertEquals(await outcome(banner, says("SSH-2.0-x\r\n")), 'says "SSH-2.0-x"');
  assertEquals(await outcome(banner, says("Welcome\r\nSSH-2.0-x\r\n")), 'says "SSH-2.0-x"');
  assertEquals(
    await outcome(banner, says("not SSH-2.0\n")),
    'protocol: says "not SSH-2.0", expected "SSH-"',
  );
  assertEquals(
    await outcome(banner, says("Exceeded MaxStartups\r\n")),
    'says "Exceeded MaxStartups"',
  );
  assertEquals(
    await outcome(banner, (conn) => writeAll(conn, sshRefusal("come again", BY_APPLICATION))),
    'protocol: says "SSH-2.0-compute_lb": a balancer that turns clients away',
  );
  assertEquals(
    await outcome(banner, says("SSH-2.0-compute_lb_demo\r\n")),
    'says "SSH-2.0-compute_lb_demo"',
  );
});

Deno.test("a banner probe tells silence from a connection that closes", async () => {
  assertEquals(
    await outcome(banner, () => Promise.resolve()),
    "closed: closes connections without a word",
  );
  const deadline = new AbortController();
  await using peer = new TcpPeer((conn) => {
    deadline.abort();
    return silent(conn);
  });
  const result = await run(banner, [addressOf(peer)], deadline.signal);
  assertEquals(!result.ok && result.failure, "timeout");
});

Deno.test("probes of backends that expect a PROXY header begin with one, on nobody's behalf", async () => {
  const expected = { v1: "PROXY UNKNOWN\r\n", v2: V2_SIGNATURE + "20000000" };
  for (const version of PROXY_VERSIONS) {
    for (const probe of ["tcp", "banner"] as const) {
      const heard = Promise.withResolvers<string>();
      await using peer = new TcpPeer(async (conn) => {
        heard.resolve(await readProxyHeader(conn, version));
        await send(conn, "SSH-2.0-x\r\n");
      });
      const settings = { probe, expect: "SSH-", timeoutMs: TIMEOUT_MS, sendProxy: version };
      const prober = createHealthProbe(settings, SYSTEM_CLOCK);
      assert(prober !== undefined);
      assertEquals((await run(prober, [addressOf(peer)])).ok, true);
      assertEquals(await within("the header", heard.promise), expected[version]);
    }
  }
});
