// check --probe said ok of a recording that cannot be written, with which the balancer does not start.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { runProgram } from "../support/balancer.ts";
import { needs } from "../support/needs.ts";
import { TemporaryDirectory } from "../support/run_program.ts";

async function probe(record: string, ...flags: string[]) {
  using backend = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = backend.addr;
  const backends = ["--backends", `127.0.0.1:${port}`, "--load", "none", "--admin-socket", "off"];
  const { code, stdout } = await runProgram(
    ["check", "--probe", "--listen", "127.0.0.1:0", ...backends, "--record", record, ...flags],
  );
  // Long lines are wrapped.
  return { code, text: stdout.replace(/\s+/g, " ") };
}

Deno.test("check --probe tries the recording, and leaves everything as it is", async () => {
  await using folder = new TemporaryDirectory();
  const fresh = `${folder.path}/fresh.jsonl`;
  const well = await probe(fresh);
  assertEquals(well.code, 0, well.text);
  assertStringIncludes(well.text, `ok ${fresh}: can be recorded to`);
  assertEquals([...Deno.readDirSync(folder.path)], []);

  const old = `${folder.path}/old.jsonl`;
  const begun = '{"kind":"recording","version":1}\n{"kind":"half';
  await Deno.writeTextFile(old, begun);
  assertEquals((await probe(old)).code, 0);
  assertEquals(await Deno.readTextFile(old), begun);

  const other = `${folder.path}/other`;
  await Deno.writeTextFile(other, "mine\n");
  const cases = {
    [other]: "it is there already and no recording",
    [folder.path]: "it is no regular file",
    [`${folder.path}/none/record`]: "No such file or directory",
  };
  for (const [path, reason] of Object.entries(cases)) {
    const { code, text } = await probe(path);
    assertEquals(code, 1, text);
    assertStringIncludes(text, `FAIL ${path}: Cannot record to it: ${reason}`);
  }
  assertEquals(await Deno.readTextFile(other), "mine\n");
});

Deno.test({
  ...needs("root"),
  name: "check --probe knows that root is given up before a recording is made",
  fn: async () => {
    await using folder = new TemporaryDirectory();
    const { code, text } = await probe(`${folder.path}/record`, "--user", "nobody");
    assertEquals(code, 1, text);
    assertStringIncludes(text, `user nobody cannot write to ${folder.path}`);
  },
});
