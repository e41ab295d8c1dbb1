// The end of a session of a pool that a reload had taken away went into recordings that began afterwards
// (rotated, or after a loss), which know nothing of that pool: `simulate` refused the whole recording.

import { assert, assertEquals } from "@std/assert";
import { readRecording } from "../../lib/record/replay/recording.ts";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { receive } from "../support/bytes.ts";
import { waitFor } from "../support/wait_for.ts";

Deno.test("a recording that begins after a pool has left is read in spite of its sessions", async () => {
  await using peer = new TcpPeer(greetThenEcho("hello"));
  const folder = await Deno.makeTempDir();
  const record = `${folder}/record.jsonl`;
  const config = (name: string) =>
    JSON.stringify({
      log: { record },
      frontends: { f: { listen: "127.0.0.1:0", pool: name } },
      pools: { [name]: { backends: [peer.address], load: { source: "none" } } },
    });
  await using balancer = await Balancer.start({ config: config("old"), workingFolder: folder });
  const client = await Deno.connect({ hostname: "127.0.0.1", port: await balancer.port("f") });
  assertEquals(await receive(client, 5), "hello");
  assertEquals((await balancer.reload(config("new"))).event, "reloaded");
  await Deno.rename(record, `${record}.1`);
  assertEquals((await balancer.reload(config("new"))).event, "reloaded");
  client.close();
  await waitFor("the end of the session", () => balancer.records("closed").length === 1);
  balancer.signal("SIGTERM");
  assertEquals(await balancer.end(), 0);
  const poolsIn = async (file: string) => {
    const text = await Deno.readTextFile(file);
    const read = await readRecording(ReadableStream.from([text]));
    assert(read.ok, read.ok ? "" : read.message);
    return read.value.map(({ name }) => name);
  };
  assertEquals(await poolsIn(`${record}.1`), ["old", "new"]);
  assertEquals(await poolsIn(record), ["new"]);
});
