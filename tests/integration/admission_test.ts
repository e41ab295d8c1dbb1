// The real program keeps clients out by lists and limits, and reads the files of lists again on HUP.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer, runProgram } from "../support/balancer.ts";
import { heardFrom, LoopbackClient } from "../support/loopback_client.ts";
import { configOf } from "../support/running_config.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { waitFor } from "../support/wait_for.ts";

for (const engine of ["splice", "portable"]) {
  Deno.test(`${engine}: files of networks are read again on HUP, one with faults changes nothing`, async () => {
    await using backend = new TcpPeer(greetThenEcho("a"));
    await using folder = new TemporaryDirectory();
    const list = `${folder.path}/deny.txt`;
    await Deno.writeTextFile(list, "# scanners\n127.0.0.2\n");
    const config = configOf([backend.address], {
      frontend: `, allow: 127.0.0.0/29, deny: ["file:${list}", 127.0.0.4]`,
    });
    await using balancer = await Balancer.start({ config, flags: ["--engine", engine] });
    const port = await balancer.port("echo");
    const heard = async () => {
      let letters = "";
      for (const last of [1, 2, 3, 4, 9]) {
        letters += await heardFrom(`127.0.0.${last}`, port) || "-";
      }
      return letters;
    };
    using session = new LoopbackClient("127.0.0.3", port);
    assertEquals([await heard(), await session.greeting()], ["a-a--", "a"]);
    const { message } = await balancer.logged("keeps its address out");
    assertStringIncludes(String(message), "echo: client 127.0.0.2:");

    await Deno.writeTextFile(list, "127.0.0.3/32 # moved\n");
    assertStringIncludes(
      String((await balancer.reload(config)).message),
      ": frontend echo: the files of allow and deny have other networks",
    );
    assertEquals(await heard(), "aa---");

    await Deno.writeTextFile(list, "127.0.0.1\n127.0.0.2/8\n");
    const refused = await balancer.reload(config);
    assertEquals(refused.event, "reload_refused");
    assertStringIncludes(
      String(refused.message),
      `${list}:2:1: frontends.echo.deny[0]: Cannot use "127.0.0.2/8" as a network: bits are set`,
    );
    await Deno.remove(list);
    assertStringIncludes(
      String((await balancer.reload(config)).message),
      `lb.conf:4:62: frontends.echo.deny[0]: Cannot read "${list}" as a list of networks: there is ` +
        "no such file",
    );
    assertEquals(await heard(), "aa---");
    const { counters, reload } = await balancer.status();
    assertEquals([reload.count, counters.active], [1, 1]);
    assertEquals(balancer.records("closed").some(({ client }) => client === "127.0.0.3"), false);

    const why = await runProgram([
      "why",
      "--admin-socket",
      balancer.adminSocket,
      "--client",
      "127.0.0.4",
    ]);
    assertStringIncludes(why.stdout, "turned away by frontend echo: deny or allow of the frontend");
  });

  Deno.test(`${engine}: an address has its limits, and clients wait at a full frontend`, async () => {
    await using backend = new TcpPeer(greetThenEcho("a"));
    const config = (most: number) =>
      configOf([backend.address], {
        frontend: `, max_connections: ${most}, per_source: { max_connections: 2, rate: 4/1h }`,
      });
    await using balancer = await Balancer.start({ config: config(3), flags: ["--engine", engine] });
    const port = await balancer.port("echo");
    using one = new LoopbackClient("127.0.0.2", port);
    using two = new LoopbackClient("127.0.0.2", port);
    assertEquals([await one.greeting(), await two.greeting()], ["a", "a"]);
    assertEquals(await heardFrom("127.0.0.2", port), "");
    await balancer.logged("has as many connections as per_source.max_connections allows");
    one[Symbol.dispose]();
    await balancer.until("it to leave", ({ counters }) => counters.active === 1);
    for (const expected of ["a", "a", ""]) {
      assertEquals(await heardFrom("127.0.0.2", port), expected);
      await balancer.until("it to leave", ({ counters }) => counters.active === 1);
    }
    await balancer.logged("too many connections came from its address");
    const others = [3, 4, 5].map((last) => new LoopbackClient(`127.0.0.${last}`, port));
    await waitFor("two of them", () => others.filter(({ hasHeard }) => hasHeard).length === 2);
    const { counters } = await balancer.status();
    assertEquals([counters.active, counters.accepted], [3, 8]);
    await balancer.reload(config(4));
    for (const client of others) {
      assertEquals(await client.greeting(), "a");
      client[Symbol.dispose]();
    }
    assertEquals((await balancer.status()).counters.refused, 2);
  });
}

Deno.test("check tells all that is wrong with lists in one run, and shows them with --effective", async () => {
  await using folder = new TemporaryDirectory();
  const [file, list] = [`${folder.path}/lb.conf`, `${folder.path}/list`];
  await Deno.writeTextFile(list, "10.0.0.0/8\nhoek\n");
  const config = (frontend: string) =>
    Deno.writeTextFile(file, configOf(["127.0.0.1:1"], { frontend: `, ${frontend}` }));
  await config(
    `allow: [hoek, "/etc/x"], deny: "file:x", when_full: never, per_source: { rate: 9 }`,
  );
  const faulty = await runProgram(["check", "-c", file]);
  assertEquals(faulty.code, 2);
  for (
    const fault of [
      'allow[0]: Cannot read "hoek" as a network',
      'allow[1]: Cannot read "/etc/x" as a network: write "file:" before a path',
      'deny: Cannot use "x" as a path: expected an absolute path',
      'when_full: Cannot read "never" as what to do: expected wait, close',
      'per_source.rate: Cannot read "9" as a rate: expected 1 to 1000000, "/" and a duration',
      "5 errors",
    ]
  ) assertStringIncludes(faulty.stderr, fault);

  await config(`allow: ["file:${list}", "file:/dev/zero"], deny: "file:${list}"`);
  const unreadable = await runProgram(["check", "-c", file]);
  assertStringIncludes(
    unreadable.stderr,
    `${list}:2:1: frontends.echo.allow[0]: Cannot read "hoek" as a network: expected ` +
      '"192.0.2.0/24", "2001:db8::/32" or an address\n    2 | hoek\n      | ^\n',
  );
  assertStringIncludes(unreadable.stderr, '/dev/zero" as a list of networks: it is a device');
  assertStringIncludes(unreadable.stderr, "2 errors");

  await Deno.writeTextFile(list, "# none\n");
  await config(
    `allow: "file:${list}", deny: [192.0.2.7, "2001:db8::/32"], per_source: { penalty: 5m }`,
  );
  const odd = await runProgram(["check", "-c", file, "--effective"]);
  assertEquals(odd.code, 0);
  assertStringIncludes(odd.stderr, "frontends.echo.allow: nobody may come in: its files hold no");
  assertStringIncludes(odd.stderr, "frontends.echo.per_source.penalty: has no effect");
  assert(/deny:\s*- '?192\.0\.2\.7\/32'?\s*- '?2001:db8::\/32'?/.test(odd.stdout), odd.stdout);
});
