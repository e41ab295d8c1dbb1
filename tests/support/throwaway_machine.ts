// A copy of this machine that can be written to and is forgotten afterwards: an overlay over the root
// directory in a mount namespace, with processes of its own. The network is shared. For tests that
// install for real. Needs root.

import { type Outcome, runProgram } from "./run_program.ts";
import { waitFor } from "./wait_for.ts";

// The tmpfs keeps all changes; what matters of /run is new, as after a boot. The last shell is the
// first process of its namespace: it lives on and reaps what the init scripts leave to it.
const BOOT = `
  mount -t tmpfs tmpfs "$1"
  mkdir "$1/upper" "$1/work" "$1/root"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
  cd "$1/root"
  mount -t proc proc proc
  mount --rbind /dev dev
  mount -t tmpfs tmpfs run
  mount -t tmpfs tmpfs tmp
  chmod 1777 tmp
  exec chroot . sh -c 'touch /run/booted; while sleep 3600; do :; done'
`;

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export class ThrowawayMachine implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #mountPoint: string;
  /** Its first process, as seen from here. */
  readonly #pid: number;

  private constructor(process: Deno.ChildProcess, mountPoint: string, pid: number) {
    this.#process = process;
    this.#mountPoint = mountPoint;
    this.#pid = pid;
  }

  static async boot(): Promise<ThrowawayMachine> {
    const mountPoint = await Deno.makeTempDir({ prefix: "compute-lb-machine-" });
    const isolated = ["--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"];
    const process = new Deno.Command("unshare", {
      args: [...isolated, "sh", "-euc", BOOT, "sh", mountPoint],
      stdin: "null",
      stderr: "null",
    }).spawn();
    const pid = await waitFor("the throwaway machine", async () => {
      const children = `/proc/${process.pid}/task/${process.pid}/children`;
      const child = Number((await Deno.readTextFile(children)).trim());
      await Deno.stat(`/proc/${child}/root/run/booted`);
      return child;
    });
    return new ThrowawayMachine(process, mountPoint, pid);
  }

  /** Runs a shell command in it. */
  async run(script: string): Promise<Outcome> {
    const enter = ["nsenter", `--target=${this.#pid}`, "--mount", "--pid", "--root", "--wd"];
    const shell = ["env", "-i", `PATH=${PATH}`, "HOME=/root", "sh", "-c", script];
    return await runProgram([...enter, ...shell]);
  }

  /** Runs a shell command that must succeed, and gives what it wrote to stdout. */
  async must(script: string): Promise<string> {
    const { code, stdout, stderr } = await this.run(script);
    if (code !== 0) throw new Error(`"${script}" ended with ${code}: ${stdout}${stderr}`);
    return stdout;
  }

  /** Where one of its files is for us. */
  path(inside: string): string {
    return `/proc/${this.#pid}/root${inside}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // All its processes end with the first, and its mounts with the last.
    Deno.kill(this.#pid, "SIGKILL");
    await this.#process.status;
    await Deno.remove(this.#mountPoint);
  }
}
