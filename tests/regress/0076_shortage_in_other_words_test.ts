// A load source that cannot be asked for lack of descriptors or processes says so in many ways. Taken for
// the server's, they told of a name that does not exist, or a program that cannot be run.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { classify, messageOf, OUR_SHORTAGE } from "../../lib/core/values/errors.ts";
import { spawnReason } from "../../lib/asking/child_process.ts";

Deno.test("a shortage of ours is told from what others do, whoever says it", () => {
  const fetched = new Error(
    "error sending request for url (http://127.0.0.1:1/): client error (Connect): " +
      "tcp open error: Too many open files (os error 24)",
  );
  assertEquals(classify(fetched), "out_of_descriptors");
  assertStringIncludes(messageOf(fetched), OUR_SHORTAGE);
  // EAGAIN of fork(2), in Deno's words.
  const forked = new Deno.errors.WouldBlock(
    "Failed to spawn '/usr/bin/ssh': Resource temporarily unavailable (os error 11)",
  );
  assertEquals(
    spawnReason("ssh", forked),
    `Cannot run "ssh": ${OUR_SHORTAGE} (Resource temporarily unavailable)`,
  );
  assertEquals(
    spawnReason("load.sh", new Deno.errors.PermissionDenied("Permission denied (os error 13)")),
    'Cannot run "load.sh": Permission denied',
  );
});

Deno.test("a name that is not found for want of a descriptor is our shortage", async () => {
  const reason = new URL("../../lib/asking/reason.ts", import.meta.url);
  const program = `
    import { connectReason } from ${JSON.stringify(reason.href)};
    const files = [];
    try { for (;;) files.push(Deno.openSync("/dev/null")); } catch { /* That was the last. */ }
    const why = await Deno.connect({ hostname: "localhost", port: 1 }).catch((error) => error);
    const told = connectReason(why, "localhost:1");
    for (const file of files) file.close();
    console.log(why.message, told);
  `;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, program);
  const { stdout, stderr } = await new Deno.Command("prlimit", {
    args: ["--nofile=64:64", Deno.execPath(), "run", "-A", file],
    env: { NO_COLOR: "1" },
  }).output();
  await Deno.remove(file);
  const text = new TextDecoder().decode(stdout);
  assertStringIncludes(text, OUR_SHORTAGE, new TextDecoder().decode(stderr));
  assertStringIncludes(text, "failed to lookup");
});
