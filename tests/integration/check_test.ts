// `check`: what it finds beyond the text of the configuration.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { DEFAULT_FILE } from "../../lib/cli/config_source.ts";
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

Deno.test("check --probe: a backend is asked for its load in its own way", async () => {
  await using folder = new TemporaryDirectory();
  const file = `${folder.path}/lb.conf`;
  const backends = [
    '{ address: "127.0.0.1:1", load: { source: exec, exec: { command: [echo, "1.5 4", "#{port}"] } } }',
    '{ address: "127.0.0.1:2", load: { exec: { command: [sh, -c, "echo 2 8", "{host}"] } } }',
    '"127.0.0.1:3"',
  ];
  await Deno.writeTextFile(
    file,
    `${FRONTENDS}pools:\n  a:\n    health: { probe: none }\n    backends:\n` +
      backends.map((backend) => `      - ${backend}\n`).join("") +
      "    load: { source: exec, exec: { command: [sh, -c, 'echo 3 16', '{host}'] } }\n",
  );
  const { code, stdout } = await runProgram(["check", "-c", file, "--probe"]);
  assertEquals(stdout.split("\n"), [
    "pool a: health by none, load by exec",
    '  FAIL 127.0.0.1:1: no load: Cannot read "1.5 4 #1": expected ONLINE, OFFLINE or "load [cores [+cost]]"',
    "  ok   127.0.0.1:2: load 2.00 of 8 cores, 6.00 free",
    "  ok   127.0.0.1:3: load 3.00 of 16 cores, 13.00 free",
    "",
  ]);
  assertEquals(code, 1);

  await Deno.writeTextFile(
    file,
    `${FRONTENDS}pools:\n  a:\n    health: { probe: none }\n    load: { source: none }\n` +
      `    backends:\n      - ${backends[0]}\n      - "127.0.0.1:3"\n`,
  );
  const mixed = await runProgram(["check", "-c", file, "--probe"]);
  assertStringIncludes(
    mixed.stdout,
    "pool a: health by none, load by none (127.0.0.1:1 by exec)\n",
  );
});

Deno.test("check: which of the two flags is missing, where there is no file", async (t) => {
  const installed = await Deno.stat(DEFAULT_FILE).then(() => true, () => false);
  const cases = [
    [["--listen", ":2222"], "Nobody to balance over: give --backends, or --config FILE"],
    [["--backends", "a"], "Nowhere to listen: give --listen, or --config FILE"],
    [[], "Nothing to balance: give --listen and --backends, or --config FILE"],
  ] as const;
  for (const [flags, message] of cases) {
    await t.step({
      name: message,
      ignore: installed,
      async fn() {
        const { code, stderr } = await runProgram(["check", ...flags]);
        assertEquals(code, 64);
        assertStringIncludes(stderr, `${message} (there is no ${DEFAULT_FILE})\n`);
      },
    });
  }
});
