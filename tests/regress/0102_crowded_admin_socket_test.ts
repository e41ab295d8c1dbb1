// When more people asked at once than the listener's queue holds, the kernel turned the next away (EAGAIN), and
// they were told that no balancer listens there.

import { assertEquals } from "@std/assert";
import { requestAdmin } from "../../lib/admin/client.ts";
import { TemporaryDirectory } from "../support/run_program.ts";

const ANSWER = new TextEncoder().encode("HTTP/1.1 200 OK\r\n\r\n{}");

Deno.test("whoever comes to a crowded admin socket waits, and is told so when that takes too long", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/socket`;
  using listener = Deno.listen({ transport: "unix", path });
  const crowd: Deno.Conn[] = [];
  const fill = async () => {
    for (;;) {
      try {
        crowd.push(await Deno.connect({ transport: "unix", path }));
      } catch (error) {
        if (error instanceof Deno.errors.WouldBlock) return;
        throw error;
      }
    }
  };
  try {
    await fill();
    const request = { method: "GET", resource: "/v1/status" };
    assertEquals(await requestAdmin(path, { ...request, timeoutMs: 200 }), {
      ok: false,
      message: `${path} has been too busy for 0.2 s to be asked`,
      isAbsent: false,
    });
    const asked = requestAdmin(path, request);
    for (const _ of crowd) (await listener.accept()).close();
    using conn = await listener.accept();
    await conn.read(new Uint8Array(1000));
    await conn.write(ANSWER);
    await conn.closeWrite();
    assertEquals(await asked, { ok: true, status: 200, body: {} });
  } finally {
    for (const conn of crowd) conn.close();
  }
});
