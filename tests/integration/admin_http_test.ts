// Admin requests over TCP to the real program: who may do what, pages of other origins, HTTP that is not sound,
// the token's file, ports that take root, a lack of descriptors.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer, runProgram } from "../support/balancer.ts";
import { ask, askRaw } from "../support/http_client.ts";
import { needs } from "../support/needs.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { Sessions } from "../support/sessions.ts";
import { waitFor } from "../support/wait_for.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";
const BEARER = { Authorization: `Bearer ${TOKEN}` };

/** A file with a token, of a mode that is taken. */
async function tokenFile(folder: string, token = TOKEN): Promise<string> {
  const path = `${folder}/token`;
  await Deno.writeTextFile(path, `${token}\n`, { mode: 0o600 });
  await Deno.chmod(path, 0o600);
  return path;
}

/** The port of admin.http, from the status. */
async function httpPort(balancer: Balancer): Promise<number> {
  const [address = ""] = (await balancer.status()).adminHttp;
  return Number(address.slice(address.lastIndexOf(":") + 1));
}

/** A balancer with admin.http and a token, by flags alone. */
async function start(folder: string, peer: TcpPeer): Promise<Balancer> {
  return await Balancer.start({
    flags: [
      ...["--listen", "127.0.0.1:0", "--backends", peer.address, "--load", "none"],
      ...["--admin-http", "127.0.0.1:0,[::1]:0", "--admin-token-file", await tokenFile(folder)],
    ],
  });
}

/** What of the status does not change by itself. */
async function settled(balancer: Balancer) {
  const { pools, frontends, reload, adminHttp } = await balancer.status();
  const stable = pools.flatMap(({ backends }) =>
    backends.map(({ id, admin, weight, cores }) => ({ id, admin, weight, cores }))
  );
  return { stable, frontends, reload, adminHttp };
}

Deno.test("admin.http: reading is free but for who is where, all else takes the token", async () => {
  await using folder = new TemporaryDirectory();
  await using peer = new TcpPeer(echo);
  await using balancer = await start(folder.path, peer);
  const { adminHttp } = await balancer.status();
  assertEquals(adminHttp.map((address) => address.replace(/\d+$/, "")), ["127.0.0.1:", "[::1]:"]);
  const port = await httpPort(balancer);
  const backend = `/v1/pools/main/backends/${encodeURIComponent(peer.address)}`;
  const asked = async (method: string, target: string, fields = {}, body?: string) => {
    const answer = await ask(port, {
      method,
      target,
      fields,
      ...(body === undefined ? {} : { body }),
    });
    for (const name of answer.fields.keys()) assert(!name.startsWith("access-control"), name);
    return answer;
  };
  for (
    const target of ["/v1/status", "/v1/pools", "/v1/frontends", "/metrics", "/healthz", backend]
  ) {
    const free = await asked("GET", target);
    assertEquals([target, free.status], [target, 200]);
    const head = await asked("HEAD", target);
    assertEquals([target, head.status, head.body], [target, 200, ""]);
    assertEquals(head.fields.get("content-type"), free.fields.get("content-type"));
  }
  assertEquals((await asked("GET", "/v1/nothing")).status, 404);
  const before = await settled(balancer);
  const drain = JSON.stringify({ state: "draining" });
  const closed = [
    ["GET", "/v1/why"],
    ["HEAD", "/v1/why?last=1"],
    ["PATCH", backend, drain],
    ["PUT", "/v1/pools/main/backends/127.0.0.1:1", "{}"],
    ["DELETE", backend],
    ["POST", "/v1/nothing"],
    ["OPTIONS", "/v1/status"],
  ] as const;
  for (const [method, target, body] of closed) {
    for (const fields of [{}, { Authorization: `Bearer ${TOKEN.slice(1)}` }]) {
      const refused = await asked(method, target, fields, body);
      assertEquals([method, target, refused.status], [method, target, 401]);
      assertStringIncludes(refused.fields.get("www-authenticate") ?? "", "Bearer realm=");
    }
  }
  assertEquals(await settled(balancer), before);
  await balancer.logged("somebody asks with a wrong token");
  assert(!balancer.describe().includes(TOKEN.slice(1)));

  assertEquals((await asked("GET", "/v1/why", BEARER)).status, 200);
  const drained = await asked("PATCH", backend, BEARER, drain);
  assertEquals(drained.status, 200, drained.body);
  assertEquals(JSON.parse(drained.body).admin, "draining");
  const { stable } = await settled(balancer);
  assertEquals(stable[0]?.admin, "draining");
});

Deno.test("admin.http: a page of another origin can neither read nor change anything", async () => {
  await using folder = new TemporaryDirectory();
  await using peer = new TcpPeer(echo);
  await using balancer = await start(folder.path, peer);
  const port = await httpPort(balancer);
  const target = `/v1/pools/main/backends/${encodeURIComponent(peer.address)}`;
  const before = await settled(balancer);
  const foreign = [
    { Origin: "http://evil.example" },
    { Origin: "null" },
    { Host: "rebound.example" },
    { "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors" },
    // A page of another port of this machine.
    { "Sec-Fetch-Site": "same-site", Origin: `http://127.0.0.1:${port + 1}` },
  ];
  for (const fields of foreign) {
    for (const method of ["GET", "PATCH", "OPTIONS"]) {
      const refused = await ask(port, {
        method,
        target,
        fields: { ...fields, ...BEARER, "Access-Control-Request-Method": "PATCH" },
        body: '{"state":"disabled"}',
      });
      assertEquals([fields, method, refused.status], [fields, method, 403]);
      assert(!refused.body.includes(peer.address));
      assert(![...refused.fields.keys()].some((name) => name.startsWith("access-control")));
      assertEquals(refused.fields.get("cross-origin-resource-policy"), "same-origin");
    }
  }
  // What a form sends without asking first.
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
    const refused = await ask(port, {
      method: "PATCH",
      target,
      fields: { ...BEARER, "Content-Type": type },
      body: '{"state":"disabled"}',
    });
    assertEquals([type, refused.status], [type, 415]);
  }
  assertEquals(await settled(balancer), before);
});

Deno.test("admin.http: what is not sound HTTP is refused, and what is too large", async () => {
  await using folder = new TemporaryDirectory();
  await using peer = new TcpPeer(echo);
  await using balancer = await start(folder.path, peer);
  const port = await httpPort(balancer);
  const get = "GET /v1/status HTTP/1.1\r\nHost: localhost\r\n";
  const put =
    `PUT /v1/pools/main/backends/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ` +
    `${TOKEN}\r\nContent-Type: application/json\r\n`;
  const raw: readonly (readonly [text: string, status: number])[] = [
    [`${get}\r\n`, 200],
    ["GET /v1/status HTTP/1.0\r\nHost: localhost\r\n\r\n", 200],
    ["GET /v1/status HTTP/1.1\r\n\r\n", 400],
    [`${get}Host: localhost\r\n\r\n`, 400],
    [`${get} folded: x\r\n\r\n`, 400],
    [`${get}name : x\r\n\r\n`, 400],
    [`${get}x: a\rb\r\n\r\n`, 400],
    ["GET http://localhost/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n", 400],
    ["GET /v1/status HTTP/2.0\r\nHost: localhost\r\n\r\n", 400],
    ["\x16\x03\x01\x02\x00\r\n\r\n", 400],
    [`${get}x: ${"a".repeat(9000)}\r\n\r\n`, 431],
    ["G".repeat(100_000), 431],
    [`${put}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`, 400],
    [`${put}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`, 400],
    [`${put}Content-Length: 2, 2\r\n\r\n{}`, 400],
    [`${put}Content-Length: +2\r\n\r\n{}`, 400],
    [`${put}Content-Length: 0x2\r\n\r\n{}`, 400],
    [`${put}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`, 400],
    [`${put}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`, 411],
    [`${put}Content-Length: 65537\r\n\r\n${" ".repeat(65_537)}`, 413],
    [`${put}Content-Length: 999999999999\r\n\r\n{}`, 400],
  ];
  for (const [text, status] of raw) {
    const answer = await askRaw(port, text);
    const shown = text.slice(0, 200);
    assertEquals([shown, answer.status], [shown, status]);
    assertEquals(answer.fields.get("connection"), "close");
    assertEquals(
      Number(answer.fields.get("content-length")),
      new TextEncoder().encode(answer.body).length,
    );
    if (status !== 200) assertEquals(typeof JSON.parse(answer.body).error, "string");
  }
  // One request a connection: what comes behind it is not another one.
  const two = await askRaw(port, `${get}\r\n${get}\r\n`);
  assertEquals(two.body.includes("HTTP/1.1 200"), false);
});

Deno.test("admin.http: the token's file is checked at the start, and read again on HUP", async () => {
  await using folder = new TemporaryDirectory();
  await using peer = new TcpPeer(echo);
  const path = await tokenFile(folder.path);
  const configOf = (file: string) =>
    JSON.stringify({
      admin: { http: "127.0.0.1:0", token_file: file },
      frontends: { ssh: { listen: "127.0.0.1:0" } },
      pools: { main: { backends: [peer.address], load: { source: "none" } } },
    });
  const config = configOf(path);
  await using balancer = await Balancer.start({ config });
  const port = await httpPort(balancer);
  const takes = async (token: string) => {
    const fields = { Authorization: `Bearer ${token}` };
    return (await ask(port, { target: "/v1/why", fields })).status === 200;
  };
  assert(await takes(TOKEN));

  const next = "another-token-of-this-test";
  await tokenFile(folder.path, next);
  assert(!await takes(next));
  assertEquals((await balancer.reload(config)).event, "reloaded");
  assertEquals([await takes(next), await takes(TOKEN)], [true, false]);

  await Deno.chmod(path, 0o644);
  const refused = await balancer.reload(config);
  assertEquals(refused.event, "reload_refused");
  assertStringIncludes(String(refused.message), `type chmod o= ${path}`);
  assert(await takes(next));

  // Where the start has said, until the next one.
  await Deno.chmod(path, 0o600);
  await using other = new TemporaryDirectory();
  const moved = configOf(await tokenFile(other.path, TOKEN));
  const told = String((await balancer.reload(moved)).message);
  assertStringIncludes(told, "admin.token_file");
  assertStringIncludes(told, "(at the next start)");
  assertEquals([await takes(next), await takes(TOKEN)], [true, false]);

  const file = `${folder.path}/lb.conf`;
  await Deno.writeTextFile(file, config);
  for (const [mode, why] of [[0o604, "type chmod o= "], [0o600, ""]] as const) {
    await Deno.chmod(path, mode);
    const checked = await runProgram(["check", "--config", file]);
    assertEquals([mode, checked.code], [mode, why === "" ? 0 : 2], checked.stderr);
    assertStringIncludes(checked.stderr, why);
    if (why !== "") assertStringIncludes(checked.stderr, "lb.conf:1:");
  }
});

Deno.test("admin.http: without a token it is read-only; flags alone read it again on HUP, too", async () => {
  await using folder = new TemporaryDirectory();
  await using peer = new TcpPeer(echo);
  const flags = ["--listen", "127.0.0.1:0", "--backends", peer.address, "--load", "none"];
  {
    await using balancer = await Balancer.start({
      flags: [...flags, "--admin-http", "127.0.0.1:0"],
    });
    const port = await httpPort(balancer);
    await balancer.logged("read-only, without a token");
    const target = `/v1/pools/main/backends/${encodeURIComponent(peer.address)}`;
    const refused = await ask(port, { method: "DELETE", target, fields: BEARER });
    assertEquals(refused.status, 403);
    assertStringIncludes(refused.body, "admin.token_file");
    assertEquals((await ask(port, { target })).status, 200);
  }
  await using balancer = await start(folder.path, peer);
  const port = await httpPort(balancer);
  const next = "another-token-of-this-test";
  await tokenFile(folder.path, next);
  balancer.signal("SIGHUP");
  await balancer.logged("nothing to reload");
  const fields = { Authorization: `Bearer ${next}` };
  assertEquals((await ask(port, { target: "/v1/why", fields })).status, 200);
});

Deno.test("admin.http: an address that cannot be had ends the start, and check --probe tells", async () => {
  await using folder = new TemporaryDirectory();
  await using peer = new TcpPeer(echo);
  await using balancer = await start(folder.path, peer);
  const address = `127.0.0.1:${await httpPort(balancer)}`;
  const flags = ["--listen", "127.0.0.1:0", "--backends", peer.address, "--load", "none"];
  const second = await runProgram(["run", ...flags, "--admin-http", address]);
  assertEquals(second.code, 1);
  assertStringIncludes(second.stderr, `Cannot listen on ${address} for admin.http`);
  const alien = await runProgram(["check", "--probe", ...flags, "--admin-http", address]);
  assertStringIncludes(alien.stdout, `FAIL ${address}`);
  const own = await runProgram([
    ...["check", "--probe", ...flags, "--admin-http", address],
    ...["--admin-socket", balancer.adminSocket],
  ]);
  assertEquals(own.code, 0, own.stdout);
  assertStringIncludes(own.stdout, `admin.http\n  ok   ${address}: the running balancer listens`);
});

Deno.test({
  ...needs("root"),
  name: "admin.http: a low port is bound as root, and asked as nobody",
  fn: async () => {
    await using folder = new TemporaryDirectory();
    await using peer = new TcpPeer(echo);
    await Deno.chmod(folder.path, 0o755);
    const path = await tokenFile(folder.path);
    await Deno.chown(path, 0, 65_534);
    await Deno.chmod(path, 0o640);
    // Of 127/8, so that it is nobody else's.
    const address = "127.77.13.1:81";
    await using balancer = await Balancer.start({
      flags: [
        ...["--listen", "127.0.0.1:0", "--backends", peer.address, "--load", "none"],
        ...["--user", "nobody", "--admin-http", address, "--admin-token-file", path],
      ],
    });
    await balancer.logged("runs as user nobody");
    const answer = await fetch(`http://${address}/v1/why`, { headers: BEARER });
    assertEquals(answer.status, 200);
    await answer.body?.cancel();
    assertEquals((await balancer.status()).adminHttp, [address]);
  },
});

Deno.test({
  ...needs("prlimit"),
  name: "admin.http: survives a lack of descriptors, and clients that ask nothing",
  fn: async () => {
    await using folder = new TemporaryDirectory();
    await using peer = new TcpPeer(echo);
    await using balancer = await start(folder.path, peer);
    const port = await httpPort(balancer);
    const idle: Deno.Conn[] = [];
    try {
      for (let i = 0; i < 100; i++) {
        idle.push(await Deno.connect({ hostname: "127.0.0.1", port }));
      }
      assertEquals((await ask(port, { target: "/healthz" })).status, 200);
      const open = [...Deno.readDirSync(`/proc/${balancer.pid}/fd`)].length;
      // None is left, but for those that clients give back.
      await setLimit(balancer.pid, open);
      for (let i = 0; i < 100; i++) {
        idle.push(await Deno.connect({ hostname: "127.0.0.1", port }));
      }
      await setLimit(balancer.pid, open + 100);
      await waitFor("an answer", async () => {
        return (await ask(port, { target: "/healthz" })).status === 200;
      });
      assert(!balancer.ended);
    } finally {
      for (const conn of idle) conn.close();
    }
  },
});

/** Sets the soft limit on open files of a process. */
async function setLimit(pid: number, files: number): Promise<void> {
  const { success } = await new Deno.Command("prlimit", {
    args: ["--pid", String(pid), `--nofile=${files}:`],
  }).output();
  assert(success);
}

Deno.test("admin.http: a balancer that waits for its last sessions leaves the port to a successor", async () => {
  await using folder = new TemporaryDirectory();
  await using peer = new TcpPeer(echo);
  await using balancer = await start(folder.path, peer);
  const port = await httpPort(balancer);
  using _sessions = await Sessions.open(await balancer.port("main"), 1);
  balancer.signal("SIGTERM");
  await waitFor("the port", () => {
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return true;
    } catch {
      return undefined;
    }
  });
  const { state, adminHttp } = await balancer.status();
  assertEquals([state, adminHttp], ["draining", []]);
});
