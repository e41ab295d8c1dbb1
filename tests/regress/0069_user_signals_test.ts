// SIGUSR1 opened the runtime's inspector to every user of the machine, SIGUSR2 ended the process; scripts
// that rotate logs send both.

import { assert, assertEquals } from "@std/assert";
import { programCommand } from "../support/balancer.ts";
import { compiledBinary } from "../support/compiled_binary.ts";
import { portsListenedOn } from "../support/processes.ts";
import { endNow, TemporaryDirectory } from "../support/run_program.ts";
import { waitFor } from "../support/wait_for.ts";

const ADDRESS = ["--listen", "127.0.0.1:0"];
const COMMANDS: readonly { readonly args: readonly string[]; readonly ports: number }[] = [
  { args: ["run", ...ADDRESS, "--backends", "127.0.0.1:9", "--load", "none"], ports: 1 },
  { args: ["agent", ...ADDRESS], ports: 1 },
  // The balancer, three backends and their three daemons.
  { args: ["demo", "--seconds", "60"], ports: 7 },
];
/** The runtime asks for SIGUSR1 half a second after the start. */
const RUNTIME_HAS_ASKED_MS = 1000;
const USER_SIGNALS = ["SIGUSR1", "SIGUSR2"] as const;
/** Their bits in proc(5)'s SigIgn. */
const IGNORED = 0xa00;

async function ignoresThem(pid: number): Promise<boolean> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const mask = BigInt(`0x${/^SigIgn:\s*(\w+)$/m.exec(status)?.[1]}`);
  return (Number(mask & 0xffffn) & IGNORED) === IGNORED;
}

for (const form of ["from source", "packed"] as const) {
  for (const { args, ports } of COMMANDS) {
    Deno.test({
      name: `SIGUSR1 and SIGUSR2 do nothing to ${args[0]}, ${form}`,
      ignore: Deno.build.os !== "linux",
      fn: async () => {
        await using cache = new TemporaryDirectory();
        const command = form === "packed" ? [await compiledBinary()] : programCommand();
        const child = new Deno.Command(command[0] ?? "", {
          args: [...command.slice(1), ...args],
          env: { CLB_RUNTIME_DIR: cache.path, XDG_RUNTIME_DIR: cache.path },
          stdin: "null",
          stdout: "null",
          stderr: "null",
        }).spawn();
        let ended = false;
        child.status.then(() => ended = true);
        try {
          const kill = () => {
            assert(!ended, "it has ended");
            for (const name of USER_SIGNALS) child.kill(name);
          };
          // Without a runtime of our own in front of it nothing can be done before it runs our lines.
          await waitFor("the signals to be ignored", () => ignoresThem(child.pid));
          const listening = await waitFor("its ports", async () => {
            kill();
            const found = await portsListenedOn(child.pid);
            return found.length === ports && found;
          });
          await new Promise((resolve) => setTimeout(resolve, RUNTIME_HAS_ASKED_MS));
          assert(await ignoresThem(child.pid), "the runtime has taken a signal back");
          kill();
          for (const port of listening) {
            (await Deno.connect({ hostname: "127.0.0.1", port })).close();
          }
          assertEquals(await portsListenedOn(child.pid), listening);
          assert(!ended, "it has ended");
        } finally {
          await endNow(child);
        }
      },
    });
  }
}
