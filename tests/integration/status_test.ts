// `status`: what it tells of reloads, and in front of sockets that are not what they should be.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Balancer, runProgram } from "../support/balancer.ts";
import { TemporaryDirectory } from "../support/run_program.ts";

/** Answers one request on a unix socket with any JSON. */
function answerOnce(path: string, body: unknown): Promise<void> {
  const listener = Deno.listen({ transport: "unix", path });
  return (async () => {
    using _ = listener;
    using conn = await listener.accept();
    await conn.read(new Uint8Array(4096));
    const text = `HTTP/1.1 200 OK\r\n\r\n${JSON.stringify(body)}`;
    await conn.write(new TextEncoder().encode(text));
  })();
}

Deno.test("status: what answers cannot write to the terminal, nor break the program", async () => {
  await using folder = new TemporaryDirectory();
  const socket = `${folder.path}/admin.sock`;
  const report = {
    version: "0\x1b]0;owned\x07\x9b2J",
    now: "",
    startedAt: "",
    engine: { name: "x" },
    counters: { active: 0, opened: 0, refused: 0, bytesToBackend: 0, bytesToClient: 0 },
    reload: { error: "\x1b[2Jgone" },
    frontends: [],
    pools: [],
  };
  const cases = [[report, 0], [{ ...report, pools: [{}] }, 1], [["\x1b"], 1]] as const;
  for (const [body, expected] of cases) {
    for (const flags of [[], ["--json"]]) {
      const answered = answerOnce(socket, body);
      const { code, stdout, stderr } = await runProgram([
        "status",
        ...flags,
        "--admin-socket",
        socket,
      ]);
      await answered;
      assertEquals(code, flags.length > 0 ? 0 : expected, stderr);
      assertEquals(/(?!\n)\p{Cc}/u.exec(stdout + stderr), null, stdout);
      // Nor does whoever reads the JSON get any; what is spelled out has two backslashes there.
      if (flags.length > 0) assertEquals(/(?<!\\)\\u00/.exec(stdout), null, stdout);
      if (code === 1) assertStringIncludes(stderr, "not a status report");
    }
  }
});

Deno.test("status: a file that names no socket that can be asked is told of", async () => {
  await using folder = new TemporaryDirectory();
  const file = `${folder.path}/lb.conf`;
  const missing = await runProgram(["status", "-c", file]);
  assertEquals(missing.code, 2);
  assertStringIncludes(missing.stderr, `${file}: Cannot read it: there is no such file`);
  await Deno.writeTextFile(
    file,
    'admin: { socket: off }\nfrontends: { a: { listen: ":22" } }\npools: { p: { backends: [b] } }\n',
  );
  const off = await runProgram(["status", "-c", file]);
  assertEquals([off.code, off.stdout], [1, ""]);
  assertStringIncludes(off.stderr, "admin.socket: off");
});

Deno.test("status and the log: what a reload changed", async () => {
  const config = (pool: object) =>
    JSON.stringify({
      frontends: { f: { listen: "127.0.0.1:0" } },
      pools: { p: { load: { source: "none" }, health: { probe: "none" }, ...pool } },
    });
  const before = config({ backends: ["127.0.0.1:1", "127.0.0.1:2"] });
  await using balancer = await Balancer.start({ config: before });
  assertEquals((await balancer.status()).reload, { count: 0 });
  const changes = "pool p: +127.0.0.1:3, -127.0.0.1:1, strategy least_load -> first";
  const after = config({ backends: ["127.0.0.1:2", "127.0.0.1:3"], strategy: "first" });
  const line = await balancer.reload(after);
  assertEquals(line.message, `reloaded ${balancer.configFile}: ${changes}`);
  const { reload, now } = await balancer.status();
  assertEquals([reload.count, reload.changes, reload.error], [1, changes, undefined]);
  assert(Date.parse(now) - Date.parse(reload.at ?? "") < 60_000, reload.at);

  // One that is refused is the last one then, and what comes next is compared with what is in force.
  await balancer.reload("nonsense");
  const refused = (await balancer.status()).reload;
  assertEquals([refused.count, refused.changes], [1, undefined]);
  assertStringIncludes(refused.error ?? "", "nonsense");
  const same = await balancer.reload(after);
  assertEquals(same.message, `reloaded ${balancer.configFile}: no setting has changed`);
  assertEquals((await balancer.status()).reload.changes, "no setting has changed");
});
