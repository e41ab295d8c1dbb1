// `check`: what it finds beyond the text of the configuration.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { runProgram } from "../support/balancer.ts";
import { TemporaryDirectory } from "../support/run_program.ts";

const FRONTENDS = 'frontends: { ssh: { listen: "127.0.0.1:0" } }\n';
const NOBODY = "compute-lb-no-such-user";

Deno.test("check: a user that is not there is a fault of the configuration", async () => {
  await using folder = new TemporaryDirectory();
  const file = `${folder.path}/lb.conf`;
  const rest = `${FRONTENDS}pools: { a: { backends: ["127.0.0.1:1"] } }\n`;
  const why = `Cannot become user "${NOBODY}": there is no such user`;
  await Deno.writeTextFile(file, `${rest}user: ${NOBODY}\n`);
  const inFile = await runProgram(["check", "-c", file]);
  assertEquals(inFile.code, 2);
  assertStringIncludes(inFile.stderr, `${file}:3:7: user: ${why}\n`);

  const flags = ["check", "--listen", "127.0.0.1:0", "--backends", "127.0.0.1:1", "--user"];
  const inFlag = await runProgram([...flags, NOBODY]);
  assertEquals([inFlag.code, inFlag.stderr], [2, `--user: ${why}\n1 error\n`]);
  assertEquals((await runProgram([...flags, "root"])).code, 0);
});
