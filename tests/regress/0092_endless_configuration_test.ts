// A file of many gigabytes that was given as lb.conf was read to its end, and into memory, before it was
// found too long; so did a running balancer on a reload.

import { assertEquals } from "@std/assert";
import { readCommandConfig } from "../../lib/cli/config_source.ts";
import { TemporaryDirectory } from "../support/run_program.ts";

Deno.test("of a configuration that is far too long no more is read than one may have", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/lb.conf`;
  await Deno.writeTextFile(path, "");
  // More than a string can hold.
  await Deno.truncate(path, 2 ** 30);
  const read = await readCommandConfig({ configFile: path, overrides: {} });
  assertEquals(read, {
    kind: "errors",
    errors: [{
      file: path,
      path: "",
      message: "Cannot read it: it has more than 3.0MiB: is it an lb.conf?",
    }],
  });
});
