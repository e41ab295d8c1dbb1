// Orders of administrators to the real program: where sessions go after them, what is kept, what is refused.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type OrderAnswer, requestAdmin } from "../../lib/admin/client.ts";
import type { StatusReport } from "../../lib/admin/report.ts";
import { TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer, runProgram } from "../support/balancer.ts";
import { greeted, greeter, landings } from "../support/greeters.ts";
import { needs } from "../support/needs.ts";
import { heardFrom, LoopbackClient } from "../support/loopback_client.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { waitFor } from "../support/wait_for.ts";

async function order(
  { adminSocket }: Balancer,
  method: string,
  resource: string,
  body?: unknown,
  fields: Readonly<Record<string, string>> = {},
): Promise<OrderAnswer & { readonly ok: true }> {
  const answer = await requestAdmin(adminSocket, { method, resource, body, fields });
  if (!answer.ok) throw new Error(answer.message);
  return answer;
}

const pathOf = ({ address }: TcpPeer) => `/v1/pools/main/backends/${encodeURIComponent(address)}`;

function freeAddress(): string {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return `127.0.0.1:${listener.addr.port}`;
}

const QUIET = ["--load", "none", "--health", "none", "--strategy", "round_robin"];

for (const engine of ["splice", "portable"]) {
  Deno.test(`${engine}: after an order, sessions go where it says; those that stand go on`, async () => {
    await using one = greeter(1);
    await using two = greeter(2);
    await using three = greeter(3);
    await using balancer = await Balancer.start({
      flags: [
        ...["--listen", "127.0.0.1:0", "--engine", engine],
        ...["--backends", `${one.address},${two.address}`],
        ...QUIET,
      ],
    });
    const port = await balancer.port("main");
    const standing = await greeted(port);
    assertEquals(await landings(port, 6), new Set(["1", "2"]));

    const drained = await order(balancer, "PATCH", pathOf(one), { state: "draining" });
    assertEquals(drained.status, 200);
    assertEquals(await landings(port, 6), new Set(["2"]));
    const added = await order(balancer, "PUT", pathOf(three), { cores: 4 });
    assertEquals(added.status, 200);
    assertEquals(await landings(port, 6), new Set(["2", "3"]));
    const removed = await order(balancer, "DELETE", pathOf(two));
    assertEquals(removed.status, 200);
    assertEquals(await landings(port, 6), new Set(["3"]));
    await order(balancer, "PATCH", pathOf(three), { state: "disabled" });
    const nobody = await Deno.connect({ hostname: "127.0.0.1", port });
    assertEquals(await nobody.read(new Uint8Array(1)), null);
    nobody.close();
    await order(balancer, "PATCH", pathOf(one), { state: "enabled" });
    assertEquals(await landings(port, 6), new Set(["1"]));
    await order(balancer, "PATCH", pathOf(two), { state: "enabled" });
    await order(balancer, "PATCH", pathOf(three), { state: null });
    assertEquals(await landings(port, 9), new Set(["1", "2", "3"]));
    await order(balancer, "PATCH", pathOf(one), { weight: 0 });
    assertEquals(await landings(port, 6), new Set(["2", "3"]));

    const { conn, digit } = standing;
    await conn.write(new TextEncoder().encode("still here"));
    assertEquals((digit === "1" ? one : two).open.size > 0, true);
    conn.close();
  });
}

Deno.test("an order is kept before it is acknowledged, and restored after kill -9", async () => {
  await using one = greeter(1);
  await using two = greeter(2);
  await using folder = new TemporaryDirectory();
  const state = `${folder.path}/state.json`;
  const config = (backends: readonly TcpPeer[]) =>
    JSON.stringify({
      admin: { state },
      frontends: { f: { listen: "127.0.0.1:0" } },
      pools: {
        main: {
          strategy: "round_robin",
          backends: backends.map(({ address }) => address),
          load: { source: "none" },
          health: { probe: "none" },
        },
      },
    });
  {
    await using balancer = await Balancer.start({ config: config([one, two]) });
    const by = { "compute-lb-by": "alice" };
    const body = { state: "draining", deadline: "8h", reason: "new kernel" };
    await order(balancer, "PATCH", pathOf(one), body, by);
    await order(balancer, "PATCH", pathOf(two), { weight: 2.5 }, by);
    balancer.signal("SIGKILL");
    await balancer.end();
  }
  await using balancer = await Balancer.start({ config: config([one, two]) });
  const port = await balancer.port("f");
  assertEquals(await landings(port, 4), new Set(["2"]));
  const { pools: [pool] } = await balancer.status();
  const told = pool?.backends.map(({ admin, administration }) => ({
    admin,
    by: administration?.state?.by,
    reason: administration?.state?.reason,
    hasDeadline: typeof administration?.state?.deadline === "string",
    weight: administration?.weight?.value,
  }));
  assertEquals(told, [
    { admin: "draining", by: "alice", reason: "new kernel", hasDeadline: true, weight: undefined },
    { admin: "enabled", by: undefined, reason: undefined, hasDeadline: false, weight: 2.5 },
  ]);
  await balancer.logged(`ordered: main: ${one.address} is draining, sessions end at`);

  // A second balancer must not write what the first one keeps.
  await using second = await Balancer.spawn({ config: config([one, two]) });
  assertEquals(await second.end(), 1);
  assertStringIncludes(second.describe(), `the balancer with pid ${balancer.pid} does`);

  // What cannot be kept is refused, and changes nothing.
  await Deno.mkdir(`${state}.new/inside`, { recursive: true });
  const refused = await order(balancer, "PATCH", pathOf(one), { state: "enabled" });
  assertEquals(refused.status, 503);
  assertStringIncludes(JSON.stringify(refused.body), "Cannot keep it in");
  assertEquals(await landings(port, 4), new Set(["2"]));
  await Deno.remove(`${state}.new`, { recursive: true });

  // A reload keeps orders, also of what the file does not name at times.
  await balancer.reload(config([two]));
  await balancer.reload(config([one, two]));
  assertEquals(await landings(port, 4), new Set(["2"]));
});

Deno.test("what cannot be ordered is said, with what there is; a condition that fails changes nothing", async () => {
  await using one = greeter(1);
  // Port 0 does not tell whether a backend is the balancer itself.
  const listening = freeAddress();
  await using balancer = await Balancer.start({
    flags: ["--listen", listening, "--backends", one.address, ...QUIET],
  });
  const cases = [
    ["PATCH", "/v1/pools/mian/backends/x", {}, 404, 'Unknown pool "mian": did you mean "main"?'],
    ["PATCH", "/v1/pools/main/backends/x:22", {}, 404, 'Unknown backend "x:22"'],
    ["PUT", "/v1/pools/main/backends/a%20b", {}, 400, 'Cannot read "a b" as a host'],
    ["PUT", `/v1/pools/main/backends/${listening}`, {}, 409, "frontend main"],
    ["PATCH", pathOf(one), { deadline: "1h" }, 409, "deadline: Cannot set it: expected a drain"],
    [
      "PATCH",
      pathOf(one),
      { state: "draining", deadline: "2020-01-01T00:00:00Z" },
      400,
      "expected a time to come",
    ],
  ] as const;
  for (const [method, resource, body, status, error] of cases) {
    const answer = await order(balancer, method, resource, body);
    assertEquals(answer.status, status, JSON.stringify(answer.body));
    assertStringIncludes(JSON.stringify(answer.body), JSON.stringify(error).slice(1, -1));
  }
  const stale = await order(balancer, "PATCH", pathOf(one), { weight: 2 }, { "if-match": '"x"' });
  assertEquals(stale.status, 412);
  const tag = /its tag is \\"(\w+)\\"/.exec(JSON.stringify(stale.body).replaceAll("\\\\", "\\"))
    ?.[1];
  assert(tag !== undefined, JSON.stringify(stale.body));
  const matched = { "if-match": `"${tag}"` };
  const fresh = await order(balancer, "PATCH", pathOf(one), { weight: 2 }, matched);
  assertEquals(fresh.status, 200);
  const again = await order(balancer, "PATCH", pathOf(one), { weight: 3 }, matched);
  assertEquals(again.status, 412);
  const { pools: [pool] } = await balancer.status();
  assertEquals(pool?.backends[0]?.weight, 2);
});

Deno.test("the commands say what a backend has become, and what to type", async () => {
  await using one = greeter(1);
  await using two = greeter(2);
  await using balancer = await Balancer.start({
    flags: ["--listen", "127.0.0.1:0", "--backends", `${one.address},${two.address}`, ...QUIET],
  });
  const run = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await runProgram([
      ...args,
      "--admin-socket",
      balancer.adminSocket,
    ]);
    return `${code}: ${stdout.replace(/\nkept in memory: .*\n$/, "")}${stderr.trimEnd()}`;
  };
  const port = await balancer.port("main");
  const standing = [await greeted(port), await greeted(port)];
  const drained = await run("drain", one.address, "--deadline", "8h", "--reason", "new kernel");
  assert(
    /^0: main: \S+ is draining: 1 session goes on until \S+Z \(in 8h\)$/.test(drained),
    drained,
  );
  const cut = await run("status");
  assert(/ {4}draining, 1 session left, to be ended in \S+: by /.test(cut), cut);
  assertEquals(await run("enable", one.address), `0: main: ${one.address} is enabled`);
  assertEquals(
    await run("weight", one.address, "2.5"),
    `0: main: ${one.address} is enabled; weight 2.5`,
  );
  assertEquals(
    await run("weight", one.address, "default"),
    `0: main: ${one.address} is enabled`,
  );
  // A host means all backends there.
  assertEquals(
    await run("disable", "127.0.0.1", "--reason", "cooling"),
    [one, two].map(({ address }, index) =>
      `${index === 0 ? "0: " : ""}main: ${address} is disabled: 1 session goes on\n`
    ).join("").trimEnd() +
      "pool main: no backend can be used: new clients are turned away",
  );
  const table = await run("status");
  assertStringIncludes(table, "unknown, disabled");
  assert(/ {4}disabled, 1 session left: by \S+ \S+ ago, cooling\n/.test(table), table);
  assertEquals(
    await run("backend", "remove", two.address),
    [
      `0: main: ${two.address} is out of the pool, 1 session goes on`,
      "pool main: no backend can be used: new clients are turned away",
    ].join(""),
  );
  assert(/\nremoved: \S+, 1 session left: by \S+ \S+ ago\n/.test(await run("status")));
  assertEquals(
    await run("drain", "127.0.0.9"),
    '1: Unknown backend "127.0.0.9": did you mean "127.0.0.1"?',
  );
  assertEquals(
    await run("enable", "127.0.0.1", "--pool", "p"),
    '1: Unknown pool "p": expected one of main',
  );
  const json: unknown = JSON.parse((await run("enable", "127.0.0.1", "--json")).slice(3));
  assert(Array.isArray(json) && json.length === 2, JSON.stringify(json));
  assertEquals(
    await run("backend", "add", two.address),
    `0: main: ${two.address} is in the pool`,
  );
  assertEquals((await landings(port, 6)).size, 2);

  for (const { conn } of standing) conn.close();
});

for (const engine of ["splice", "portable"]) {
  Deno.test(`${engine}: deny turns a network away from then on, over kill -9, until its time or undeny`, async () => {
    await using backend = greeter(1);
    await using folder = new TemporaryDirectory();
    const flags = [
      ...["--listen", "127.0.0.1:0", "--backends", backend.address, "--engine", engine],
      ...["--admin-state", `${folder.path}/state.json`],
      ...QUIET,
    ];
    const run = async (balancer: Balancer, ...args: readonly string[]) => {
      const { stdout, stderr } = await runProgram([
        ...args,
        "--admin-socket",
        balancer.adminSocket,
      ]);
      return (stdout + stderr).trimEnd();
    };
    {
      await using balancer = await Balancer.start({ flags });
      const port = await balancer.port("main");
      using standing = new LoopbackClient("127.0.0.2", port);
      assertEquals(await standing.greeting(), "1");
      assertEquals(
        await run(balancer, "deny", "127.0.0.2", "--reason", "scanner"),
        "main: clients from 127.0.0.2/32 are turned away",
      );
      assertEquals(await heardFrom("127.0.0.2", port), "");
      assertEquals(await heardFrom("127.0.0.3", port), "1");
      assertEquals(backend.open.size >= 1, true);
      const wide = await run(balancer, "deny", "127.0.0.0/29", "--for", "1h");
      assert(/turned away until \S+Z \(in 1h\)$/.test(wide), wide);
      assertEquals(await heardFrom("127.0.0.3", port), "");
      assertEquals(
        await run(balancer, "undeny", "127.0.0.0/29"),
        "main: 127.0.0.0/29 is no longer denied by order",
      );
      const status = await run(balancer, "status");
      assert(/\n {4}denied: 127.0.0.2\/32: by \S+ \S+ ago, scanner\n/.test(status), status);
      assertStringIncludes(
        await run(balancer, "deny", "127.0.0.0/8.1"),
        'Cannot read "8.1" as the prefix of "127.0.0.0"',
      );
      assertStringIncludes(
        await run(balancer, "deny", "127.0.0.9", "--frontend", "mian"),
        'Unknown frontend "mian": did you mean "main"?',
      );
      balancer.signal("SIGKILL");
      await balancer.end();
    }
    await using balancer = await Balancer.start({ flags });
    const port = await balancer.port("main");
    assertEquals(await heardFrom("127.0.0.2", port), "");
    await run(balancer, "undeny", "127.0.0.2");
    assertEquals(await heardFrom("127.0.0.2", port), "1");
    // By itself, when its time is over.
    const until = new Date(Date.now() + 1500).toISOString();
    const denied = await order(balancer, "PUT", "/v1/frontends/main/deny/127.0.0.2", { until });
    assertEquals(denied.status, 200);
    assertEquals(await heardFrom("127.0.0.2", port), "");
    await balancer.until(
      "the end of the denial",
      ({ frontends: [frontend] }) => frontend?.denials.length === 0,
    );
    assertEquals(await heardFrom("127.0.0.2", port), "1");
  });
}

Deno.test("enable overrules the agent's word of that moment, until the agent says another", async () => {
  await using one = greeter(1);
  await using two = greeter(2);
  let word = "drain";
  await using agent = new TcpPeer(async (conn) => {
    await conn.write(new TextEncoder().encode(`${word}\n`));
  });
  await using folder = new TemporaryDirectory();
  const config = JSON.stringify({
    admin: { state: `${folder.path}/state.json` },
    frontends: { main: { listen: "127.0.0.1:0" } },
    pools: {
      main: {
        strategy: "round_robin",
        backends: [
          { address: one.address, load_address: agent.address, load: { source: "agent" } },
          two.address,
        ],
        load: { source: "none", interval: "100ms" },
        health: { probe: "none" },
      },
    },
  });
  const isUsable = (expected: boolean) => ({ pools: [pool] }: StatusReport) =>
    pool?.backends[0]?.usable === expected;
  {
    await using balancer = await Balancer.start({ config });
    await balancer.until("the agent's drain", isUsable(false));
    const port = await balancer.port("main");
    assertEquals(await landings(port, 4), new Set(["2"]));
    await order(balancer, "PATCH", pathOf(one), { state: "enabled" });
    assertEquals(await landings(port, 4), new Set(["1", "2"]));
    balancer.signal("SIGKILL");
    await balancer.end();
  }
  await using balancer = await Balancer.start({ config });
  const port = await balancer.port("main");
  await balancer.until(
    "the agent's word",
    ({ pools: [pool] }) => pool?.backends[0]?.holds[0]?.reason === "its agent says drain",
  );
  assertEquals(await landings(port, 4), new Set(["1", "2"]));
  word = "maint";
  await balancer.until("another word", isUsable(false));
  await balancer.logged("its own side says something else now");
  // The same word again is a new one.
  word = "drain";
  await balancer.until(
    "the first word",
    ({ pools: [pool] }) => pool?.backends[0]?.holds[0]?.reason === "its agent says drain",
  );
  assertEquals(await landings(port, 4), new Set(["2"]));
  word = "ready";
  await balancer.until("the end of the drain", isUsable(true));
  // An administrator's drain is not the agent's to end.
  await order(balancer, "PATCH", pathOf(one), { state: "draining" });
  const answers = agent.accepted;
  await waitFor("more of the agent's words", () => agent.accepted > answers + 2);
  assertEquals(await landings(port, 4), new Set(["2"]));
});

Deno.test({
  ...needs("root", "unshare"),
  name: "an order that a full disk cannot keep is refused, and the next one is not",
  fn: async () => {
    await using one = greeter(1);
    await using two = greeter(2);
    await using folder = new TemporaryDirectory();
    const state = `${folder.path}/kept`;
    await Deno.mkdir(state);
    const own = `mount -t tmpfs -o size=64k none ${state} && exec "$0" "$@"`;
    await using balancer = await Balancer.start({
      prefix: ["unshare", "--mount", "sh", "-c", own],
      flags: [
        ...["--listen", "127.0.0.1:0", "--backends", `${one.address},${two.address}`],
        ...["--admin-state", `${state}/state.json`],
        ...QUIET,
      ],
    });
    const port = await balancer.port("main");
    await order(balancer, "PATCH", pathOf(one), { state: "draining" });
    // As the balancer sees it.
    const disk = `/proc/${balancer.pid}/root${state}`;
    const before = await Deno.readTextFile(`${disk}/state.json`);
    await Deno.writeFile(`${disk}/fill`, new Uint8Array(2 ** 20)).catch(() => {});
    const refused = await order(balancer, "PATCH", pathOf(two), { state: "draining" });
    assertEquals(refused.status, 503);
    assertStringIncludes(JSON.stringify(refused.body), "No space left on device");
    assertEquals(await landings(port, 4), new Set(["2"]));
    assertEquals(await Deno.readTextFile(`${disk}/state.json`), before);
    await Deno.remove(`${disk}/fill`);
    const taken = await order(balancer, "PATCH", pathOf(one), { state: "enabled" });
    assertEquals(taken.status, 200);
    assertEquals(await landings(port, 4), new Set(["1", "2"]));
  },
});

Deno.test({
  ...needs("root"),
  name: "a balancer that gives root up keeps orders as the user that it becomes",
  fn: async () => {
    await using one = greeter(1);
    await using folder = new TemporaryDirectory();
    await Deno.chmod(folder.path, 0o755);
    const state = `${folder.path}/made/state.json`;
    const flags = [
      ...["--listen", "127.0.0.1:0", "--backends", one.address, "--user", "nobody"],
      ...["--admin-state", state],
      ...QUIET,
    ];
    {
      await using balancer = await Balancer.start({ flags });
      const drained = await order(balancer, "PATCH", pathOf(one), { state: "draining" });
      assertEquals(drained.status, 200);
      const { uid } = await Deno.stat(state);
      assert(uid !== 0, `it belongs to uid ${uid}`);
      balancer.signal("SIGTERM");
      assertEquals(await balancer.end(), 0);
    }
    await using balancer = await Balancer.start({ flags });
    const { pools: [pool] } = await balancer.status();
    assertEquals(pool?.backends[0]?.admin, "draining");
    // A folder of another user is told, with what to type.
    await Deno.chown(`${folder.path}/made`, 0, 0);
    await using other = await Balancer.spawn({
      flags: [...flags.slice(0, -QUIET.length - 1), `${folder.path}/made/other.json`, ...QUIET],
    });
    assertEquals(await other.end(), 1);
    assertStringIncludes(other.describe(), "belongs to uid 0, and this process runs as uid");
  },
});
