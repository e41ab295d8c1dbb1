// What a command printed onto a full disk was lost, and its exit status said that all was well.

import { assertEquals } from "@std/assert";
import { programCommand } from "../support/balancer.ts";

async function shell(redirection: string): Promise<{ code: number; err: string }> {
  const { code, stderr } = await new Deno.Command("/bin/sh", {
    args: ["-c", `"$@" ${redirection}`, "sh", ...programCommand(), "help"],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  return { code, err: new TextDecoder().decode(stderr).trim() };
}

Deno.test({
  name: "output that is lost is told, and is a failure",
  ignore: Deno.build.os !== "linux",
  async fn() {
    assertEquals(await shell("> /dev/full"), {
      code: 1,
      err: "Cannot write to stdout: No space left on device",
    });
    // A reader that has read enough is none.
    assertEquals(await shell("| true"), { code: 0, err: "" });
  },
});
