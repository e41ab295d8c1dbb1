// The real podman of this machine with all that it keeps in a temporary directory, in a network namespace of its
// own: its API on a unix socket, and containers that run `sleep` of this machine. Needs root.

import { peerProgram } from "../support/require_peer.ts";
import { endNow, mustRun } from "../support/run_program.ts";
import { waitFor } from "../support/wait_for.ts";

/** Mounted in place of a system's image. */
const FOLDERS = ["/usr", "/bin", "/lib", "/lib64"];

export class Podman implements AsyncDisposable {
  #service: Deno.ChildProcess | undefined;

  private constructor(
    readonly directory: string,
    /** Holds the namespaces: podman keeps networks outside of its own folders. */
    readonly holder: Deno.ChildProcess,
  ) {}

  /** No engine serves yet. */
  static async make(): Promise<Podman> {
    const directory = await Deno.makeTempDir({ prefix: "compute-lb-podman-" });
    for (const folder of FOLDERS) {
      await Deno.mkdir(`${directory}/rootfs${folder}`, { recursive: true });
    }
    const script = "for folder in /var/lib/cni /run/netns; do " +
      "mkdir -p $folder && mount -t tmpfs none $folder || exit 1; done; " +
      'ip link set lo up && touch "$1" && exec sleep infinity';
    const ready = `${directory}/ready`;
    const holder = new Deno.Command("unshare", {
      args: ["--net", "--mount", "--propagation", "private", "sh", "-c", script, "sh", ready],
      stdin: "null",
    }).spawn();
    await waitFor("namespaces for podman", () => Deno.stat(ready));
    return new Podman(directory, holder);
  }

  get socket(): string {
    return `${this.directory}/api.sock`;
  }

  /** Serves the API, and waits until it answers. */
  async serve(): Promise<void> {
    const { directory, holder } = this;
    await Deno.remove(this.socket).catch(() => {});
    this.#service = new Deno.Command("nsenter", {
      args: [
        ...["--target", `${holder.pid}`, "--net", "--mount", "--"],
        ...[peerProgram("podman"), "--runtime", peerProgram("runc"), "--storage-driver", "vfs"],
        ...["--root", `${directory}/root`, "--runroot", `${directory}/run`],
        ...["--tmpdir", `${directory}/tmp`, "--cgroup-manager", "cgroupfs"],
        ...["--events-backend", "file", "system", "service", "--time", "0", this.#url],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await waitFor("podman to answer", () => this.#remote("ps", "--quiet").then(() => true));
  }

  /** Runs a container; further flags: "--label=compute-lb.pool=compute". */
  async run(name: string, ...flags: readonly string[]): Promise<void> {
    await this.#remote(
      ...["run", "--detach", "--name", name, ...flags],
      // Those of the system may be above what a container may have here.
      ...["--ulimit", "nofile=256:256", "--ulimit", "nproc=256:256"],
      ...FOLDERS.flatMap((folder) => ["--volume", `${folder}:${folder}:ro`]),
      ...["--rootfs", `${this.directory}/rootfs`, "/bin/sleep", "600"],
    );
  }

  /** The address that it has in the engine's only network. */
  async addressOf(name: string): Promise<string> {
    const format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    return (await this.#remote("inspect", "--format", format, name)).trim();
  }

  async remove(...names: readonly string[]): Promise<void> {
    await this.#remote("rm", "--force", "--time", "0", ...names);
  }

  async stop(name: string): Promise<void> {
    await this.#remote("stop", "--time", "0", name);
  }

  async start(name: string): Promise<void> {
    await this.#remote("start", name);
  }

  /** Ends the engine; its containers go on. */
  async kill(): Promise<void> {
    if (this.#service !== undefined) await endNow(this.#service);
    this.#service = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#service !== undefined) await this.#remote("rm", "--all", "--force", "--time", "0");
    await this.kill();
    await endNow(this.holder);
    await Deno.remove(this.directory, { recursive: true });
  }

  get #url(): string {
    return `unix://${this.socket}`;
  }

  async #remote(...args: readonly string[]): Promise<string> {
    return await mustRun(peerProgram("podman"), "--remote", "--url", this.#url, ...args);
  }
}
