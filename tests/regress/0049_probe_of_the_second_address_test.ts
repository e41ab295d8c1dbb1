// A probe spent all of its time on a backend's first address. One whose name has an IPv6 address that drops
// everything, as behind many a firewall, was down for good, although sessions reach it by IPv4: engines
// share their time among the addresses.

import { assertEquals } from "@std/assert";
import { parseListenAddress } from "../../lib/core/values/address.ts";
import { createHealthProbe } from "../../lib/health/registry.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { BlackHole } from "../peers/black_hole.ts";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { backendAt } from "../support/backends.ts";
import { within } from "../support/wait_for.ts";

function addressOf(text: string) {
  const parsed = parseListenAddress(text);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

for (const probe of ["tcp", "banner"] as const) {
  Deno.test(`a ${probe} probe goes on to the next address when one does not answer`, async () => {
    await using hole = await BlackHole.open();
    await using peer = new TcpPeer(greetThenEcho("SSH-2.0-x\n"));
    const timeoutMs = 1000;
    const options = { probe, expect: "SSH-", timeoutMs };
    const prober = createHealthProbe(options, SYSTEM_CLOCK);
    const addresses = [addressOf(hole.address), addressOf(peer.address)];
    const signal = AbortSignal.timeout(timeoutMs);
    const asked = prober?.run(backendAt("b"), addresses, signal);
    assertEquals((await within("the probe", asked ?? Promise.reject()))?.ok, true);
  });
}
