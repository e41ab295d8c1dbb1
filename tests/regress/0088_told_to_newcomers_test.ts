// What a newcomer read: "ok" of a key that the service cannot read, "(at the next start)" of what runs
// already, that every frontend listens after every reload, "address already in use" without by whom.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { readConfig } from "../../lib/config/read_config.ts";
import { describeChanges } from "../../lib/config/changes.ts";
import { explainSsh } from "../../lib/load/ssh.ts";
import { silent, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer, runProgram } from "../support/balancer.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { configOf } from "../support/running_config.ts";

const IS_ROOT = Deno.uid() === 0 && Deno.build.os === "linux";

Deno.test({
  name: "check tells which files the balancer's user cannot read",
  ignore: !IS_ROOT,
  async fn() {
    await using folder = new TemporaryDirectory();
    const [file, key] = [`${folder.path}/lb.conf`, `${folder.path}/key`];
    await Deno.writeTextFile(key, "", { mode: 0o600 });
    await Deno.chmod(folder.path, 0o755);
    await Deno.writeTextFile(
      file,
      'user: nobody\nfrontends: { f: { listen: "127.0.0.1:0" } }\n' +
        'pools: { p: { backends: ["127.0.0.1:1"], health: { probe: none }, ' +
        `load: { source: ssh, ssh: { identity_file: ${key} } } } }\n`,
    );
    const check = (...flags: string[]) => runProgram(["check", "--config", file, ...flags]);
    const told = `${key}: user nobody, which the balancer runs as, cannot read it: see `;
    assertStringIncludes((await check()).stderr, `warning: ${told}its mode`);
    assertStringIncludes((await check("--probe")).stdout, "FAIL");
    await Deno.chmod(key, 0o644);
    assertEquals((await check()).stderr, "");
    await Deno.chmod(folder.path, 0o700);
    assertStringIncludes(
      (await check()).stderr,
      `warning: ${told}${folder.path} (pools.p: load.ssh`,
    );
    await Deno.chown(folder.path, 65534, null);
    assertEquals((await check()).stderr, "");
  },
});

Deno.test("a login that ssh is refused names who asked, and with which key", () => {
  const place = { transport: "tcp", host: "a", port: 22 } as const;
  const text = "root@a: Permission denied (publickey).";
  const complaint = { text, otherKeyAt: undefined };
  const explained = explainSsh(complaint, { options: [], identityFile: "/key" }, place);
  assertStringIncludes(explained, `${text} (user `);
  assertStringIncludes(explained, " runs ssh, with /key)");
});

Deno.test("a key that comes back to what runs already waits for no start", () => {
  const config = (admin: string) => {
    const text = `admin: { socket: ${admin} }\n${configOf(["127.0.0.1:1"])}`;
    const read = readConfig({ file: { path: "lb.conf", text } });
    if (!read.ok) throw new Error(read.errors[0]?.message);
    return read.config;
  };
  const [one, other] = [config("auto"), config("/a.sock")];
  assertEquals(
    describeChanges(one, other, undefined, one),
    "admin.socket auto -> /a.sock (at the next start)",
  );
  assertEquals(
    describeChanges(other, one, undefined, one),
    "admin.socket /a.sock -> auto (as it runs already)",
  );
});

Deno.test("a reload tells of frontends only that have changed, and one that left without sessions goes", async () => {
  const config = configOf(["127.0.0.1:1", "127.0.0.1:2"]);
  await using balancer = await Balancer.start({ config });
  const listening = () => balancer.log.filter(({ message }) => /listens on/.test(String(message)));
  assertEquals(listening().length, 1);
  await balancer.reload(config.replace("interval: 200ms", "interval: 300ms"));
  assertEquals(listening().length, 1);
  await balancer.reload(configOf(["127.0.0.1:1"]));
  assertEquals(listening().length, 2);
  const [pool] = (await balancer.status()).pools;
  assertEquals(pool?.backends.map(({ id }) => id), ["127.0.0.1:1"]);
});

Deno.test("a second start names the balancer that listens already", async () => {
  await using balancer = await Balancer.start({ config: configOf(["127.0.0.1:1"]) });
  const { pid, frontends } = await balancer.status();
  const address = frontends[0]?.listen[0] ?? "";
  const { code, stderr } = await runProgram([
    ...["run", "--listen", address, "--backends", "127.0.0.1:1"],
    ...["--load", "none", "--admin-socket", balancer.adminSocket],
  ]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, `: the running balancer listens there, pid ${pid}`);
});

Deno.test("check --probe tells of a greeting that a tcp probe does not look at", async () => {
  await using sshd = new TcpPeer(async (conn) => {
    await conn.write(new TextEncoder().encode("SSH-2.0-x\r\n"));
  });
  await using other = new TcpPeer(silent);
  await using folder = new TemporaryDirectory();
  const file = `${folder.path}/lb.conf`;
  await Deno.writeTextFile(file, configOf([sshd.address, other.address]));
  const { stdout } = await runProgram(["check", "--probe", "--config", file]);
  const hints = stdout.split("\n").filter((line) => line.includes("health: { probe: banner }"));
  assertEquals(hints.length, 1, stdout);
  assertStringIncludes(hints[0] ?? "", sshd.address);
});

Deno.test("what is typed wrong is answered with what to type", async () => {
  const why = await runProgram(["why", "3"]);
  assertStringIncludes(why.stderr, "expected only flags; write --last 3");
  await using folder = new TemporaryDirectory();
  const file = `${folder.path}/lb.conf`;
  await Deno.writeTextFile(file, `admin: { socket: ${folder.path}/a.sock }\n${configOf(["a:22"])}`);
  const replay = await runProgram(["simulate", "--replay", file]);
  assertStringIncludes(replay.stderr, `${file}: it is no recording: line 1: `);
  const status = await runProgram(["status", "--config", file]);
  assertStringIncludes(
    status.stderr,
    "One that was started before admin.socket changed still has its old socket: " +
      "compute-lb status --admin-socket PATH",
  );
  await Deno.writeTextFile(file, "drian: {}\n");
  const spoilt = await runProgram(["drain", "a", "--config", file]);
  assertStringIncludes(spoilt.stderr, 'Unknown key "drian"');
  assertStringIncludes(
    spoilt.stderr,
    "To ask the running balancer all the same: compute-lb drain --admin-socket PATH",
  );
});
