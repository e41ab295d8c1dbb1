// A class logs in: real ssh, all at once, on servers whose sshd drops connections at random while ten wait to
// log in, as it is installed (MaxStartups 10:30:100).

import { assert, assertEquals } from "@std/assert";
import { Sshd } from "../peers/sshd.ts";
import { Balancer } from "../support/balancer.ts";
import { peerProgram, requirePeer } from "../support/require_peer.ts";
import { endNow, mustRun, runProgram } from "../support/run_program.ts";
import { configOf } from "../support/running_config.ts";
import { DEADLINE_MS, waitFor, within } from "../support/wait_for.ts";

const CLASS = 30;

for (const engine of ["splice", "portable"]) {
  Deno.test({
    name: `${engine}: ${CLASS} logins at once on three stock sshd are all served`,
    ignore: requirePeer("sshd", "ssh", "ssh-keygen").ignore,
    fn: async () => {
      const user = (await mustRun("/usr/bin/id", "-un")).trim();
      const config = [
        // A login takes as long as people take to type. The key that is shown will do.
        "AuthorizedKeysFile none",
        'AuthorizedKeysCommand /bin/sh -c "sleep 4; echo %t %k"',
        `AuthorizedKeysCommandUser ${user}`,
      ];
      const stock = { maxStartups: "10:30:100", config };
      await using first = await Sshd.start({ address: "127.10.0.1", ...stock });
      await using second = await Sshd.start({ address: "127.10.0.2", keysOf: first, ...stock });
      await using third = await Sshd.start({ address: "127.10.0.3", keysOf: first, ...stock });
      const backends = [first, second, third].map(({ address, port }) => `${address}:${port}`);
      await using balancer = await Balancer.start({
        flags: ["--engine", engine],
        // By itself the strategy sends all of them to the first.
        config: configOf(backends, {
          strategy: "first",
          placement: "pace: { within: 10s }",
          health: "{ probe: none }",
        }),
      });
      const port = await balancer.port("echo");
      const ssh = [peerProgram("ssh"), ...first.clientArguments(), "-p", String(port), "127.0.0.1"];
      const outcomes = await Promise.all(
        Array.from({ length: CLASS }, () => runProgram([...ssh, "true"])),
      );
      const failed = outcomes.filter(({ code }) => code !== 0);
      assertEquals(failed.map(({ stderr }) => stderr), []);
    },
  });
}

/** A session that stands until the test ends it: sshd has let it in once it has answered. */
class Login implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #answer: Promise<string>;

  constructor(ssh: readonly string[]) {
    this.#child = new Deno.Command(ssh[0] ?? "", {
      args: [...ssh.slice(1), "echo in; exec cat"],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#answer = this.#read();
  }

  /** What came: "in", or nothing. */
  get answer(): Promise<string> {
    return this.#answer;
  }

  async #read(): Promise<string> {
    const reader = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value = "" } = await reader.read();
    await reader.cancel();
    return value.trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close().catch(() => {});
    await endNow(this.#child);
  }
}

/** Cores and loads: 22, 11 and 3.7 cores are free. */
const SERVERS = [
  { address: "127.10.0.1", cores: 24, load: 2 },
  { address: "127.10.0.2", cores: 12, load: 1 },
  { address: "127.10.0.3", cores: 4, load: 0.3 },
] as const;

for (const engine of ["splice", "portable"]) {
  Deno.test({
    name: `${engine}: ${CLASS} logins at once land by free cores, and stock sshd takes all of them`,
    ignore: requirePeer("sshd", "ssh", "ssh-keygen").ignore,
    fn: async () => {
      const daemons = new AsyncDisposableStack();
      await using _ = daemons;
      const started: Sshd[] = [];
      for (const { address } of SERVERS) {
        const [first] = started;
        const keys = first === undefined ? {} : { keysOf: first };
        started.push(
          daemons.use(await Sshd.start({ address, maxStartups: "10:30:100", ...keys })),
        );
      }
      const [first] = started;
      assert(first !== undefined);
      const backends = started.map(({ address, port }, index) =>
        `{ address: "${address}:${port}", cores: ${SERVERS[index]?.cores} }`
      );
      const told = SERVERS.map(({ address, load }) => `${address}) echo ${load};;`).join(" ");
      await using balancer = await Balancer.start({
        flags: ["--engine", engine],
        // On a busy machine, which all of them share here, logins take seconds.
        config: `
frontends: { ssh: { listen: "127.0.0.1:0" } }
pools:
  class:
    pace: { within: 5s }
    queue: { timeout: 40s }
    backends: [${backends.join(", ")}]
    load: { source: exec, interval: 30s, exec: { command: [/bin/sh, -c, "case $0 in ${told} esac", "{host}"] } }
    health: { probe: banner }
`,
      });
      await balancer.until(
        "the loads",
        ({ pools }) =>
          pools[0]?.backends.every(({ free, state }) => free !== null && state === "up") === true,
      );
      const port = await balancer.port("ssh");
      const ssh = [peerProgram("ssh"), ...first.clientArguments(), "-p", String(port), "127.0.0.1"];
      await using logins = new AsyncDisposableStack();
      const people = Array.from({ length: CLASS }, () => logins.use(new Login(ssh)));
      const answers = await within(
        "the logins",
        Promise.all(people.map(({ answer }) => answer)),
        3 * DEADLINE_MS,
      );
      assertEquals(answers.filter((answer) => answer !== "in"), []);
      const opened = await waitFor("the access log", () => {
        const records = balancer.records("opened");
        return records.length >= CLASS && records;
      });
      const counts = started.map(({ address, port }) =>
        opened.filter(({ backend }) => backend === `${address}:${port}`).length
      );
      // 30 × 22, 11 and 3.7 / 36.7, within 15 %, or one session.
      for (const [index, due] of [18, 9, 3].entries()) {
        assert(Math.abs((counts[index] ?? NaN) - due) <= Math.max(1, 0.15 * due), `${counts}`);
      }
      // sshd takes ten at a time: others have waited for it.
      assert(opened.some(({ queue_ms: waited }) => waited !== undefined));
      const { pools } = await balancer.status();
      assertEquals([pools[0]?.queue.waiting, pools[0]?.queue.timedOut], [0, 0]);
    },
  });
}
