// `check`: what it finds beyond the text of the configuration.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { DEFAULT_FILE } from "../../lib/cli/config_source.ts";
import { formatConfig } from "../../lib/config/write_config.ts";
import { readConfig } from "../../lib/config/read_config.ts";
import { silent, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer, runProgram } from "../support/balancer.ts";
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
  // Before anything else: the address, which is not ours, is not even tried.
  const run = await runProgram(["run", "--listen", "192.0.2.77:7", ...flags.slice(3), NOBODY]);
  assertEquals([run.code, run.stderr], [2, `--user: ${why}\n`]);
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
    "frontend ssh",
    "  ok   127.0.0.1:0: can be listened on",
    "pool a: health by none, load by exec",
    '  FAIL 127.0.0.1:1: no load: Cannot read "1.5 4 #1": expected ONLINE, OFFLINE or "load [cores [+cost]]"',
    "  ok   127.0.0.1:2: load 2.00 of 8 cores, 6.00 free",
    "  ok   127.0.0.1:3: load 3.00 of 16 cores, 13.00 free",
    "1 of 4 FAIL",
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
    [
      ["--listen", ":2222"],
      "Nobody to balance over: give --backends, --discover or --feed, or --config FILE",
    ],
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

Deno.test("check: a sound configuration is ok, and shown when that is asked for", async () => {
  const flags = ["check", "--listen", "127.0.0.1:0", "--backends", "127.0.0.1:1"];
  assertEquals(await runProgram(flags), { code: 0, stdout: "ok\n", stderr: "" });
  const { code, stdout } = await runProgram([...flags, "--effective"]);
  assertEquals(code, 0);
  const read = readConfig({ file: { path: "lb.conf", text: stdout } });
  assertEquals([read.ok, read.ok && formatConfig(read.config)], [true, stdout]);
});

Deno.test("check --probe: what cannot be listened on is no good", async () => {
  await using taken = new TcpPeer(silent);
  await using folder = new TemporaryDirectory();
  const file = `${folder.path}/lb.conf`;
  const nowhere = `${folder.path}/missing`;
  const listen = [taken.address, "192.0.2.77:7", "none.invalid:7", `unix:${nowhere}/lb.sock`];
  await Deno.writeTextFile(
    file,
    `frontends: { ssh: { listen: ${JSON.stringify(listen)} } }\n` +
      `admin: { socket: ${nowhere}/admin.sock }\n` +
      "pools: { a: { backends: ['127.0.0.1:1'], health: { probe: none }, load: { source: none } } }\n",
  );
  const { code, stdout } = await runProgram(["check", "-c", file, "--probe"]);
  assertEquals(code, 1);
  const port = taken.address.split(":")[1];
  for (
    const text of [
      `FAIL ${taken.address}: Address already in use (ss -ltnp "sport = ${port}" shows which process)`,
      "FAIL 192.0.2.77:7: Cannot assign requested address (it is no address of this machine)",
      "FAIL none.invalid:7: failed to lookup address information: ",
      `FAIL unix:${nowhere}/lb.sock: No such file or directory (there is no folder ${nowhere})`,
      `FAIL unix:${nowhere}/admin.sock: No such file or directory (there is no folder ${nowhere})`,
      "  ok   127.0.0.1:1: ",
      "5 of 6 FAIL\n",
    ]
  ) assertStringIncludes(stdout, text);
});

Deno.test("check --probe: what the running balancer holds is no fault, and it is left alone", async () => {
  await using folder = new TemporaryDirectory();
  const socket = `${folder.path}/lb.sock`;
  await using balancer = await Balancer.start({
    flags: [
      "--listen",
      `127.0.0.1:0,unix:${socket}`,
      "--backends",
      "127.0.0.1:1",
      "--load",
      "none",
    ],
  });
  const port = await balancer.port("main");
  const { stdout } = await runProgram([
    ...["check", "--probe", "--listen", `:${port},unix:${socket}`],
    ...["--backends", "127.0.0.1:1", "--load", "none", "--admin-socket", balancer.adminSocket],
  ]);
  const held = `the running balancer listens there, pid ${balancer.pid}\n`;
  for (const what of [`:${port}`, `unix:${socket}`, `unix:${balancer.adminSocket}`]) {
    assertStringIncludes(stdout, `  ok   ${what}: ${held}`);
  }
  assertEquals((await balancer.status()).counters.accepted, 0);
  assertEquals((await Deno.lstat(socket)).isSocket, true);
});
