// The load source http against real HTTP servers, good and bad.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { LoadResult } from "../../lib/core/pool/load.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { type HttpOptions, HttpSource } from "../../lib/load/http_json.ts";
import { backendAt } from "../support/backends.ts";
import { makeCertificates } from "../support/certificates.ts";
import { requirePeer } from "../support/require_peer.ts";
import { Deadline } from "../support/deadline.ts";

const FIELDS = {
  load1: "load1",
  cores: "cores",
  memory_available_bytes: "memory_available_bytes",
  memory_total_bytes: "memory_total_bytes",
  cpu_pressure: "cpu_pressure",
  memory_pressure: "memory_pressure",
  sessions: "sessions",
} as const;

type Handler = (request: Request) => Response | Promise<Response>;

/** A server on a free loopback port. */
class Server implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly requests: { readonly path: string; readonly headers: Headers }[] = [];

  constructor(handler: Handler, certificate?: { readonly cert: string; readonly key: string }) {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {}, ...certificate },
      async (request) => {
        const path = new URL(request.url).pathname;
        this.requests.push({ path, headers: new Headers(request.headers) });
        return await handler(request);
      },
    );
  }

  get port(): number {
    return this.#server.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

function sourceOf(more: Partial<HttpOptions> = {}): HttpSource {
  const base = { url: "http://{host}:{port}/load", fields: FIELDS, headers: {} };
  return new HttpSource({ ...base, clock: SYSTEM_CLOCK, ...more });
}

async function ask(source: HttpSource, port: number, deadlineMs?: number): Promise<LoadResult> {
  using deadline = new Deadline(deadlineMs);
  return await source.sample(backendAt("127.0.0.1", port), deadline.signal);
}

function reasonOf(result: LoadResult): string {
  assertEquals(result.kind, "failed", JSON.stringify(result));
  return result.kind === "failed" ? result.reason : "";
}

async function reasonFrom(handler: Handler, deadlineMs?: number): Promise<string> {
  await using server = new Server(handler);
  await using source = sourceOf();
  return reasonOf(await ask(source, server.port, deadlineMs));
}

Deno.test("http: a document gives a sample, with headers and a token that may change", async () => {
  const tokenFile = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(tokenFile, "first\nnot this\n");
    await using server = new Server(() =>
      Response.json({ load1: 1.25, cores: 16, memory_available_bytes: 5, sessions: 2 })
    );
    await using source = sourceOf({ headers: { "X-Key": "abc" }, tokenFile });
    for (const token of ["first", "second"]) {
      await Deno.writeTextFile(tokenFile, `${token}\nnot this\n`);
      const before = SYSTEM_CLOCK.now();
      const result = await ask(source, server.port);
      assert(result.kind === "sample", JSON.stringify(result));
      const { takenAtMs, ...sample } = result.sample;
      assertEquals(sample, { load1: 1.25, cores: 16, memoryAvailableBytes: 5, loginSessions: 2 });
      assert(takenAtMs >= before);
      const request = server.requests.at(-1);
      assertEquals(request?.path, "/load");
      assertEquals(request?.headers.get("x-key"), "abc");
      assertEquals(request?.headers.get("authorization"), `Bearer ${token}`);
    }
  } finally {
    await Deno.remove(tokenFile);
  }
});

Deno.test("http: an answer that is no document has a reason that says what it was", async () => {
  const at = /127\.0\.0\.1:\d+/g;
  const page = () =>
    new Response("<!doctype html><title>x", { headers: { "content-type": "text/html" } });
  assertEquals(
    await reasonFrom(page),
    'Cannot read "<!doctype html><title>x" (text/html) as JSON',
  );
  assertEquals(
    (await reasonFrom(() => new Response("no", { status: 403 }))).replace(at, "HOST"),
    "HTTP 403 Forbidden: no (HOST/load)",
  );
  const refusal = () => Response.json({ code: 16, message: "invalid auth token" }, { status: 401 });
  assertEquals(
    (await reasonFrom(refusal)).replace(at, "HOST"),
    "HTTP 401 Unauthorized: invalid auth token (HOST/load)",
  );
  assertEquals(
    (await reasonFrom(() => new Response(null, { status: 204 }))).replace(at, "HOST"),
    "HTTP 204 No Content (HOST/load)",
  );
  const elsewhere = () =>
    new Response(null, { status: 302, headers: { location: "http://10.0.0.1/" } });
  assertEquals(
    (await reasonFrom(elsewhere)).replace(at, "HOST"),
    "HTTP 302 Found to http://10.0.0.1/, which is not followed (HOST/load)",
  );
  assertStringIncludes(
    await reasonFrom(() => Response.json({ load: 3 })),
    'nothing stands at "load1"',
  );
  const garbage = () => new Response(crypto.getRandomValues(new Uint8Array(5000)));
  assertStringIncludes(await reasonFrom(garbage), "as JSON");
});

Deno.test("http: an answer without end is given up at 1 MiB", async () => {
  let ended = false;
  const endless = () =>
    new Response(
      new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(65_536).fill(0x20)),
        cancel: () => {
          ended = true;
        },
      }),
    );
  assertEquals(await reasonFrom(endless), "answered more than 1048576 bytes (no type)");
  assert(ended);
});

Deno.test("http: a server that is slow runs into the deadline, before and in its answer", async () => {
  const over = Promise.withResolvers<Response>();
  const silent = reasonFrom(() => over.promise, 100);
  assertEquals(await reasonOfSettled(silent, () => over.resolve(new Response())), LATE);
  const halfway = () =>
    new Response(
      new ReadableStream({
        start: (controller) => controller.enqueue(new TextEncoder().encode('{"load1":')),
      }),
    );
  assertEquals(await reasonFrom(halfway, 100), LATE);
});

const LATE = "no answer within 100ms";

/** Lets a handler end as soon as the client has given up, so that the server can shut down. */
async function reasonOfSettled(reason: Promise<string>, release: () => void): Promise<string> {
  const timer = setTimeout(release, 300);
  try {
    return await reason;
  } finally {
    clearTimeout(timer);
  }
}

Deno.test({
  ...requirePeer("openssl"),
  name: "http: by TLS, only a server with a certificate of the authority counts",
  async fn() {
    const directory = await Deno.makeTempDir();
    try {
      await makeCertificates(directory, "127.0.0.1");
      const read = (name: string) => Deno.readTextFile(`${directory}/${name}`);
      const certificate = { cert: await read("server.pem"), key: await read("server.key") };
      await using server = new Server(() => Response.json({ load1: 2 }), certificate);
      const ca = `${directory}/ca.pem`;
      await using trusting = sourceOf({ url: "https://{host}:{port}/", ca });
      assertEquals((await ask(trusting, server.port)).kind, "sample");
      await using distrusting = sourceOf({ url: "https://{host}:{port}/" });
      assertStringIncludes(reasonOf(await ask(distrusting, server.port)), "UnknownIssuer");
      await using unsound = sourceOf({ url: "https://{host}/", ca: `${directory}/server.key` });
      assertEquals(
        reasonOf(await ask(unsound, server.port)),
        `Cannot use "${directory}/server.key" as authorities: it holds no certificate in PEM`,
      );
      const before = Deno.env.get("SSL_CERT_FILE");
      Deno.env.set("SSL_CERT_FILE", ca);
      try {
        await using usual = sourceOf({ url: "https://{host}:{port}/" });
        assertEquals((await ask(usual, server.port)).kind, "sample");
      } finally {
        if (before === undefined) Deno.env.delete("SSL_CERT_FILE");
        else Deno.env.set("SSL_CERT_FILE", before);
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

Deno.test("http: what is not there, or not HTTP, has an administrator's reason", async () => {
  await using source = sourceOf();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const accepted = (async () => {
    using connection = await listener.accept();
    await connection.read(new Uint8Array(1000));
    await connection.write(new TextEncoder().encode("SSH-2.0-OpenSSH_9.2\r\n"));
    await connection.read(new Uint8Array(1000));
  })();
  assertEquals(
    reasonOf(await ask(source, port)),
    `invalid HTTP version parsed (127.0.0.1:${port})`,
  );
  await accepted;
  listener.close();
  assertEquals(reasonOf(await ask(source, port)), `connection refused (127.0.0.1:${port})`);
  await using tls = sourceOf({ url: "https://127.0.0.1:{port}/", ca: "/nonexistent/ca.pem" });
  assertStringIncludes(
    reasonOf(await ask(tls, port)),
    'Cannot use "/nonexistent/ca.pem" as authorities: ',
  );
  await using untold = sourceOf({ tokenFile: "/nonexistent/token" });
  assertStringIncludes(
    reasonOf(await ask(untold, port)),
    'Cannot read a token in "/nonexistent/token": ',
  );
});

Deno.test("http: dispose ends a question that is still open", async () => {
  const over = Promise.withResolvers<Response>();
  await using server = new Server(() => over.promise);
  const source = sourceOf();
  const asked = ask(source, server.port);
  await source[Symbol.asyncDispose]();
  assertEquals(reasonOf(await asked), "stopped");
  over.resolve(new Response());
});
