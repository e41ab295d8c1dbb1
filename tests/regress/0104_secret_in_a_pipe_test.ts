// A password, a token or a certificate that was a pipe kept its discovery source silent for good, and one that
// was a device filled the memory.

import { assertEquals } from "@std/assert";
import { readTlsFiles } from "../../lib/asking/authorities.ts";
import { readSecret } from "../../lib/asking/secret_file.ts";
import type { Result } from "../../lib/core/values/result.ts";
import { mustRun, TemporaryDirectory } from "../support/run_program.ts";

function reasonOf(result: Result<unknown>): string {
  return result.ok ? "none" : result.message;
}

Deno.test("a secret or a certificate is a file, else it is said what it is", async () => {
  await using folder = new TemporaryDirectory();
  const pipe = `${folder.path}/pipe`;
  await mustRun("mkfifo", pipe);
  // Whoever opens the pipe after all is let go, and reads this.
  using writer = await Deno.open(pipe, { read: true, write: true });
  await writer.write(new TextEncoder().encode("-----BEGIN PRIVATE KEY-----\n"));
  const late = Promise.withResolvers<Result<never>>();
  const timer = setTimeout(() => late.resolve({ ok: false, message: "is being read" }), 5000);
  const large = `${folder.path}/large`;
  await mustRun("truncate", "-s", "1G", large);
  for (
    const [path, found] of [
      [pipe, "it is a pipe, expected a regular file"],
      [folder.path, "it is a directory, expected a regular file"],
      ["/dev/null", "it is a device, expected a regular file"],
      [large, "it has more than 64KiB: is it a token?"],
    ] as const
  ) {
    const read = await Promise.race([readSecret(path, "token"), late.promise]);
    assertEquals(reasonOf(read), `Cannot read a token in "${path}": ${found}`);
  }
  const ca = await Promise.race([readTlsFiles({ ca: pipe }), late.promise]);
  const found = "it is a pipe, expected a regular file";
  assertEquals(reasonOf(ca), `Cannot use "${pipe}" as authorities: ${found}`);
  clearTimeout(timer);
});
