// Started as root with `user:`, the process kept root's code cache open for reading and writing after
// it had become that user: it could change what root runs next.

import { assertEquals } from "@std/assert";
import { AgentProcess } from "../peers/agent_process.ts";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { compiledBinary } from "../support/compiled_binary.ts";
import { needs } from "../support/needs.ts";
import { mustRun, runProgram, TemporaryDirectory } from "../support/run_program.ts";
import { configOf } from "../support/running_config.ts";
import { NOBODY } from "../support/site.ts";
import { waitFor } from "../support/wait_for.ts";

/** Files below a folder that a process has open, or mapped, for writing. */
async function writable(pid: number, folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
    const target = await Deno.readLink(`/proc/${pid}/fd/${name}`).catch(() => "");
    const info = await Deno.readTextFile(`/proc/${pid}/fdinfo/${name}`).catch(() => "");
    // The last octal digit is the access mode (fcntl(2)): 0 is O_RDONLY.
    if (target.startsWith(folder) && !/^flags:\s*\d*[04]$/m.test(info)) found.push(target);
  }
  const maps = await Deno.readTextFile(`/proc/${pid}/maps`);
  for (const line of maps.split("\n")) {
    if (line.includes(` ${folder}`) && / .w.s /.test(line)) found.push(line);
  }
  return found;
}

async function isNobody(pid: number): Promise<boolean> {
  const ids = Array(4).fill(NOBODY).join("\t");
  return (await Deno.readTextFile(`/proc/${pid}/status`)).includes(`\nUid:\t${ids}\n`);
}

/** Runs a test with a cache that root has filled, and looks at it afterwards as nobody. */
async function withCache(
  test: (program: string, env: { CLB_RUNTIME_DIR: string }) => Promise<void>,
): Promise<void> {
  await using directory = new TemporaryDirectory();
  await Deno.chmod(directory.path, 0o755);
  const env = { CLB_RUNTIME_DIR: directory.path };
  const program = await compiledBinary();
  for (let start = 0; start < 2; start++) await runProgram([program, "--version"], { env });
  await test(program, env);
  const user = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
  assertEquals(await mustRun(...user, "find", directory.path, "-writable"), "");
}

const PEERS = needs("root", "setpriv");

Deno.test({
  ...PEERS,
  name: "run --user leaves nothing that root loads open for writing",
  fn: () =>
    withCache(async (program, env) => {
      await using backend = new TcpPeer(echo);
      await using balancer = await Balancer.start({
        config: configOf([backend.address]),
        flags: ["--user", String(NOBODY)],
        program: [program],
        env,
      });
      await waitFor("root to be given up", () => isNobody(balancer.pid));
      assertEquals(await writable(balancer.pid, env.CLB_RUNTIME_DIR), []);
    }),
});

Deno.test({
  ...PEERS,
  name: "agent --user leaves nothing that root loads open for writing",
  fn: () =>
    withCache(async (program, env) => {
      const command = ["env", `CLB_RUNTIME_DIR=${env.CLB_RUNTIME_DIR}`, program];
      await using agent = await AgentProcess.start([], ["--user", String(NOBODY)], command);
      await waitFor("root to be given up", () => isNobody(agent.child.pid));
      assertEquals(await writable(agent.child.pid, env.CLB_RUNTIME_DIR), []);
    }),
});
