import { assertEquals } from "@std/assert";
import { isTrustedSocket } from "../../../lib/admin/client.ts";

Deno.test("isTrustedSocket() asks for a folder of one's own below /tmp", async () => {
  const folder = await Deno.makeTempDir({ dir: "/tmp", prefix: "compute-lb-test-" });
  const uid = Deno.uid();
  try {
    await Deno.mkdir(`${folder}/own`, { mode: 0o750 });
    await Deno.mkdir(`${folder}/open`);
    await Deno.chmod(`${folder}/open`, 0o777);
    await Deno.symlink(`${folder}/own`, `${folder}/link`);
    assertEquals(await isTrustedSocket(`${folder}/own/admin.sock`, uid), true);
    assertEquals(await isTrustedSocket(`${folder}/own/admin.sock`, (uid ?? 0) + 1), false);
    assertEquals(await isTrustedSocket(`${folder}/open/admin.sock`, uid), false);
    assertEquals(await isTrustedSocket(`${folder}/link/admin.sock`, uid), false);
    assertEquals(await isTrustedSocket(`${folder}/missing/admin.sock`, uid), true);
    assertEquals(await isTrustedSocket("/run/compute-lb/admin.sock", uid), true);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
