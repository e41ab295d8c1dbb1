// What a load source or a banner said reached the log and `status` with controls of direction (U+202E) and
// characters of no width: a line could be made to read as something else than it is.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { BatchWriter } from "../../lib/log/batch_writer.ts";
import { ServiceLog } from "../../lib/log/setup.ts";
import { TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer, runProgram } from "../support/balancer.ts";
import { readAll } from "../support/bytes.ts";

const UNSEEN = /[\p{Cf}\u2028]/u;

Deno.test("what load sources and banners say is spelled out in the log, status and check", async () => {
  await using peer = new TcpPeer(async (conn) => {
    await conn.write(Uint8Array.from("SSX-e\xadman\r\n", (c) => c.charCodeAt(0)));
  });
  const config = `
frontends: { ssh: { listen: "127.0.0.1:0" } }
pools:
  p:
    backends: ["${peer.address}"]
    load: { source: exec, interval: 500ms, exec: { command: ["/bin/sh", "-c", "printf 'pu \\\\342\\\\200\\\\256x\\\\342\\\\200\\\\213' >&2; exit 1"] } }
    health: { probe: banner, interval: 500ms, fall: 1 }
`;
  await using balancer = await Balancer.start({ config });
  await balancer.until("both to have failed", ({ pools }) => {
    const [backend] = pools[0]?.backends ?? [];
    return backend?.state === "down" && backend.loadFailure !== null;
  });
  const told = JSON.stringify(balancer.log);
  assertEquals(UNSEEN.exec(told), null, told);
  for (const said of ["SSX-e\\\\u00adman", "\\\\u202ex\\\\u200b"]) {
    assertStringIncludes(told, said);
  }

  using conn = await Deno.connect({ transport: "unix", path: balancer.adminSocket });
  await conn.write(new TextEncoder().encode("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"));
  const answer = new TextDecoder().decode(await readAll(conn));
  assertEquals(UNSEEN.exec(answer), null, answer);
  assertStringIncludes(answer, "pu \\\\u202ex\\\\u200b");

  const status = await runProgram(["status", "--admin-socket", balancer.adminSocket]);
  assertEquals(UNSEEN.exec(status.stdout), null, status.stdout);
  const check = await runProgram(["check", "--probe", "--config", balancer.configFile]);
  assertEquals(UNSEEN.exec(check.stdout), null, check.stdout);
  assertStringIncludes(check.stdout, "pu \\u202ex\\u200b");
});

Deno.test("the service log spells out what would not be seen, in every format", async () => {
  let text = "";
  const sink = {
    write: (bytes: Uint8Array) => {
      text += new TextDecoder().decode(bytes);
      return Promise.resolve(bytes.length);
    },
  };
  for (const options of [{ format: "text" }, { format: "json" }] as const) {
    for (const journal of [false, true]) {
      text = "";
      await using log = new ServiceLog(new BatchWriter(sink));
      await log.configure({ level: "info", journal, ...options });
      log.area("pool").info("a\u202eb\u200bc\x9bd\ne", { backend: "\u2066f" });
      await log.flush();
      assertEquals(UNSEEN.exec(text), null, text);
      assertEquals(text.split("\n").length, 2);
      assertStringIncludes(
        text,
        options.format === "json" ? "a\\\\u202eb" : "a\\u202eb\\u200bc\\u009bd\\ne",
      );
    }
  }
});
