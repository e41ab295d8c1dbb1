// `status` in front of sockets that are not what they should be.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { runProgram } from "../support/balancer.ts";
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
      assertEquals(/(?!\n)\p{Cc}|\\u00/u.exec(stdout + stderr), null, stdout);
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
