// A token file that is no plain text, such as one that was saved as UTF-16, had its secret told in the log
// and in status: "Invalid header value: Bearer ...". One that was empty was sent as it was, in vain.

import { assertEquals } from "@std/assert";
import { backendAt } from "../support/backends.ts";
import { httpLoad } from "../support/http_load.ts";
import { freePort } from "../support/processes.ts";
import { TemporaryDirectory } from "../support/run_program.ts";

Deno.test("HttpSource does not tell a token that cannot be sent", async () => {
  await using folder = new TemporaryDirectory();
  const tokenFile = `${folder.path}/token`;
  await using source = httpLoad({ tokenFile });
  const port = freePort();
  const reasonFor = async (token: string) => {
    await Deno.writeTextFile(tokenFile, token);
    const backend = backendAt("127.0.0.1", port);
    const result = await source.sample(backend, new AbortController().signal);
    return result.kind === "failed" ? result.reason : result.kind;
  };
  const bad = `Cannot use the token in "${tokenFile}": its first line`;
  assertEquals(await reasonFor("s\0e\0c\0r\0e\0t\0"), `${bad} holds more than printable ASCII`);
  assertEquals(await reasonFor("\nsecret"), `${bad} is empty`);
  assertEquals(await reasonFor("secret\n"), `connection refused (127.0.0.1:${port})`);
});
