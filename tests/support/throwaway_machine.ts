// A copy of this machine that can be written to and is forgotten afterwards: an overlay over the root
// directory in a mount namespace, with processes of its own. The network is shared. For tests that
// install for real. Needs root.

import { APT_ARCHIVES } from "./needs.ts";
import { type Outcome, runProgram } from "./run_program.ts";
import { waitFor } from "./wait_for.ts";

// The tmpfs keeps all changes; /dev, /run and /tmp are new, as after a boot. $2 is what then becomes
// the first process.
const BOOT = `
  mount -t tmpfs tmpfs "$1"
  mkdir "$1/upper" "$1/work" "$1/root"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
  cd "$1/root"
  mount -t proc proc proc
  mount -t sysfs sysfs sys
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  mount -t tmpfs tmpfs dev
  for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
  done
  mkdir dev/pts dev/shm
  mount -t tmpfs tmpfs run
  mount -t tmpfs tmpfs tmp
  chmod 1777 tmp
  touch run/booted
  rm -rf etc/systemd/system/*.wants
  mkdir host
  pivot_root . host
  umount -l host
  exec env -i container=compute-lb-test PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . sh -c "$2"
`;

/** The first process of a machine: it reaps what others leave to it. */
const FIRST_PROCESS = {
  shell: "while sleep 3600; do :; done",
  systemd: "exec /lib/systemd/systemd --system --unit=basic.target --show-status=no",
} as const;

/** A script that makes a machine with a shell as its first process one that runs OpenRC. */
export const BECOME_OPENRC = `
    export DEBIAN_FRONTEND=noninteractive
    cd ${APT_ARCHIVES}
    dpkg --install libeinfo1_* librc1_* insserv_* openrc_* >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; exit 1; }
    mkdir -p /etc/conf.d /run/openrc && touch /run/openrc/softlevel
    # The network is this machine's and is up: nothing may be started for "need net".
    rm -f /etc/runlevels/*/* /etc/init.d/*
    printf '#!/sbin/openrc-run\\nstart() { :; }\\ndepend() { provide net; }\\n' >/etc/init.d/networking
    chmod 755 /etc/init.d/networking`;

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

  static async boot(first: keyof typeof FIRST_PROCESS): Promise<ThrowawayMachine> {
    const mountPoint = await Deno.makeTempDir({ prefix: "compute-lb-machine-" });
    const isolated = ["--mount", "--pid", "--cgroup", "--uts", "--ipc"];
    const command = ["--fork", "--kill-child", "--propagation", "private"];
    const process = new Deno.Command("unshare", {
      args: [...isolated, ...command, "sh", "-euc", BOOT, "sh", mountPoint, FIRST_PROCESS[first]],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const pid = await waitFor("the throwaway machine", async () => {
      const children = `/proc/${process.pid}/task/${process.pid}/children`;
      const child = Number((await Deno.readTextFile(children)).trim());
      await Deno.stat(`/proc/${child}/root/run/booted`);
      return child;
    });
    const machine = new ThrowawayMachine(process, mountPoint, pid);
    if (first === "systemd") {
      await waitFor("systemd", async () => {
        return /^(running|degraded)/.test(
          (await machine.run("systemctl is-system-running")).stdout,
        );
      });
    }
    return machine;
  }

  /** Runs a shell command in it. */
  async run(script: string): Promise<Outcome> {
    const enter = [
      "nsenter",
      `--target=${this.#pid}`,
      "--mount",
      "--pid",
      "--cgroup",
      "--root",
      "--wd",
    ];
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
