// A backend's banner went into the log and the status report as it came: up to 4096 characters of it, and
// with control characters that terminals obey (U+009D begins an operating system command).

import { assertEquals } from "@std/assert";
import { BannerProbe } from "../../lib/health/banner_probe.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { TcpPeer } from "../peers/tcp_peer.ts";
import { backendAt } from "../support/backends.ts";
import { within } from "../support/wait_for.ts";

async function probe(banner: string, expect: string): Promise<string | undefined> {
  await using peer = new TcpPeer(async (conn) => {
    await conn.write(Uint8Array.from(banner, (character) => character.charCodeAt(0)));
  });
  const backend = backendAt("127.0.0.1", peer.port);
  const prober = new BannerProbe(SYSTEM_CLOCK, expect, 60_000);
  const signal = new AbortController().signal;
  const result = await within("the probe", prober.run(backend, [backend.address], signal));
  return result.ok ? result.detail : result.reason;
}

Deno.test("a banner is shown in part, and without control characters", async () => {
  const hostile = "SSH-2.0-\u009d0;title\u0007\u007f";
  const shown = '"SSH-2.0-\\u009d0;title\\u0007\\u007f"';
  assertEquals(await probe(`${hostile}\r\n`, "SSH-"), `says ${shown}`);
  assertEquals(await probe(`${hostile}\n`, "220"), `says ${shown}, expected "220"`);
  const long = await probe(`SSH-2.0-${"x".repeat(3000)}\n`, "SSH-");
  assertEquals(long, `says "SSH-2.0-${"x".repeat(92)}"`);
});
