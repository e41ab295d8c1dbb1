// The discovery sources oio_proxy and oio_cluster against stand-ins: OpenIO is not in Debian.

import { assertEquals } from "@std/assert";
import { oioClusterLines, serveOioProxy, writeOioCluster } from "../peers/oio.ts";
import { freePort } from "../support/processes.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { SourceWatcher } from "../support/source_watcher.ts";

Deno.test("oio_proxy: services are backends, as they change and as the proxy comes and goes", async () => {
  const port = freePort();
  const services: Record<string, string[]> = { "OPENIO/rawx": ["127.0.0.1:6010"] };
  await using watched = new SourceWatcher(`oio-proxy://127.0.0.1:${port}/OPENIO/rawx`);
  await watched.fails(/^connection refused \(127\.0\.0\.1:\d+\)$/);
  const first = serveOioProxy(services, port);
  await watched.has("127.0.0.1:6010");
  services["OPENIO/rawx"] = ["127.0.0.1:6011", "127.0.0.1:6010", "127.0.0.1:6011"];
  await watched.has("127.0.0.1:6011", "127.0.0.1:6010");
  const failures = watched.failures.length;
  await first.shutdown();
  await watched.fails(/./, failures);
  await watched.has("127.0.0.1:6011", "127.0.0.1:6010");
  await using _second = serveOioProxy(services, port);
  await watched.next();
  services["OPENIO/rawx"] = [];
  await watched.has();
});

Deno.test("oio_proxy: what is no list of services is a failure", async () => {
  const cases: [() => Response, RegExp][] = [
    [
      () => Response.json({ addr: "127.0.0.1:1" }),
      /^Cannot use an object: expected a list of serv/,
    ],
    [() => new Response("[{"), /^Cannot use "\[\{": expected a list of services$/],
    [() => Response.json([{ score: 1 }]), /^item 1: Cannot use an object as a backend/],
    [() => new Response(new ReadableStream()), /^no answer within 5(\.0)?s$/],
    [
      () => Response.json({ message: "Namespace not managed" }, { status: 404 }),
      /^HTTP 404 Not Found: Namespace not managed \(127\.0\.0\.1:\d+\/v2\.0\/cs\/OPENIO\/rawx\)$/,
    ],
  ];
  for (const [answer, pattern] of cases) {
    await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, answer);
    await using watched = new SourceWatcher(
      `oio-proxy://127.0.0.1:${server.addr.port}/OPENIO/rawx`,
    );
    await watched.fails(pattern);
    assertEquals(watched.lists, []);
  }
});

Deno.test("oio_cluster: the third field of the type's lines is a backend", async () => {
  await using directory = new TemporaryDirectory();
  const [program, output] = [`${directory.path}/oio-cluster`, `${directory.path}/output`];
  const keys = { source: "oio_cluster", namespace: "OPENIO", service_type: "rawx", program };
  await using watched = new SourceWatcher(keys);
  await watched.fails(/^Cannot run "\S+\/oio-cluster": /);
  const many = Array.from({ length: 500 }, (_, at) => ["rawx", `127.0.1.${at % 250}:${6000 + at}`]);
  const write = (services: readonly (readonly string[])[]) =>
    Deno.writeTextFile(
      output,
      oioClusterLines("OPENIO", services.map(([type = "", address = ""]) => [type, address])),
    );
  await write([["meta2", "127.0.0.1:5000"], ["rawx", "127.0.0.1:6010"]]);
  await writeOioCluster(program, output);
  await watched.has("127.0.0.1:6010");
  await write(many);
  await watched.has(...many.map(([, address = ""]) => address));
  await write([["meta2", "127.0.0.1:5000"]]);
  await watched.has();
  await Deno.remove(output);
  await watched.fails(/^exit status 1: cat: \S+ No such file or directory$/);
  await using other = new SourceWatcher({ ...keys, namespace: "OTHER" });
  await other.fails(/^exit status 1: no such namespace$/);
});
