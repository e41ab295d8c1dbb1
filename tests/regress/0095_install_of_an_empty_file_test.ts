// A copy that a full disk has left empty runs as a shell script, says nothing and ends with 0: install.sh
// put it over the good program.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { runProgram, TemporaryDirectory } from "../support/run_program.ts";

const SCRIPT = new URL("../../install.sh", import.meta.url).pathname;

Deno.test("install.sh does not install an empty program", async () => {
  await using directory = new TemporaryDirectory();
  const { path } = directory;
  await Deno.copyFile(SCRIPT, `${path}/install.sh`);
  await Deno.writeTextFile(`${path}/compute-lb`, "", { mode: 0o755 });
  const { code, stdout, stderr } = await runProgram(
    ["env", `DESTDIR=${path}/root`, "sh", `${path}/install.sh`],
  );
  assertEquals([code, stdout], [1, ""]);
  assertStringIncludes(
    stderr,
    `Cannot install ${path}/compute-lb: the file is empty, copy it again`,
  );
});
