// lbtk's whole chain with real ssh at its end: refresh | gen, and proxy. Each part dies once.

import { assert, assertEquals } from "@std/assert";
import { Sshd } from "../peers/sshd.ts";
import { ZooKeeper } from "../peers/zookeeper.ts";
import { Balancer, programCommand } from "../support/balancer.ts";
import { descendantsOf, freePort, signal } from "../support/processes.ts";
import { HeardProgram } from "../support/heard_program.ts";
import { requirePeer } from "../support/require_peer.ts";
import { endNow, runProgram } from "../support/run_program.ts";

const peers = requirePeer("sshd", "ssh", "ssh-keygen", "java", "zookeeper");

/** `refresh … | gen …`, with a pipe of the system's between them. */
class Pipeline implements AsyncDisposable {
  readonly #shell: Deno.ChildProcess;

  constructor(refresh: readonly string[], endpoint: string) {
    const quoted = (words: readonly string[]) =>
      [...programCommand(), ...words].map((word) => `'${word}'`).join(" ");
    this.#shell = new Deno.Command("/bin/sh", {
      args: ["-c", `${quoted(["refresh", ...refresh])} | ${quoted(["gen", endpoint])}`],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  /** Kills one of its programs as nothing else can. */
  async kill(command: "refresh" | "gen"): Promise<void> {
    for (const pid of await descendantsOf(this.#shell.pid)) {
      // It may end just now.
      const words = await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "");
      if (words.split("\0").includes(command)) signal(pid, "SIGKILL");
    }
  }

  /** All of it has ended. */
  async ended(): Promise<void> {
    await this.#shell.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill("gen");
    await this.kill("refresh");
    await endNow(this.#shell);
  }
}

Deno.test({
  ...peers,
  name:
    "refresh zk | gen, proxy, ssh: each part is killed once, and nobody but its own sessions feels it",
  fn: async () => {
    await using zookeeper = new ZooKeeper();
    const starting = zookeeper.start();
    await using one = await Sshd.start({ address: "127.11.0.1" });
    await using two = await Sshd.start({ address: "127.11.0.2", port: one.port, keysOf: one });
    await starting;
    await zookeeper.put({
      "/servers": "",
      "/servers/a": `${one.address}:${one.port}`,
      "/servers/b": `${two.address}:${two.port}`,
    });
    const source = ["zk", zookeeper.address, "/servers"];
    const endpoint = `tcp://127.0.0.1:${freePort()}`;
    const front = `127.0.0.1:${freePort()}`;
    const port = front.slice(front.indexOf(":") + 1);
    const ssh = [...one.clientArguments(), "-p", port, "127.0.0.1"];
    /** Logs in. @returns the address of the server. */
    const login = async () => {
      const { code, stdout, stderr } = await runProgram([
        "/usr/bin/ssh",
        ...ssh,
        "echo $SSH_CONNECTION",
      ]);
      assertEquals(code, 0, stderr);
      return stdout.split(" ")[2] ?? "";
    };
    const logins = async (count: number) =>
      [...new Set(await Array.fromAsync({ length: count }, login))].sort();
    /** Logs in until it has been to both; a proxy that has too many tokens gives some back, so they do not alternate. */
    const both = async () => {
      const seen = new Set<string>();
      for (let i = 0; i < 20 && seen.size < 2; i++) seen.add(await login());
      assertEquals([...seen].sort(), [one.address, two.address]);
    };
    await using first = new Pipeline(source, endpoint);
    const proxy = () => Balancer.start({ command: ["proxy", front, endpoint] });
    const balancer = await proxy();
    await using stack = new AsyncDisposableStack();
    stack.use(balancer);

    await both();
    const shell = "echo $SSH_CONNECTION up; while read line; do echo $line; done";
    await using standing = new HeardProgram(["/usr/bin/ssh", ...ssh, shell]);
    const answers = async (text: string) => {
      await standing.write(`${text}\n`);
      await standing.said(`${text}\n`);
    };
    await standing.said("up\n");
    const used = standing.stdout.split(" ")[2];

    // The refresher waits for ZooKeeper, and the list stays.
    await zookeeper.kill();
    await both();
    await zookeeper.start();

    // The generator keeps the last list.
    await first.kill("refresh");
    await both();
    await answers("without refresh");

    // The proxy goes on with a token that it has, and finds the next generator.
    await balancer.until("a token", ({ pools }) => (pools[0]?.feed?.waiting ?? 0) > 0);
    await first.kill("gen");
    await first.ended();
    await balancer.until("no feed", ({ pools }) => pools[0]?.feed?.sources[0]?.connected === false);
    await login();
    await using _second = new Pipeline(source, endpoint);
    await balancer.until("a feed", ({ pools }) => pools[0]?.feed?.sources[0]?.connected === true);
    await both();
    await answers("without gen");

    // A server whose port is closed: its tokens are passed over.
    const dying = used === one.address ? two : one;
    const living = dying === one ? two : one;
    await dying.stop();
    assertEquals(await logins(6), [living.address]);
    await answers("without a server");

    // Sessions through the proxy are its own.
    await balancer[Symbol.asyncDispose]();
    assert(await standing.ended() !== 0);
    stack.use(await proxy());
    assertEquals(await logins(2), [living.address]);
  },
});
