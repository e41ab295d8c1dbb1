// A Redis, or what was taken for one, that answered what nobody had asked ended the whole process, with all its
// sessions: the package threw where nothing could catch it. An answer of gigabytes filled the memory.

import { assertMatch } from "@std/assert";
import { TcpPeer } from "../peers/tcp_peer.ts";
import { RedisWatcher } from "../support/redis_watcher.ts";
import { waitFor } from "../support/wait_for.ts";

Deno.test("answers that no Redis gives end the connection, and nothing else", async () => {
  const flood = "$-1\r\n".repeat(100_000);
  for (
    const answer of [
      "_\r\n",
      "$-1\r\n",
      "*-1\r\n",
      "*1\r\n$-1\r\n",
      ":1\r\n",
      "*0\r\n",
      "+\r\n",
      flood,
    ]
  ) {
    for (const isAtOnce of [true, false]) {
      await using peer = new TcpPeer(async (conn) => {
        if (!isAtOnce) await conn.read(new Uint8Array(64));
        const bytes = new TextEncoder().encode(answer);
        for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
        while (await conn.read(new Uint8Array(64)) !== null);
      });
      await using watcher = new RedisWatcher(`redis://${peer.address}`);
      await waitFor("a failure", () => watcher.failures.length > 0);
      assertMatch(watcher.failures[0] ?? "", /\(127\.0\.0\.1:\d+\)$/, answer.slice(0, 20));
    }
  }
});

Deno.test("an answer without an end is given up", async () => {
  await using peer = new TcpPeer(async (conn) => {
    await conn.read(new Uint8Array(64));
    await conn.write(new TextEncoder().encode("$1000000000\r\n"));
    const piece = new Uint8Array(65_536);
    while (await conn.write(piece) > 0);
  });
  await using watcher = new RedisWatcher(`redis://${peer.address}`, { timeout: "1h" });
  await waitFor("a failure", () => watcher.failures.length > 0);
  assertMatch(
    watcher.failures[0] ?? "",
    /^it sends an answer without an end \(127\.0\.0\.1:\d+\)$/,
  );
});
