// One failed write, a full disk's, silenced the log for ever; and a reader that had stopped kept the
// process from ending.

import { assert, assertEquals } from "@std/assert";
import { BatchWriter } from "../../lib/log/batch_writer.ts";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { programCommand } from "../support/balancer.ts";
import { freePort } from "../support/processes.ts";
import { endNow, mustRun } from "../support/run_program.ts";
import { isTurnedAway } from "../support/sessions.ts";
import { waitFor, within } from "../support/wait_for.ts";

Deno.test("a log that could not be written is written again when it can", async () => {
  let full = true;
  let text = "";
  const writer = new BatchWriter({
    write: (bytes) => {
      if (full) return Promise.reject(new Error("No space left on device"));
      text += new TextDecoder().decode(bytes);
      return Promise.resolve(bytes.length);
    },
  });
  writer.line("lost");
  await writer.flush();
  full = false;
  writer.line("kept");
  await writer.flush();
  assertEquals([text, writer.dropped], ["kept\n", 1]);
});

Deno.test("a log reader that has stopped does not keep the balancer from ending", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const fifo = `${folder}/log`;
    await mustRun("mkfifo", fifo);
    await using peer = new TcpPeer(greetThenEcho("x"));
    const port = freePort();
    const command = [
      ...programCommand(),
      "--listen",
      `127.0.0.1:${port}`,
      "--backends",
      peer.address,
    ]
      .concat("--load", "none", "--admin-socket", "off");
    // Opened for reading and writing, so that the shell need not wait for the reader that never comes.
    const child = new Deno.Command("sh", {
      args: ["-c", `exec "$@" 1<>${fifo} 2>/dev/null`, "sh", ...command],
    }).spawn();
    try {
      await waitFor("the balancer", async () => !await isTurnedAway(port));
      for (let i = 0; i < 600; i++) await isTurnedAway(port);
      child.kill("SIGTERM");
      const { code } = await within("the balancer's end", child.status);
      assert(code === 0);
    } finally {
      await endNow(child);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
