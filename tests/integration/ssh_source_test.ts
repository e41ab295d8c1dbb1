// The load source ssh against the real sshd: login shells, noise, dead processes, dead networks.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { userInfo } from "node:os";
import type { Backend } from "../../lib/core/pool/backend.ts";
import { TOPICS } from "../../lib/manual/topics.ts";
import type { LoadResult } from "../../lib/core/pool/load.ts";
import { type SshOptions, SshSource } from "../../lib/load/ssh.ts";
import { FrozenRelay } from "../peers/frozen_relay.ts";
import { Sshd } from "../peers/sshd.ts";
import { backendAt } from "../support/backends.ts";
import { Deadline } from "../support/deadline.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { childrenOf, endByFile, isAlive, startStranger } from "../support/processes.ts";
import { waitFor, within } from "../support/wait_for.ts";
import { requirePeer } from "../support/require_peer.ts";
import { runProgram, TemporaryDirectory } from "../support/run_program.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";

function sourceFor(sshd: Sshd, more: Partial<SshOptions> = {}): SshSource {
  return new SshSource({
    configFile: sshd.client.configFile,
    options: [],
    clock: SYSTEM_CLOCK,
    // The shortest pauses that there are: 0.75 s, 1.5 s, ...
    random: () => 0,
    ...more,
  });
}

async function ask(source: SshSource, backend: Backend, deadlineMs?: number): Promise<LoadResult> {
  using deadline = new Deadline(deadlineMs);
  return await source.sample(backend, deadline.signal);
}

function reasonOf(result: LoadResult): string {
  assertEquals(result.kind, "failed", JSON.stringify(result));
  return result.kind === "failed" ? result.reason : "";
}

/** Asks until there is a sample, as the sampler does. */
function askUntilSample(source: SshSource, backend: Backend): Promise<LoadResult> {
  return waitFor("a sample", async () => {
    const result = await ask(source, backend);
    return result.kind === "sample" && result;
  });
}

async function loginCount(sshd: Sshd): Promise<number> {
  return (await sshd.log()).split("Accepted publickey").length - 1;
}

/** Whether a result is this machine's own load, give or take what changes meanwhile. */
function assertOwnLoad(result: LoadResult): void {
  assert(result.kind === "sample", JSON.stringify(result));
  const { load1, cores, memoryAvailableBytes = 0, memoryTotalBytes } = result.sample;
  assert(Math.abs(load1 - (Deno.loadavg()[0] ?? 0)) < 10);
  assertEquals(cores, navigator.hardwareConcurrency);
  const { available, total } = Deno.systemMemoryInfo();
  assertEquals(memoryTotalBytes, total);
  assert(memoryAvailableBytes > available / 2 && memoryAvailableBytes < available * 2);
}

Deno.test({
  ...requirePeer("sshd", "ssh"),
  name: "ssh: one login serves every sample and ends with the source",
  async fn() {
    await using sshd = await Sshd.start({ address: "127.0.0.5" });
    const backend = backendAt(sshd.address, sshd.port);
    {
      await using source = sourceFor(sshd);
      for (let round = 0; round < 20; round++) assertOwnLoad(await ask(source, backend));
      assertEquals(await loginCount(sshd), 1);
      // No process per sample: sshd's own, and the shell that answers.
      assert((await sshd.sessions()).length <= 3);
    }
    assertEquals((await childrenOf(Deno.pid)).filter((pid) => pid !== sshd.pid), []);
    await waitFor("the session's end", async () => (await sshd.sessions()).length === 0);
  },
});

Deno.test({
  ...requirePeer("sshd", "ssh"),
  name: "ssh: a noisy .bashrc does no harm",
  async fn() {
    const bashrc = [
      "echo 'Welcome to kelvin. 1 8 0'",
      "echo 'compute-lb-load 1 99'",
      "head -c 100000 /dev/zero | tr '\\0' x",
      "echo oops >&2",
      "printf 'no newline here: '",
    ].join("\n");
    await using sshd = await Sshd.start({ bashrc });
    await using source = sourceFor(sshd);
    const backend = backendAt(sshd.address, sshd.port);
    for (let round = 0; round < 3; round++) assertOwnLoad(await ask(source, backend));
  },
});

for (const shell of ["tcsh", "fish"] as const) {
  Deno.test({
    ...requirePeer("sshd", "ssh", shell),
    name: `ssh: a login shell ${shell} starts the loop all the same`,
    async fn() {
      await using sshd = await Sshd.start({ loginShell: `/usr/bin/${shell}` });
      await using source = sourceFor(sshd);
      assertOwnLoad(await ask(source, backendAt(sshd.address, sshd.port)));
    },
  });
}

Deno.test({
  ...requirePeer("sshd", "ssh"),
  name: "ssh: OMP_NUM_THREADS on the backend does not change its cores",
  async fn() {
    await using sshd = await Sshd.start({ bashrc: "export OMP_NUM_THREADS=77\n" });
    await using source = sourceFor(sshd);
    assertOwnLoad(await ask(source, backendAt(sshd.address, sshd.port)));
  },
});

Deno.test({
  ...requirePeer("sshd", "ssh"),
  name: "ssh: a killed session comes back",
  async fn() {
    await using sshd = await Sshd.start();
    await using source = sourceFor(sshd);
    const backend = backendAt(sshd.address, sshd.port);
    assertOwnLoad(await ask(source, backend));
    await sshd.killSessions();
    assertOwnLoad(await askUntilSample(source, backend));
    assertEquals(await loginCount(sshd), 2);
  },
});

Deno.test({
  ...requirePeer("sshd", "ssh"),
  name: "ssh: a daemon that is down has a reason, and is found when it is up again",
  async fn() {
    await using sshd = await Sshd.start();
    await using source = sourceFor(sshd);
    const backend = backendAt(sshd.address, sshd.port);
    await sshd.stop();
    assertStringIncludes(reasonOf(await ask(source, backend)), "Connection refused");
    assertMatch(reasonOf(await ask(source, backend)), /Connection refused \(next try in \d+m?s\)$/);
    await sshd.restart();
    assertOwnLoad(await askUntilSample(source, backend));
  },
});

/** Registers a test whose source reaches sshd through a network that can freeze, and has a sample already. */
function overFrozenRelay(
  name: string,
  run: (parts: {
    readonly sshd: Sshd;
    readonly relay: FrozenRelay;
    readonly source: SshSource;
    readonly backend: Backend;
  }) => Promise<void>,
  options: readonly string[] = [],
): void {
  Deno.test({
    ...requirePeer("sshd", "ssh"),
    name,
    async fn() {
      await using sshd = await Sshd.start();
      await using relay = FrozenRelay.start({ hostname: sshd.address, port: sshd.port });
      await using source = sourceFor(sshd, { options });
      const backend = backendAt("127.0.0.1", relay.port);
      assertOwnLoad(await ask(source, backend));
      await run({ sshd, relay, source, backend });
    },
  });
}

overFrozenRelay(
  "ssh: a network that comes back within three samples keeps its process",
  async ({ sshd, relay, source, backend }) => {
    relay.freeze();
    for (let round = 0; round < 2; round++) {
      assertEquals(reasonOf(await ask(source, backend, 100)), "no answer within 100ms");
    }
    relay.thaw();
    assertOwnLoad(await ask(source, backend));
    assertEquals(await loginCount(sshd), 1);
  },
);

overFrozenRelay(
  "ssh: a process that answers no more is replaced after three samples",
  async ({ sshd, relay, source, backend }) => {
    const [client = 0] = (await childrenOf(Deno.pid)).filter((pid) => pid !== sshd.pid);
    relay.freeze();
    for (let round = 0; round < 3; round++) {
      assertEquals(reasonOf(await ask(source, backend, 100)), "no answer within 100ms");
    }
    await waitFor("the end of ssh", async () => !await isAlive(client));
    assertMatch(reasonOf(await ask(source, backend)), /^no answer within 100ms \(next try in /);
    relay.thaw();
    assertOwnLoad(await askUntilSample(source, backend));
    assertEquals(await loginCount(sshd), 2);
  },
);

overFrozenRelay(
  "ssh: its keepalive finds a dead network",
  async ({ relay, source, backend }) => {
    relay.freeze();
    assertMatch(
      reasonOf(await ask(source, backend)),
      /^Timeout, server 127\.0\.0\.1 not responding/,
    );
    relay.thaw();
    assertOwnLoad(await askUntilSample(source, backend));
  },
  ["ServerAliveInterval=1", "ServerAliveCountMax=1"],
);

Deno.test({
  ...requirePeer("sshd", "ssh"),
  name: "ssh: a wrong host key and a wrong identity are refused with their reason",
  async fn() {
    await using sshd = await Sshd.start();
    await using other = await Sshd.start();
    const backend = backendAt(sshd.address, sshd.port);
    const ours = [`IdentityFile=${sshd.client.identityFile}`, "IdentitiesOnly=yes"];
    await using distrusting = sourceFor(other, { options: ours });
    const file = other.client.knownHostsFile;
    const { host, port } = { host: sshd.address, port: sshd.port };
    assertEquals(
      reasonOf(await ask(distrusting, backend)),
      `Host key verification failed: ${host} (port ${port}) shows another key than user ` +
        `${userInfo().username} has in ${file}:1; if that is meant, type: ` +
        `sudo ssh-keygen -f ${file} -R "[${host}]:${port}"`,
    );
    const empty = `${sshd.directory}/no_known_hosts`;
    await using stranger = sourceFor(sshd, { options: [`UserKnownHostsFile=${empty}`] });
    assertEquals(
      reasonOf(await ask(stranger, backend)),
      `Host key verification failed: user ${userInfo().username} has no key of ${host} ` +
        `(port ${port}) in ${empty}; type: ssh-keyscan -p ${port} ${host} | sudo tee -a ${empty}, ` +
        "and compare it with the server's",
    );
    await using unknown = sourceFor(sshd, {
      options: [`IdentityFile=${other.client.identityFile}`, "IdentitiesOnly=yes"],
      configFile: await configWithoutIdentity(sshd),
    });
    assertStringIncludes(reasonOf(await ask(unknown, backend)), "Permission denied (publickey)");
    assertEquals(await loginCount(sshd), 0);
  },
});

async function configWithoutIdentity(sshd: Sshd): Promise<string> {
  const path = `${sshd.directory}/ssh_config_without_identity`;
  const lines = (await Deno.readTextFile(sshd.client.configFile)).split("\n");
  await Deno.writeTextFile(path, lines.filter((line) => !/IdentityFile/.test(line)).join("\n"));
  return path;
}

Deno.test({
  ...requirePeer("sshd", "ssh"),
  name: "ssh: user, port and identity may come from the options alone",
  async fn() {
    await using sshd = await Sshd.start();
    const configFile = `${sshd.directory}/ssh_config_bare`;
    await Deno.writeTextFile(configFile, `UserKnownHostsFile ${sshd.client.knownHostsFile}\n`);
    await using source = sourceFor(sshd, {
      configFile,
      user: sshd.client.user,
      port: sshd.port,
      identityFile: sshd.client.identityFile,
      options: ["IdentitiesOnly=yes"],
    });
    assertOwnLoad(await ask(source, backendAt(sshd.address, 1)));
    const loadAddress = { transport: "tcp", host: sshd.address, port: sshd.port } as const;
    assertOwnLoad(await ask(source, backendAt("kelvin", 1, { loadAddress })));
  },
});

Deno.test("ssh: a missing program has one clear reason", async () => {
  await using source = new SshSource({
    program: "/nonexistent/ssh",
    options: [],
    clock: SYSTEM_CLOCK,
    random: () => 0.5,
  });
  assertEquals(
    reasonOf(await ask(source, backendAt("kelvin"))),
    'Cannot run "/nonexistent/ssh": it is not installed',
  );
});

Deno.test("ssh: an answer to another probe is not taken for this one's", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const program = `${directory}/ssh`;
    const answer = (number: string, load: string) =>
      `echo "compute-lb-load ${number} 8 0 ${load} 0.00 0.00 1/2 3"`;
    const script = `while read -r t; do ${answer("$((t-1))", "9.00")}; ${
      answer("$t", "1.00")
    }; done`;
    await Deno.writeTextFile(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    await using source = new SshSource({
      program,
      options: [],
      clock: SYSTEM_CLOCK,
      random: () => 0.5,
    });
    for (let round = 0; round < 5; round++) {
      const result = await ask(source, backendAt("kelvin"));
      assert(result.kind === "sample", JSON.stringify(result));
      assertEquals(result.sample.load1, 1);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

const PAUSES_MS = [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000];

Deno.test("ssh: attempts that come to nothing are made less and less often", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const program = `${directory}/ssh`;
    await Deno.writeTextFile(
      program,
      `#!/bin/sh\necho started >>${directory}/starts\necho "ssh: no route" >&2\nexit 255\n`,
      { mode: 0o755 },
    );
    const starts = async () =>
      (await Deno.readTextFile(`${directory}/starts`)).split("\n").length - 1;
    const clock = new ManualClock();
    await using source = new SshSource({ program, options: [], clock, random: () => 0.5 });
    const backend = backendAt("kelvin");
    for (const [index, pauseMs] of PAUSES_MS.entries()) {
      assertEquals(reasonOf(await ask(source, backend)), "ssh: no route");
      assertEquals(await starts(), index + 1);
      await clock.advance(pauseMs - 1);
      assertMatch(reasonOf(await ask(source, backend)), /^ssh: no route \(next try in 1ms\)$/);
      assertEquals(await starts(), index + 1);
      await clock.advance(1);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("ssh: forget() and dispose end a process that does not want to", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const program = `${directory}/ssh`;
    await Deno.writeTextFile(
      program,
      `#!/bin/sh\ntrap '' TERM\necho $$ >>${directory}/pids\nwhile :; do sleep 1; done\n`,
      { mode: 0o755 },
    );
    const source = new SshSource({
      program,
      options: [],
      // Time flies: the grace between TERM and KILL is over at once.
      clock: { now: () => 0, wall: () => 0, sleep: () => Promise.resolve() },
      random: () => 0.5,
    });
    const backend = backendAt("kelvin");
    assertEquals(reasonOf(await ask(source, backend, 300)), "no answer within 300ms");
    source.forget(backend.id);
    await source[Symbol.asyncDispose]();
    const pid = Number(await Deno.readTextFile(`${directory}/pids`));
    assert(!await isAlive(pid));
    assertEquals(await childrenOf(Deno.pid), []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

/** An ssh that leaves a process behind which holds its pipes open, as ControlPersist does. */
async function sshWithStranger(directory: string, rest: string): Promise<string> {
  const program = `${directory}/ssh`;
  const script = `#!/bin/sh\n${startStranger(`${directory}/stranger`)}\n${rest}\n`;
  await Deno.writeTextFile(program, script, { mode: 0o755 });
  return program;
}

Deno.test("ssh: what has left its process group holds no sample up", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const program = await sshWithStranger(directory, 'echo "ssh: no route" >&2; exit 255');
    await using source = new SshSource({
      program,
      options: [],
      clock: SYSTEM_CLOCK,
      random: () => 0.5,
    });
    assertEquals(reasonOf(await ask(source, backendAt("kelvin"), 5000)), "ssh: no route");
  } finally {
    await endByFile(`${directory}/stranger`);
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("ssh: dispose does not wait for what has left its process group", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const answer = 'while read -r t; do echo "compute-lb-load $t 4 1 1.00 1.00 1.00 1/1 1"; done';
    const program = await sshWithStranger(directory, answer);
    const source = new SshSource({
      program,
      options: [],
      clock: SYSTEM_CLOCK,
      random: () => 0.5,
    });
    assertEquals((await ask(source, backendAt("kelvin"))).kind, "sample");
    await within("dispose", source[Symbol.asyncDispose]());
  } finally {
    await endByFile(`${directory}/stranger`);
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test({
  ...requirePeer("sshd", "ssh"),
  name: "ssh: the line of help load lets a key tell the load, and nothing else",
  async fn() {
    const line = (TOPICS.find(({ name }) =>
      name === "load"
    )?.text ?? "").split("\n").find((text) => text.startsWith("restrict,")) ?? "";
    await using sshd = await Sshd.start();
    const key = await Deno.readTextFile(`${sshd.directory}/identity.pub`);
    await Deno.writeTextFile(
      `${sshd.directory}/authorized_keys`,
      line.replace(/ssh-ed25519 AAAA\.\.\.$/, key),
    );
    await using source = sourceFor(sshd);
    assertOwnLoad(await ask(source, backendAt(sshd.address, sshd.port)));
    const login = ["-n", ...sshd.clientArguments(), "-p", String(sshd.port), sshd.address];
    const { stdout } = await runProgram(["ssh", ...login, "echo of my own"]);
    assertEquals(stdout, "");
  },
});

Deno.test("ssh: a backend where nologin keeps people out takes no sessions, and tells its load", async () => {
  await using folder = new TemporaryDirectory();
  const program = `${folder.path}/ssh`;
  // What the remote loop answers stands in its unit test.
  await Deno.writeTextFile(
    program,
    `#!/bin/sh
while read -r n
do if [ -e ${folder.path}/nologin ]; then x=1; else x=; fi
echo compute-lb-load $n 4 0 1.00 0.00 0.00 1/1 1 total= cpu= mem= people= nologin=$x
done
`,
    { mode: 0o755 },
  );
  await using source = new SshSource({
    program,
    options: [],
    clock: new ManualClock(),
    random: () => 0,
  });
  const backend = backendAt("127.0.0.5", 22);
  const sample = { load1: 1, cores: 4, takenAtMs: 1_000_000 };
  assertEquals(await ask(source, backend), { kind: "sample", sample });
  await Deno.writeTextFile(`${folder.path}/nologin`, "");
  const reason = "nologin keeps people out there";
  assertEquals(await ask(source, backend), { kind: "offline", reason, sample });
  await Deno.remove(`${folder.path}/nologin`);
  assertEquals(await ask(source, backend), { kind: "sample", sample });
});
