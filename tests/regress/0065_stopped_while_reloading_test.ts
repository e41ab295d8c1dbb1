// TERM waited for a reload to end, and went on accepting: as long as a name server was silent, or for ever
// where the configuration was a FIFO.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { createSocket } from "node:dgram";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer, runProgram } from "../support/balancer.ts";
import { mustRun } from "../support/run_program.ts";
import { needs } from "../support/needs.ts";
import { waitFor } from "../support/wait_for.ts";

/** Never answers. An address of its own, since the port has to be 53. */
const NAME_SERVER = "127.0.231.53";

const configOf = (backends: readonly string[]) =>
  JSON.stringify({
    frontends: { f: { listen: "127.0.0.1:0" } },
    pools: { p: { backends, load: { source: "none" }, health: { probe: "none" } } },
  });

Deno.test({
  name: "TERM, and a newer HUP, give up a reload that waits for a name server",
  ...needs("root", "unshare"),
  fn: async () => {
    const asked: string[] = [];
    const server = createSocket("udp4", (query) => asked.push(query.toString("latin1")));
    await new Promise<void>((bound) => server.bind(53, NAME_SERVER, bound));
    await using peer = new TcpPeer(greetThenEcho("x"));
    const resolvConf = await Deno.makeTempFile();
    await Deno.writeTextFile(resolvConf, `nameserver ${NAME_SERVER}\n`);
    const silent = `mount --bind ${resolvConf} /etc/resolv.conf && exec "$@"`;
    await using balancer = await Balancer.start({
      config: configOf([peer.address]),
      prefix: ["unshare", "--mount", "sh", "-c", silent, "sh"],
    });
    const hangUp = async (name: string) => {
      await Deno.writeTextFile(balancer.configFile, configOf([peer.address, `${name}:22`]));
      balancer.signal("SIGHUP");
      await waitFor("a question for it", () => asked.some((query) => query.includes(name)));
    };
    await hangUp("first");
    await hangUp("second");
    await balancer.logged("reload given up: a newer reload was ordered");
    balancer.signal("SIGTERM");
    assertEquals(await balancer.end(), 0);
    await balancer.logged("reload given up: the balancer is draining");
    assertEquals(balancer.log.filter(({ event }) => event === "reloaded"), []);
    server.close();
    await Deno.remove(resolvConf);
  },
});

Deno.test("a configuration that is no regular file is refused at once", async () => {
  await using peer = new TcpPeer(greetThenEcho("x"));
  await using balancer = await Balancer.start({ config: configOf([peer.address]) });
  const path = balancer.configFile;
  const checked = async (file: string) => {
    const { code, stderr } = await runProgram(["check", "--config", file]);
    assertEquals(code, 2);
    return stderr;
  };
  await Deno.remove(path);
  await mustRun("mkfifo", path);
  assertStringIncludes(
    await checked(path),
    "Cannot read it: it is a pipe, expected a regular file",
  );
  balancer.signal("SIGHUP");
  await balancer.logged("it is a pipe");
  assertStringIncludes(await checked(balancer.folder), "it is a directory");
  assertStringIncludes(await checked("/dev/zero"), "it is a device");
  assertStringIncludes(await checked(balancer.adminSocket), "it is a socket");

  await Deno.remove(path);
  await Deno.writeTextFile(`${path}.real`, configOf([peer.address]));
  await Deno.symlink(`${path}.real`, path);
  balancer.signal("SIGHUP");
  await balancer.logged(`reloaded ${path}`);
});
