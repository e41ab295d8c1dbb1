// status and why said "permission denied" of the admin socket, and not what to do about it; a folder of the
// admin socket that is missing was told as "No such file or directory", of nothing.

import { assertEquals, assertRejects } from "@std/assert";
import { describeAccess } from "../../lib/admin/client.ts";
import { listenAt } from "../../lib/admin/listen.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";

Deno.test({
  name: "who may not ask is told of sudo, and of the group that may",
  ignore: Deno.uid() !== 0 || Deno.build.os !== "linux",
  async fn() {
    const folder = await Deno.makeTempDir();
    const socket = `${folder}/admin.sock`;
    try {
      using _listener = Deno.listen({ transport: "unix", path: socket });
      await Deno.chmod(socket, 0o660);
      assertEquals(await describeAccess(socket), "try sudo");
      // A group that every machine has.
      await Deno.chown(socket, 0, 1);
      const group = "try sudo, or as a member of the group daemon";
      assertEquals(await describeAccess(socket), group);
      await Deno.chmod(socket, 0o600);
      assertEquals(await describeAccess(socket), "try sudo");
      // What is in a folder that is shut cannot be seen.
      const unseen = `${folder}/unseen.sock`;
      await Deno.chown(folder, 0, 1);
      await Deno.chmod(folder, 0o750);
      assertEquals(await describeAccess(unseen), group);
      await Deno.chmod(folder, 0o700);
      assertEquals(await describeAccess(unseen), "try sudo");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("an admin socket whose folder is missing is said with its path", async () => {
  await assertRejects(
    () => listenAt("/nonexistent/admin.sock", SYSTEM_CLOCK),
    Error,
    "Cannot listen on unix:/nonexistent/admin.sock: there is no folder /nonexistent",
  );
});
