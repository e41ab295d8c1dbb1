// The load source nrpe against the real daemon in each of its modes, and against one that misbehaves.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { LoadResult } from "../../lib/core/pool/load.ts";
import { AnonymousTlsClient } from "../../lib/host/libssl.ts";
import { type NrpeOptions, NrpeSource } from "../../lib/load/nrpe.ts";
import { type NrpeFault, NrpePeer } from "../peers/nrpe_peer.ts";
import { Nrped } from "../peers/nrped.ts";
import { backendAt } from "../support/backends.ts";
import { Deadline } from "../support/deadline.ts";
import { childrenOf } from "../support/processes.ts";
import { DEADLINE_MS, waitFor } from "../support/wait_for.ts";
import { requirePeer } from "../support/require_peer.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";

async function ask(
  source: NrpeSource,
  host = "127.0.0.1",
  deadlineMs = DEADLINE_MS,
): Promise<LoadResult> {
  using deadline = new Deadline(deadlineMs);
  return await source.sample(backendAt(host), deadline.signal);
}

function optionsFor(port: number, more: Partial<NrpeOptions> = {}): NrpeOptions {
  return {
    port,
    command: "check_load",
    tls: "auto",
    verifyName: true,
    clock: SYSTEM_CLOCK,
    ...more,
  };
}

function reasonOf(result: LoadResult): string {
  assertEquals(result.kind, "failed");
  return result.kind === "failed" ? result.reason : "";
}

function assertLoad(result: LoadResult, load1: number, cores?: number): void {
  assert(result.kind === "sample", JSON.stringify(result));
  assertEquals(result.sample.load1, load1);
  assertEquals(result.sample.cores, cores);
  assert(Math.abs(result.sample.takenAtMs - Date.now()) < 60_000);
}

async function openDescriptors(): Promise<number> {
  let count = 0;
  for await (const _ of Deno.readDir("/proc/self/fd")) count++;
  return count;
}

Deno.test({
  ...requirePeer("nrpe"),
  name: "nrpe: a plain daemon gives load and cores, and the way to it is remembered",
  async fn() {
    await using nrped = await Nrped.start({ address: "127.0.0.2" });
    using tls = new AnonymousTlsClient();
    await using source = new NrpeSource(optionsFor(nrped.port, { anonymousTls: tls.connect }));
    await nrped.setLoad(3.25, 8);
    assertLoad(await ask(source, "127.0.0.2"), 3.25, 8);
    await nrped.setLoad(0, 8);
    assertLoad(await ask(source, "127.0.0.2"), 0, 8);
    source.forget(backendAt("127.0.0.2").id);
    assertLoad(await ask(source, "127.0.0.2"), 0, undefined);
  },
});

Deno.test({
  ...requirePeer("nrpe", "check_load"),
  name: "nrpe: the real check_load -r gives this machine's load",
  async fn() {
    const command = "/usr/lib/nagios/plugins/check_load -r -w 0,0,0 -c 900,900,900";
    await using nrped = await Nrped.start({ commands: { check_load: command } });
    await using source = new NrpeSource(optionsFor(nrped.port));
    const [before, result] = [Deno.loadavg()[0] ?? 0, await ask(source)];
    assert(result.kind === "sample", JSON.stringify(result));
    assert(Math.abs(result.sample.load1 - before) < 5);
  },
});

for (const use of ["libssl", "openssl"] as const) {
  Deno.test({
    ...requirePeer("nrpe", "openssl"),
    name: `nrpe: a stock daemon is asked by anonymous TLS (${use})`,
    async fn() {
      await using nrped = await Nrped.start({ mode: "anonymous" });
      await nrped.setLoad(12.5, 24);
      using tls = new AnonymousTlsClient({ use });
      for (const mode of ["auto", "anonymous"] as const) {
        const options = optionsFor(nrped.port, { tls: mode, anonymousTls: tls.connect });
        await using source = new NrpeSource(options);
        assertLoad(await ask(source), 12.5, 24);
        assertLoad(await ask(source), 12.5, 24);
      }
      await using plain = new NrpeSource(optionsFor(nrped.port, { tls: "off" }));
      assertStringIncludes(reasonOf(await ask(plain)), "closed without an answer");
      // The processes of openssl are waited for, so none stays as a zombie.
      await waitFor("the end of openssl", async () => {
        const children = await childrenOf(Deno.pid);
        return children.every((pid) => pid === nrped.pid);
      });
    },
  });

  Deno.test({
    ...requirePeer("nrpe", "openssl"),
    name: `nrpe: a long answer comes whole through anonymous TLS, and nothing stays open (${use})`,
    async fn() {
      const output = "printf 'LOAD OK|'; head -c 60000 /dev/zero | tr '\\0' x; echo ' load1=7.250'";
      const commands = { check_load: output };
      await using nrped = await Nrped.start({ mode: "anonymous", commands });
      using tls = new AnonymousTlsClient({ use });
      const options = optionsFor(nrped.port, { anonymousTls: tls.connect });
      await using source = new NrpeSource(options);
      assertLoad(await ask(source), 7.25);
      const before = await openDescriptors();
      for (let round = 0; round < 20; round++) assertLoad(await ask(source), 7.25);
      await waitFor("the descriptors to close", async () => await openDescriptors() <= before);
    },
  });

  Deno.test({
    ...requirePeer("nrpe", "openssl"),
    name: `nrpe: anonymous TLS to a daemon that has something else fails with words (${use})`,
    async fn() {
      using tls = new AnonymousTlsClient({ use });
      const anonymous = { tls: "anonymous", anonymousTls: tls.connect } as const;
      await using plain = await Nrped.start({ mode: "plain" });
      await using toPlain = new NrpeSource(optionsFor(plain.port, anonymous));
      assertMatch(reasonOf(await ask(toPlain)), /^TLS handshake failed: the daemon closed/);
      const certificates = { mode: "certificates", requireClientCertificate: true } as const;
      await using strict = await Nrped.start(certificates);
      const auto = optionsFor(strict.port, { anonymousTls: tls.connect });
      await using toStrict = new NrpeSource(auto);
      assertMatch(
        reasonOf(await ask(toStrict)),
        /^TLS handshake failed: .* \(does the daemon want certificates\?/,
      );
      await plain.stop();
      assertEquals(reasonOf(await ask(toPlain)), `connection refused (127.0.0.1:${plain.port})`);
    },
  });

  Deno.test({
    ...requirePeer("openssl"),
    name: `nrpe: a daemon that hangs in the handshake costs no more than the deadline (${use})`,
    async fn() {
      await using silent = NrpePeer.start("hangs");
      // It waits for the rest of a query as long as what came looks like one; TLS does not, so the
      // listener below takes the handshake and says nothing.
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      using tls = new AnonymousTlsClient({ use });
      const port = listener.addr.port;
      await using source = new NrpeSource(optionsFor(port, { anonymousTls: tls.connect }));
      assertMatch(
        reasonOf(await ask(source, "127.0.0.1", 300)),
        /^no answer within 300ms \(connecting to 127\.0\.0\.1:\d+\)$/,
      );
      listener.close();
      await using other = new NrpeSource(optionsFor(silent.port, { anonymousTls: tls.connect }));
      assertMatch(reasonOf(await ask(other, "127.0.0.1", 300)), /^no answer within 300ms/);
      await waitFor("openssl to end", async () => (await childrenOf(Deno.pid)).length === 0);
    },
  });
}

Deno.test({
  ...requirePeer("nrpe"),
  name: "nrpe: without libssl and openssl the reason says so",
  async fn() {
    await using nrped = await Nrped.start({ mode: "anonymous" });
    using tls = new AnonymousTlsClient({ use: "openssl", opensslProgram: "/nonexistent/openssl" });
    const options = { anonymousTls: tls.connect };
    await using anonymous = new NrpeSource(
      optionsFor(nrped.port, { ...options, tls: "anonymous" }),
    );
    assertStringIncludes(reasonOf(await ask(anonymous)), "Cannot speak anonymous TLS");
    await using auto = new NrpeSource(optionsFor(nrped.port, options));
    const reason = reasonOf(await ask(auto));
    assertStringIncludes(reason, "closed without an answer");
    assertStringIncludes(reason, "is not installed");
  },
});

Deno.test({
  ...requirePeer("nrpe", "openssl"),
  name: "nrpe: certificates are verified both ways",
  async fn() {
    const mode = { mode: "certificates", requireClientCertificate: true } as const;
    await using nrped = await Nrped.start(mode);
    await nrped.setLoad(1.5, 2);
    const { ca, clientCertificate, clientKey } = nrped.certificates;
    const ours = { ca, certificate: clientCertificate, key: clientKey };
    const askWith = async (more: Partial<NrpeOptions>, host = "127.0.0.1") => {
      await using source = new NrpeSource(optionsFor(nrped.port, more));
      return await ask(source, host);
    };
    assertLoad(await askWith(ours), 1.5, 2);
    assertLoad(await askWith({ ...ours, tls: "certificates" }, "localhost"), 1.5, 2);
    assertStringIncludes(reasonOf(await askWith({ ca })), "the daemon wants a certificate");
    assertStringIncludes(
      reasonOf(await askWith({ ...ours, ca: clientCertificate })),
      "not from a trusted authority",
    );
    assertStringIncludes(
      reasonOf(await askWith({ ...ours, ca: "/nonexistent/ca.pem" })),
      'Cannot read "/nonexistent/ca.pem"',
    );
    // With an authority configured, nothing less than a verified daemon will do.
    await using plain = await Nrped.start({ mode: "plain" });
    await using source = new NrpeSource(optionsFor(plain.port, { ca }));
    assertMatch(reasonOf(await ask(source)), /^TLS handshake failed/);
  },
});

Deno.test({
  ...requirePeer("nrpe", "openssl"),
  name: "nrpe: a certificate for another name is refused unless verify_name is off",
  async fn() {
    // Its certificate names localhost and 127.0.0.3.
    await using nrped = await Nrped.start({ mode: "certificates", address: "127.0.0.3" });
    const { ca } = nrped.certificates;
    const backend = backendAt("kelvin", 22, {
      loadAddress: { transport: "tcp", host: "127.0.0.3", port: nrped.port },
    });
    using deadline = new Deadline();
    await using right = new NrpeSource(optionsFor(1, { ca }));
    assertLoad(await right.sample(backend, deadline.signal), 0, undefined);

    await using other = await Nrped.start({ mode: "certificates", address: "127.0.0.4" });
    await Deno.copyFile(`${nrped.directory}/server.pem`, `${other.directory}/server.pem`);
    await Deno.copyFile(`${nrped.directory}/server.key`, `${other.directory}/server.key`);
    await other.restart();
    await using strict = new NrpeSource(optionsFor(other.port, { ca }));
    assertStringIncludes(reasonOf(await ask(strict, "127.0.0.4")), "for another name");
    await using lenient = new NrpeSource(optionsFor(other.port, { ca, verifyName: false }));
    assertLoad(await ask(lenient, "127.0.0.4"), 0, undefined);
  },
});

Deno.test({
  ...requirePeer("nrpe"),
  name: "nrpe: what the daemon says about a command reaches the administrator",
  async fn() {
    const commands = { check_disk: "/bin/echo DISK OK", check_none: "/bin/true" };
    await using nrped = await Nrped.start({ commands });
    const askFor = async (command: string) => {
      await using source = new NrpeSource(optionsFor(nrped.port, { command }));
      return reasonOf(await ask(source));
    };
    assertEquals(await askFor("nope"), "NRPE: Command 'nope' not defined");
    assertEquals(
      await askFor("check_disk"),
      'Cannot find a load in "DISK OK": expected "load1=..."',
    );
    assertStringIncludes(await askFor("check_none"), "NRPE: Unable to read output");
    assertStringIncludes(await askFor("check_load!1!2"), "dont_blame_nrpe");
    assertStringIncludes(await askFor("x".repeat(2000)), "Cannot send");
  },
});

Deno.test({
  ...requirePeer("nrpe"),
  name: "nrpe: a daemon that does not know us closes, and the reason names allowed_hosts",
  async fn() {
    for (const mode of ["plain", "anonymous"] as const) {
      await using nrped = await Nrped.start({ mode, allowedHosts: "192.0.2.1" });
      using tls = new AnonymousTlsClient();
      await using source = new NrpeSource(optionsFor(nrped.port, { anonymousTls: tls.connect }));
      assertStringIncludes(reasonOf(await ask(source)), "allowed_hosts");
    }
  },
});

Deno.test({
  ...requirePeer("nrpe"),
  name: "nrpe: a daemon that comes back in another mode is found again at once",
  async fn() {
    using tls = new AnonymousTlsClient();
    await using first = await Nrped.start({ mode: "anonymous" });
    const options = optionsFor(first.port, { anonymousTls: tls.connect });
    await using source = new NrpeSource(options);
    assertLoad(await ask(source), 0, undefined);
    await first.stop();
    assertStringIncludes(reasonOf(await ask(source)), "connection refused");
    await using second = await Nrped.start({ mode: "plain", port: first.port });
    assertLoad(await ask(source), 0, undefined);
    await second.stop();
    await first.restart();
    assertLoad(await ask(source), 0, undefined);
  },
});

Deno.test("nrpe: faults of a daemon end in reasons", async () => {
  const expected: readonly (readonly [NrpeFault, RegExp])[] = [
    ["closes_at_once", /^closed without an answer \(is this balancer in allowed_hosts\?\)$/],
    ["hangs", /^no answer within 200ms \(query was sent\)$/],
    ["garbage", /^not an NRPE packet: version 65535, expected 2, 3 or 4$/],
    ["wrong_crc", /^CRC mismatch$/],
    ["wrong_type", /^packet type 1, expected a response$/],
    ["cut_short", /^answer is cut short: 20 of 1036 bytes$/],
    ["claims_too_much", /^answer is cut short: 117 of 5016 bytes$/],
    ["claims_too_little", /^91 bytes too many after 26$/],
    ["claims_4_gib", /^packet claims 4294967311 bytes, expected at most 65536$/],
  ];
  for (const [fault, pattern] of expected) {
    await using peer = NrpePeer.start(fault);
    await using source = new NrpeSource(optionsFor(peer.port, { tls: "off" }));
    const deadlineMs = fault === "hangs" ? 200 : DEADLINE_MS;
    assertMatch(reasonOf(await ask(source, "127.0.0.1", deadlineMs)), pattern);
    await waitFor("the connection's end", () => peer.openConnections === 0);
  }
});

Deno.test("nrpe: a v2-only daemon is asked in v2 from then on", async () => {
  await using peer = NrpePeer.start("v2_only");
  await using source = new NrpeSource(optionsFor(peer.port, { tls: "off" }));
  for (let round = 0; round < 3; round++) assertLoad(await ask(source), 1.5);
  assertEquals(peer.versions, [4, 2, 2, 2]);
  peer.fault = "wrong_crc";
  assertEquals(reasonOf(await ask(source)), "CRC mismatch");
  peer.fault = "none";
  assertLoad(await ask(source), 1.5);
  assertEquals(peer.versions, [4, 2, 2, 2, 2, 4]);
});

Deno.test("nrpe: a slow answer is put together", async () => {
  await using peer = NrpePeer.start("slow");
  peer.resultCode = 2;
  await using source = new NrpeSource(optionsFor(peer.port, { tls: "off" }));
  assertLoad(await ask(source), 1.5);
});

Deno.test("nrpe: a backend on a unix socket has no NRPE, unless told where", async () => {
  await using peer = NrpePeer.start();
  await using source = new NrpeSource(optionsFor(1, { tls: "off" }));
  const address = { transport: "unix", path: "/run/x.sock" } as const;
  using deadline = new Deadline();
  const backend = { id: "unix:/run/x.sock", address, maxConnections: 0 };
  assertEquals(
    reasonOf(await source.sample(backend, deadline.signal)),
    'Cannot ask "unix:/run/x.sock" by NRPE: expected a TCP address',
  );
  const loadAddress = { transport: "tcp", host: "127.0.0.1", port: peer.port } as const;
  assertLoad(await source.sample({ ...backend, loadAddress }, deadline.signal), 1.5);
});

Deno.test("nrpe: an aborted signal is a result", async () => {
  await using peer = NrpePeer.start();
  await using source = new NrpeSource(optionsFor(peer.port, { tls: "off" }));
  const signal = AbortSignal.abort();
  assertMatch(reasonOf(await source.sample(backendAt("127.0.0.1"), signal)), /^stopped/);
  assertEquals(peer.connectionCount, 0);
});
