// Drains over time, and sessions that are told and ended: the real program.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { requestAdmin } from "../../lib/admin/client.ts";
import type { TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer, runProgram } from "../support/balancer.ts";
import { greeted, greeter } from "../support/greeters.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { waitFor, within } from "../support/wait_for.ts";

/** Waits until a client reads the end, or a reset. */
async function untilEnded(conn: Deno.Conn): Promise<void> {
  const read = async () => {
    try {
      while (await conn.read(new Uint8Array(64)) !== null);
    } catch {
      // A reset ends it, too.
    }
  };
  await within("the end of the session", read());
}

function configOf(backends: readonly TcpPeer[], more: object = {}, pool: object = {}): string {
  return JSON.stringify({
    frontends: { f: { listen: "127.0.0.1:0" } },
    pools: {
      p: {
        strategy: "round_robin",
        backends: backends.map(({ address }) => address),
        load: { source: "none" },
        health: { probe: "none" },
        ...pool,
      },
    },
    ...more,
  });
}

async function patch(balancer: Balancer, { address }: TcpPeer, body: object): Promise<void> {
  const resource = `/v1/pools/p/backends/${encodeURIComponent(address)}`;
  const answer = await requestAdmin(balancer.adminSocket, { method: "PATCH", resource, body });
  assert(answer.ok && answer.status === 200, JSON.stringify(answer));
}

for (const kind of ["splice", "portable"]) {
  Deno.test(`${kind}: at the deadline of a drain its sessions end, those of others go on`, async () => {
    await using one = greeter(1);
    await using two = greeter(2);
    await using balancer = await Balancer.start({
      config: configOf([one, two], { engine: { kind } }),
    });
    const port = await balancer.port("f");
    const sessions = [await greeted(port), await greeted(port)];
    const drained = sessions.find(({ digit }) => digit === "1")?.conn;
    const other = sessions.find(({ digit }) => digit === "2")?.conn;
    assert(drained !== undefined && other !== undefined);
    await patch(balancer, one, { state: "draining", deadline: "1s" });
    await untilEnded(drained);
    const record = await waitFor(
      "the record of its end",
      () => balancer.records("closed").find(({ reason }) => reason === "drained"),
    );
    assertEquals(record.backend, one.address);
    await balancer.logged("the deadline of its drain has come, 1 session is ended");
    assertEquals([one.open.size, two.open.size], [0, 1]);
    for (const { conn } of sessions) conn.close();
  });

  Deno.test(`${kind}: sessions tells who is where, kill ends one`, async () => {
    await using one = greeter(1);
    await using two = greeter(2);
    await using balancer = await Balancer.start({
      config: configOf([one, two], { engine: { kind } }),
    });
    const port = await balancer.port("f");
    const run = async (...args: readonly string[]) => {
      const flags = ["--admin-socket", balancer.adminSocket];
      const { code, stdout, stderr } = await runProgram([...args, ...flags]);
      return { code, stdout, stderr };
    };
    assertEquals((await run("sessions")).stdout, "no session\n");
    const clients = [await greeted(port), await greeted(port)];
    const { stdout: table } = await run("sessions");
    const [heading = "", ...lines] = table.trimEnd().split("\n");
    assert(/^SESSION +CLIENT +BACKEND +SINCE +IDLE +SENT +RECEIVED$/.test(heading), heading);
    assertEquals(lines.length, 2);
    for (const { address } of [one, two]) assertStringIncludes(table, address);
    const { stdout } = await run("sessions", "--backend", one.address, "--json");
    const report: unknown = JSON.parse(stdout);
    const found = typeof report === "object" && report !== null && "sessions" in report &&
        Array.isArray(report.sessions)
      ? report.sessions
      : [];
    const [session] = found;
    assertEquals([found.length, session.backend, session.bytesToClient], [1, one.address, 1]);

    const killed = await run("kill", `${session.id}`, "--reason", "runs wild");
    assertEquals(killed, {
      code: 0,
      stdout: `session ${session.id} ends: ${session.client} on ${one.address}\n`,
      stderr: "",
    });
    const victim = clients.find(({ digit }) => digit === "1")?.conn;
    assert(victim !== undefined);
    await untilEnded(victim);
    await waitFor(
      "the record of its end",
      () => balancer.records("closed").find(({ reason }) => reason === "killed"),
    );
    await balancer.logged(
      `ends session ${session.id} of ${session.client} on ${one.address} (runs wild)`,
    );
    assertEquals(two.open.size, 1);
    const again = await run("kill", `${session.id}`);
    assertEquals(again.code, 1);
    assertStringIncludes(again.stderr, `Unknown session ${session.id}`);
    const address = clients[0]?.conn.localAddr;
    assert(address?.transport === "tcp");
    const mine = await run("sessions", "--client", "127.0.0.1", "--pool", "p");
    assertEquals(mine.stdout.trimEnd().split("\n").length, 2);
    assertEquals((await run("sessions", "--client", "127.0.0.2")).stdout, "no session\n");
    // A name that is mistyped is no empty server.
    for (const [flag, name] of [["backend", "hoek"], ["pool", "q"], ["frontend", "g"]] as const) {
      const { code, stderr } = await run("sessions", `--${flag}`, name);
      assertEquals([code, stderr.startsWith(`Unknown ${flag} "${name}": `)], [1, true], stderr);
    }
    for (const { conn } of clients) conn.close();
  });
}

Deno.test("the deadline of a drain outlives kill -9", async () => {
  await using one = greeter(1);
  await using folder = new TemporaryDirectory();
  const config = configOf([one], { admin: { state: `${folder.path}/state.json` } });
  {
    await using balancer = await Balancer.start({ config });
    await patch(balancer, one, { state: "draining", deadline: "8h" });
    balancer.signal("SIGKILL");
    await balancer.end();
  }
  await using balancer = await Balancer.start({ config });
  const { pools: [pool] } = await balancer.status();
  const left = Date.parse(pool?.backends[0]?.administration?.state?.deadline ?? "") - Date.now();
  assert(left > 7 * 3_600_000 && left <= 8 * 3_600_000, `${left} ms left`);
});

Deno.test("people are warned of a drain by the site's own command, which blocks nothing", async () => {
  await using one = greeter(1);
  await using two = greeter(2);
  await using folder = new TemporaryDirectory();
  const script = `${folder.path}/warn`;
  await Deno.writeTextFile(
    script,
    `#!/bin/sh
[ "$1" = all ] || exit 9
{ echo "$CLB_POOL $CLB_BACKEND $CLB_HOST $CLB_SESSIONS $CLB_DEADLINE $CLB_BY $CLB_REASON"; cat; } >"${folder.path}/told.$$"
mv "${folder.path}/told.$$" "${folder.path}/told"
`,
    { mode: 0o755 },
  );
  const config = configOf([one, two], {}, { drain: { notify: [script, "all"] } });
  await using balancer = await Balancer.start({ config });
  const port = await balancer.port("f");
  const clients = [await greeted(port), await greeted(port)];
  await patch(balancer, one, { state: "draining", deadline: "8h", reason: "new kernel" });
  const told = await waitFor("people to be told", () => Deno.readTextFile(`${folder.path}/told`));
  const [line = "", json = ""] = told.trimEnd().split("\n");
  assert(
    new RegExp(`^p ${one.address} 127.0.0.1 1 20\\d\\d-\\S+Z socket new kernel$`).test(line),
    line,
  );
  const read: unknown = JSON.parse(json);
  assert(typeof read === "object" && read !== null && "sessions" in read);
  assert(Array.isArray(read.sessions) && read.sessions[0].backend === one.address, json);
  await balancer.logged(`p: people with 1 session on ${one.address} are warned of its drain`);
  // One that fails is told of, and nothing else comes of it.
  await Deno.writeTextFile(script, "#!/bin/sh\necho nobody there >&2; exit 3\n");
  await patch(balancer, two, { state: "draining" });
  await balancer.logged("drain.notify: exit status 3: nobody there");
  for (const { conn } of clients) conn.close();
});
