// The discovery sources file, exec and http with real files, programs and servers.

import { assert, assertEquals } from "@std/assert";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { runProgram } from "../support/balancer.ts";
import { makeCertificates } from "../support/certificates.ts";
import { endByFile, isAlive } from "../support/processes.ts";
import { mustRun, TemporaryDirectory } from "../support/run_program.ts";
import { SourceWatcher } from "../support/source_watcher.ts";
import { waitFor } from "../support/wait_for.ts";

/** As many backends as are asked for, and what a list of them is written as. */
function many(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `192.0.2.${at % 250}:${1000 + at} weight=2`);
}

Deno.test("file: a list is there at once, and each change within a second", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/backends`;
  await Deno.writeTextFile(path, "a:1=4 # the first\n\n# b:2\nc:3 weight=0.5 max_connections=7\n");
  await using watched = new SourceWatcher(`file:${path}`, 1);
  await watched.has("a:1 cores=4", "c:3 weight=0.5 maxConnections=7");
  // Written over, renamed over, removed and made anew, linked.
  await Deno.writeTextFile(path, "b:2\n");
  await watched.has("b:2");
  await Deno.writeTextFile(`${path}.new`, '["[::1]:22", {"address": "d", "cores": 2}]');
  await Deno.rename(`${path}.new`, path);
  await watched.has("[::1]:22", "d:1? cores=2");
  await Deno.remove(path);
  await watched.fails(/: there is no such file$/);
  await Deno.writeTextFile(path, "[::1]:22\ne:1");
  await watched.has("[::1]:22", "e:1");
  await Deno.writeTextFile(`${path}.2`, "f:1");
  await Deno.remove(path);
  await Deno.symlink(`${path}.2`, path);
  await watched.has("f:1");
  await Deno.writeTextFile(`${path}.2`, many(512).join("\n"));
  await watched.has(...many(512));
  await Deno.writeTextFile(path, "");
  assertEquals((await watched.next()).backends, []);
});

Deno.test("file: what is half written, or cannot be read, is no list", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/backends`;
  await using watched = new SourceWatcher({ source: "file", path }, 1);
  await watched.fails(/: there is no such file$/);
  await Deno.writeTextFile(path, "a:1");
  await watched.has("a:1");
  const lists = watched.lists.length;
  // A writer that is never done for long.
  using writer = await Deno.open(path, { write: true, truncate: true });
  for (const line of many(40)) {
    await writer.write(new TextEncoder().encode(`${line}\n`));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await watched.has(...many(40));
  assertEquals(watched.lists.length, lists + 1);
  // A pipe that nobody writes to, a folder, a file of gigabytes, and one that may not be read.
  const replacements: readonly (readonly [make: () => Promise<unknown>, reason: RegExp])[] = [
    [() => mustRun("mkfifo", path), /it is no regular file$/],
    [() => mustRun("truncate", "-s", "3G", path), /it has more than 1MiB$/],
    [() => Deno.mkdir(path), /it is no regular file$/],
  ];
  for (const [make, reason] of replacements) {
    await Deno.remove(path);
    await make();
    await waitFor(String(reason), () => {
      const said = watched.failures.at(-1) ?? "";
      if (reason.test(said)) return true;
      throw new Error(said);
    });
  }
  await Deno.remove(path);
  await Deno.writeFile(path, crypto.getRandomValues(new Uint8Array(1000)));
  const { backends, skipped } = await watched.next();
  assert(backends.length === 0 && skipped.length > 0);
});

Deno.test("check --probe asks each source once, and the backends that it names", async () => {
  await using folder = new TemporaryDirectory();
  await using peer = new TcpPeer(greetThenEcho("a"));
  const path = `${folder.path}/backends`;
  await Deno.writeTextFile(path, `${peer.address}\nnot a backend\n`);
  const flags = ["--listen", "127.0.0.1:0", "--load", "none", "--health", "tcp"];
  const discover = ["--discover", `file:${path}`, "--discover", `file:${path}.2`];
  const { code, stdout } = await runProgram(["check", "--probe", ...flags, ...discover]);
  assertEquals(code, 1);
  assertEquals(stdout.split("\n").filter((line) => /^ {2}(ok|FAIL)/.test(line)).slice(1), [
    `  ok   file ${path}: names 1 backend`,
    `  FAIL file ${path}: line 2: Cannot read "a" behind a backend: expected cores=N, weight=W or ` +
    "max_connections=N",
    `  FAIL file ${path}.2: Cannot read "${path}.2": there is no such file`,
    `  ok   ${peer.address}: accepts connections`,
  ]);
});

Deno.test("exec: runs again and again, and its list is whole or none", async () => {
  await using folder = new TemporaryDirectory();
  const file = `${folder.path}/list`;
  await Deno.writeTextFile(file, "a:1\nb:2");
  const script = `read -r first <${file}; case $first in fail) echo no database >&2; exit 3;; ` +
    `hang) sleep 1000 & echo $! >${file}.pid; wait;; flood) yes;; esac; cat ${file}`;
  const command = ["/bin/sh", "-c", script];
  await using watched = new SourceWatcher({
    source: "exec",
    command,
    interval: "100ms",
    timeout: "500ms",
  }, 1);
  await watched.has("a:1", "b:2");
  await Deno.writeTextFile(file, many(512).join("\n"));
  await watched.has(...many(512));
  for (
    const [text, reason] of [
      ["fail", /^exit status 3: no database$/],
      ["hang", /^no answer within 500 ?ms$/],
      ["flood", /^(printed more than 1048576 bytes|no answer within 500 ?ms)$/],
      ['["a:1", {"address"', /^Cannot read .* as JSON/],
    ] as const
  ) {
    await Deno.writeTextFile(file, text);
    await waitFor(String(reason), () => reason.test(watched.failures.at(-1) ?? ""));
  }
  const left = Number(await Deno.readTextFile(`${file}.pid`));
  await waitFor("what it has started to end", async () => !await isAlive(left));
  await Deno.writeTextFile(file, "c:3");
  await watched.has("c:3");
});

Deno.test("exec: a program that is not there, and one whose end nobody sees", async () => {
  await using missing = new SourceWatcher("exec:/nonexistent/lister --all", 1);
  await missing.fails(/^Cannot run "\/nonexistent\/lister"/);
  await using folder = new TemporaryDirectory();
  const pid = `${folder.path}/pid`;
  const script = `setsid sh -c 'echo $$ >${pid}; exec sleep 1000' & ` +
    `until test -s ${pid}; do sleep 0.01; done; echo a:1`;
  await using watched = new SourceWatcher(
    { source: "exec", command: ["/bin/sh", "-c", script] },
    1,
  );
  await watched.has("a:1");
  await endByFile(pid);
});

Deno.test("http: a JSON array, and whatever else servers answer", async () => {
  await using folder = new TemporaryDirectory();
  await Deno.writeTextFile(`${folder.path}/token`, "secret-token-of-16\n");
  let answer: (request: Request) => Response = () => Response.json(["a:1", "b:2"]);
  const seen: string[] = [];
  const serve = (port: number) =>
    Deno.serve({ port, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
      seen.push(`${request.headers.get("authorization")} ${request.headers.get("x-key")}`);
      return answer(request);
    });
  let server = serve(0);
  const { port } = server.addr;
  const written = {
    source: "http",
    url: `http://127.0.0.1:${port}/list?key=hidden`,
    interval: "100ms",
    timeout: "500ms",
    token_file: `${folder.path}/token`,
    headers: { "X-Key": "abc" },
  };
  try {
    await using watched = new SourceWatcher(written, 1);
    await watched.has("a:1", "b:2");
    assertEquals(seen[0], "Bearer secret-token-of-16 abc");
    answer = () => Response.json([{ address: "c", cores: 8, weight: 2.5, more: [] }, "[::1]:9=2"]);
    await watched.has("c:1? cores=8 weight=2.5", "[::1]:9 cores=2");
    for (
      const [next, reason] of [
        [() => new Response("gone", { status: 503 }), /^HTTP 503/],
        [() => new Response("<html>"), /as JSON$/],
        [() => Response.json({ servers: [] }), /expected a list of backends$/],
        [() => new Response('["a:1", "b'), /as JSON/],
        [() => new Response(new Uint8Array(2_000_000)), /more than 1048576 bytes/],
        [() => Response.redirect("http://127.0.0.1:1/"), /which is not followed/],
        [() => new Response(new ReadableStream()), /^no answer within/],
      ] as const
    ) {
      answer = next;
      await waitFor(String(reason), () => reason.test(watched.failures.at(-1) ?? ""));
    }
    await server.shutdown().catch(() => {});
    await waitFor("its death", () => /refused/.test(watched.failures.at(-1) ?? ""));
    answer = () => Response.json(many(512));
    server = serve(port);
    await watched.has(...many(512));
    answer = () => Response.json([]);
    assertEquals((await watched.next()).backends.length % 512, 0);
    await Deno.remove(`${folder.path}/token`);
    await waitFor("its token", () => /^Cannot read a token/.test(watched.failures.at(-1) ?? ""));
    assert(!watched.failures.some((text) => /hidden|secret/.test(text)), watched.failures.join());
  } finally {
    await server.shutdown();
  }
});

Deno.test("http: by TLS, when it trusts the server's authority", async () => {
  await using folder = new TemporaryDirectory();
  await makeCertificates(folder.path, "127.0.0.1");
  const [cert, key] = await Promise.all(
    ["server.pem", "server.key"].map((name) => Deno.readTextFile(`${folder.path}/${name}`)),
  );
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {}, cert: cert ?? "", key: key ?? "" },
    () => Response.json(["a:1"]),
  );
  const url = `https://127.0.0.1:${server.addr.port}/`;
  await using trusting = new SourceWatcher({ source: "http", url, ca: `${folder.path}/ca.pem` }, 1);
  await trusting.has("a:1");
  await using wary = new SourceWatcher(url, 1);
  await wary.fails(/certificate/i);
});
