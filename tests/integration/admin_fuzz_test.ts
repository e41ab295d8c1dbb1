// Requests that the running balancer's own OpenAPI document describes, and such as are nearly so: none is answered
// but as the document says, and without the token nothing changes.

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { ask } from "../support/http_client.ts";
import { answerChecker, operationsOf } from "../support/openapi.ts";
import { requests } from "../support/schema_arbitrary.ts";
import { Sessions } from "../support/sessions.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";
const BEARER = { Authorization: `Bearer ${TOKEN}` };

/** A balancer that calls nobody of its own accord, with what it is asked by. */
async function start(peer: TcpPeer) {
  const folder = await Deno.makeTempDir({ prefix: "compute-lb-test-" });
  const [token, state] = [`${folder}/token`, `${folder}/state.json`];
  await Deno.writeTextFile(token, TOKEN, { mode: 0o600 });
  const quiet = { load: { source: "none" }, health: { probe: "none" } };
  const balancer = await Balancer.start({
    workingFolder: folder,
    config: JSON.stringify({
      admin: { http: "127.0.0.1:0", token_file: token, state },
      frontends: {
        ssh: { listen: "127.0.0.1:0", pool: "compute" },
        other: { listen: "127.0.0.1:0", pool: "spare" },
      },
      pools: {
        compute: { ...quiet, backends: [peer.address, "127.0.0.1:1", "unix:/nowhere/a.sock"] },
        spare: { ...quiet, backends: ["127.0.0.1:2"] },
      },
    }),
  });
  const [address = ""] = (await balancer.status()).adminHttp;
  const port = Number(address.slice(address.lastIndexOf(":") + 1));
  const document = JSON.parse((await ask(port, { target: "/v1/openapi.json" })).body);
  const names = {
    pool: ["compute", "spare", "none"],
    frontend: ["ssh", "other", "none"],
    // On loopback alone, or on no network.
    backend: [
      peer.address,
      "127.0.0.1:1",
      "127.0.0.1",
      "unix:/nowhere/a.sock",
      "127.0.0.1:2",
      "127.0.0.2:22",
      "127.0.0.3",
      "[::1]:22",
      "unix:/nowhere/b.sock",
      "!none",
    ],
    session: ["1", "2", "3", "0", "-1", "99999999", "1e3", "!"],
    network: ["192.0.2.0/24", "192.0.2.7", "2001:db8::/32", "192.0.2.1/99", "!"],
  };
  const request = fc.oneof(
    ...operationsOf(document).map((operation) => requests(operation, names)),
  );
  return { balancer, port, state, document, request };
}

/** What requests could change. */
async function whatIs(balancer: Balancer, state: string) {
  const { now: _, counters: __, ...rest } = await balancer.status();
  const kept = await Deno.readTextFile(state).catch(() => "");
  // Since when something is what it is moves by a millisecond, as the two clocks do.
  const text = JSON.stringify(rest, (key, value) => key === "since" ? undefined : value);
  return { rest: JSON.parse(text), kept };
}

Deno.test("admin.http: every answer is one that its OpenAPI document describes", async () => {
  await using peer = new TcpPeer(echo);
  const { balancer: running, port, document, request } = await start(peer);
  await using balancer = running;
  using _sessions = await Sessions.open(await balancer.port("ssh"), 3);
  const check = answerChecker(document);
  const answered = new Map<string, number>();
  // While it stands: what follows may kill all sessions before it asks for one.
  const { status } = await ask(port, { target: "/v1/sessions/1" });
  answered.set(`get_v1_sessions_session ${status}`, 1);
  await fc.assert(
    fc.asyncProperty(request, async ({ operation, ...sent }) => {
      const { status, fields, body } = await ask(port, {
        ...sent,
        fields: { ...BEARER, ...sent.fields },
      });
      const key = `${operation.id} ${status}`;
      answered.set(key, (answered.get(key) ?? 0) + 1);
      // 503 is what a health that is bad is told by; of orders it says that they could not be kept.
      assert(status < 500 || operation.path === "/healthz", body);
      const found = check(operation, status, fields.get("content-type") ?? "", body);
      assertEquals(found, undefined, body.slice(0, 500));
    }),
    { numRuns: 3000 },
  );
  assertEquals(balancer.ended, false);
  assertEquals((await ask(port, { target: "/v1/status" })).status, 200);
  assertEquals(balancer.log.filter(({ level }) => level === "error"), []);
  // The fuzz has reached what is behind the checks: each operation was carried out.
  const done = operationsOf(document).filter(({ id }) =>
    !answered.has(`${id} 200`) && !answered.has(`${id} 503`)
  );
  assertEquals(done.map(({ id }) => id), [], JSON.stringify([...answered].sort()));
});

Deno.test("admin.http: without the token, or from a page of another origin, nothing changes", async () => {
  await using peer = new TcpPeer(echo);
  const { balancer: running, port, state, request } = await start(peer);
  await using balancer = running;
  using _sessions = await Sessions.open(await balancer.port("ssh"), 3);
  const before = await whatIs(balancer, state);
  const stranger = fc.constantFrom<Readonly<Record<string, string>>>(
    {},
    { Authorization: "Bearer 0123456789abcdef0123456789abcdeF" },
    { Authorization: `Basic ${btoa(`admin:${TOKEN}`)}` },
    { ...BEARER, Origin: "https://evil.example" },
    { ...BEARER, Host: "evil.example" },
    { ...BEARER, "Sec-Fetch-Site": "cross-site" },
  );
  await fc.assert(
    fc.asyncProperty(request, stranger, async ({ operation, ...sent }, fields) => {
      const answer = await ask(port, { ...sent, fields: { ...sent.fields, ...fields } });
      const isRead = operation.method === "GET" && fields.Authorization === undefined;
      assert(isRead || answer.status >= 400, answer.body);
      if (operation.needsToken) assert(answer.status >= 400, answer.body);
      assert(!answer.body.includes(TOKEN));
    }),
    { numRuns: 1500 },
  );
  assertEquals(await whatIs(balancer, state), before);
});
