// The discovery source containers against the real podman, and against what only pretends to be an engine.

import { assertEquals, assertMatch } from "@std/assert";
import { Podman } from "../peers/podman.ts";
import { needs } from "../support/needs.ts";
import { requirePeer } from "../support/require_peer.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { waitFor } from "../support/wait_for.ts";
import { SourceWatcher } from "../support/source_watcher.ts";

const LABEL = "compute-lb.pool=compute";

Deno.test({
  ignore: requirePeer("podman", "runc").ignore || needs("root", "unshare", "nsenter").ignore,
  name: "containers: those with the label are backends, as they come and go and as the engine does",
  async fn() {
    await using podman = await Podman.make();
    const { socket } = podman;
    await using watched = new SourceWatcher({
      source: "containers",
      socket,
      labels: [LABEL],
      port: "22",
    });
    await watched.fails(/^\S+\/api\.sock: .*No such file/);
    try {
      await podman.serve();
      await podman.run("other");
    } catch (error) {
      // Whoever runs the tests may be in a container that may not have others; none of ours is asked yet.
      console.error(`skipped: no container can be run here: ${error}`);
      return;
    }
    await watched.has();
    await podman.run("hoek", `--label=${LABEL}`, "--label=compute-lb.cores=12");
    const hoek = await podman.addressOf("hoek");
    await watched.has(`${hoek}:22 cores=12`);
    await podman.run("kelvin", `--label=${LABEL}`, "--label=compute-lb.port=2222");
    const kelvin = await podman.addressOf("kelvin");
    await watched.has(`${hoek}:22 cores=12`, `${kelvin}:2222`);
    await podman.stop("hoek");
    await watched.has(`${kelvin}:2222`);
    await podman.start("hoek");
    await watched.has(`${await podman.addressOf("hoek")}:22 cores=12`, `${kelvin}:2222`);
    const { pool, failures: { length } } = watched;
    await podman.kill();
    await watched.fails(/^\S+\/api\.sock: /, length);
    assertEquals(watched.pool, pool);
    const next = watched.next();
    await podman.serve();
    await next;
    assertEquals(watched.pool, pool);
    await podman.remove("hoek", "kelvin");
    await watched.has();
  },
});

/** An engine that answers as it is told. */
function engineAt(path: string, answer: (url: URL) => Response): Deno.HttpServer<Deno.UnixAddr> {
  return Deno.serve({ path, onListen: () => {} }, (request) => answer(new URL(request.url)));
}

async function reasonOf(answer: () => Response): Promise<string> {
  await using directory = new TemporaryDirectory();
  const socket = `${directory.path}/s`;
  await using _engine = engineAt(socket, answer);
  await using watched = new SourceWatcher({ source: "containers", socket, labels: [LABEL] }, 2);
  const reason = await watched.fails(/./);
  assertEquals(watched.lists, []);
  return reason.replace(socket, "it");
}

Deno.test("containers: an answer that is no list is a failure", async () => {
  const cases: [() => Response, RegExp][] = [
    [() => new Response("{}"), /^it: Cannot use an object: expected a list of containers$/],
    [() => new Response('["a'), /^it: Cannot use "\[\\"a": expected a list of containers$/],
    [
      () => new Response("<html>", { headers: { "content-type": "text/html" } }),
      /^it: Cannot read/,
    ],
    [() => new Response("x".repeat(17_000_000)), /^it: answered more than 16777216 bytes/],
    [
      () => Response.json({ message: "no" }, { status: 500 }),
      /^it: HTTP 500 Internal Server Error: no/,
    ],
    [() => new Response(new ReadableStream()), /^it: no answer within 5(\.0)?s$/],
    [
      () => Response.json([{ Id: "abc", Names: ["/hoek"], Labels: {} }]),
      /^container hoek: it has no address in any network: its networks are none$/,
    ],
  ];
  for (const [answer, pattern] of cases) assertMatch(await reasonOf(answer), pattern);
});

Deno.test("containers: without events the engine is asked at intervals", async () => {
  await using directory = new TemporaryDirectory();
  const socket = `${directory.path}/s`;
  let lists = 0;
  const container = (address: string) => ({
    Names: ["/hoek"],
    NetworkSettings: { Networks: { compute: { IPAddress: address } } },
  });
  await using _engine = engineAt(socket, ({ pathname, searchParams }) => {
    const filters = JSON.parse(searchParams.get("filters") ?? "");
    assertEquals(filters.label, [LABEL]);
    if (pathname === "/events") return Response.json({ message: "denied" }, { status: 403 });
    return Response.json([container(`192.0.2.${++lists}`)]);
  });
  const keys = { source: "containers", socket, labels: [LABEL], interval: "1s" };
  await using watched = new SourceWatcher(keys);
  await watched.has("192.0.2.1:1?");
  await watched.has("192.0.2.2:1?");
  await watched.has("192.0.2.3:1?");
  assertEquals(watched.said, [
    `${socket} tells of no events (HTTP 403 Forbidden): it is asked every 1.0s alone`,
  ]);
});

Deno.test("containers: an event has the engine asked, one of a health check does not", async () => {
  await using directory = new TemporaryDirectory();
  const socket = `${directory.path}/s`;
  let tell: ReadableStreamDefaultController<Uint8Array> | undefined;
  let asked = 0;
  await using _engine = engineAt(socket, ({ pathname }) => {
    if (pathname === "/containers/json") {
      asked++;
      return Response.json([]);
    }
    return new Response(new ReadableStream({ start: (controller) => void (tell = controller) }));
  });
  const event = (action: string) =>
    new TextEncoder().encode(`${JSON.stringify({ Type: "container", Action: action })}\n`);
  await using watched = new SourceWatcher({ source: "containers", socket, labels: [LABEL] }, 1);
  await watched.has();
  await waitFor("events to be asked for", () => tell);
  tell?.enqueue(event("exec_start: sh"));
  tell?.enqueue(event("health_status: healthy"));
  assertEquals(asked, 1);
  const [half, rest] = [event("start").slice(0, 9), event("start").slice(9)];
  tell?.enqueue(half);
  tell?.enqueue(rest);
  await watched.next(1);
  assertEquals(asked, 2);
});
