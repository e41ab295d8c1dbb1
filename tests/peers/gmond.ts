// The real gmond of this machine (Ganglia 3), on a loopback port of its own, which sends its metrics to
// itself by UDP and tells them by TCP. gmetric of the same package reports hosts that are not there.

import { endTree, freePort, signal } from "../support/processes.ts";
import { peerProgram } from "../support/require_peer.ts";
import { mustRun } from "../support/run_program.ts";
import { waitFor } from "../support/wait_for.ts";

export interface GmondOptions {
  /** What it calls its own host. @default "kelvin", at 10.9.8.7 */
  readonly host?: { readonly name: string; readonly ip: string };
  /** The cluster's name, which gmond writes as it is. @default "test" */
  readonly cluster?: string;
}

/** Where Debian has gmond's modules, by architecture. */
const MODULE_FOLDERS = [
  "/usr/lib/x86_64-linux-gnu/ganglia",
  "/usr/lib/aarch64-linux-gnu/ganglia",
  "/usr/lib/ganglia",
];

export class Gmond implements AsyncDisposable {
  #process: Deno.ChildProcess | undefined;

  private constructor(readonly port: number, readonly directory: string) {}

  /** Starts a daemon and waits until it knows its own load, cores and memory. */
  static async start(options: GmondOptions = {}): Promise<Gmond> {
    const directory = await Deno.makeTempDir({ prefix: "compute-lb-gmond-" });
    // TCP and UDP have the same number; somebody may take it in between.
    for (let attempt = 1;; attempt++) {
      const port = freePort();
      await Deno.writeTextFile(`${directory}/gmond.conf`, await configuration(options, port));
      const gmond = new Gmond(port, directory);
      try {
        if (await gmond.#run() === "ready") return gmond;
        if (attempt >= 5) throw new Error("gmond does not start");
      } catch (error) {
        await gmond[Symbol.asyncDispose]();
        throw error;
      }
    }
  }

  /** Starts it again on the same port; it knows nobody yet but itself. */
  async restart(): Promise<void> {
    await this.kill();
    if (await this.#run() !== "ready") throw new Error("gmond does not start again");
  }

  async #run(): Promise<"ready" | "ended"> {
    const process = new Deno.Command(peerProgram("gmond"), {
      args: ["-f", "-c", `${this.directory}/gmond.conf`],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#process = process;
    let ended = false;
    process.status.then(() => ended = true);
    return await waitFor("gmond to know its own metrics", async () => {
      if (ended) return "ended";
      const xml = await this.xml().catch(() => "");
      const names = ["load_one", "cpu_num", "mem_free", "mem_cached", "mem_total"];
      return names.every((name) => xml.includes(`<METRIC NAME="${name}"`)) && "ready";
    });
  }

  /** It is there and says nothing more. */
  stop(): void {
    if (this.#process !== undefined) signal(this.#process.pid, "SIGSTOP");
  }

  go(): void {
    if (this.#process !== undefined) signal(this.#process.pid, "SIGCONT");
  }

  async kill(): Promise<void> {
    this.go();
    if (this.#process !== undefined) await endTree(this.#process);
    this.#process = undefined;
  }

  /** All that it tells. */
  async xml(): Promise<string> {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: this.port });
    return await new Response(connection.readable).text();
  }

  /** Reports a load of another host, to be heard again within `tmax` seconds. */
  async report(host: { name: string; ip: string }, load: number, tmax: number): Promise<void> {
    await mustRun(
      peerProgram("gmetric"),
      ...["-c", `${this.directory}/gmond.conf`, "-S", `${host.ip}:${host.name}`],
      ...["-n", "load_one", "-v", String(load), "-t", "float", "-x", String(tmax)],
    );
    await waitFor(
      `gmond to know ${host.name}`,
      async () => (await this.xml()).includes(`<HOST NAME="${host.name}"`),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.directory, { recursive: true });
  }
}

async function configuration(
  { host = { name: "kelvin", ip: "10.9.8.7" }, cluster = "test" }: GmondOptions,
  port: number,
): Promise<string> {
  const modules = await moduleFolder();
  const module = (name: string) =>
    `module { name = "${name}_module" path = "${modules}/mod${name}.so" }`;
  // gmond's syntax wants spaces or newlines between settings, and a number of seconds or "yes".
  return [
    "globals {",
    "  daemonize = no",
    "  setuid = no",
    "  mute = no",
    "  deaf = no",
    "  send_metadata_interval = 30",
    `  override_hostname = "${host.name}"`,
    `  override_ip = "${host.ip}"`,
    "}",
    `cluster { name = ${JSON.stringify(cluster)} }`,
    `udp_send_channel { host = 127.0.0.1 port = ${port} }`,
    `udp_recv_channel { bind = 127.0.0.1 port = ${port} }`,
    `tcp_accept_channel { bind = 127.0.0.1 port = ${port} }`,
    `modules { module { name = "core_metrics" } ${["cpu", "load", "mem"].map(module).join(" ")} }`,
    'collection_group { collect_once = yes time_threshold = 2 metric { name = "heartbeat" } }',
    'collection_group { collect_once = yes time_threshold = 2 metric { name = "cpu_num" } }',
    "collection_group {",
    "  collect_every = 1",
    "  time_threshold = 2",
    ...["load_one", "mem_free", "mem_cached", "mem_buffers", "mem_total"].map((name) =>
      `  metric { name = "${name}" }`
    ),
    "}",
    "",
  ].join("\n");
}

async function moduleFolder(): Promise<string> {
  for (const folder of MODULE_FOLDERS) {
    const found = await Deno.stat(`${folder}/modload.so`).then(() => true, () => false);
    if (found) return folder;
  }
  throw new Error(`gmond's modules are in none of ${MODULE_FOLDERS.join(", ")}`);
}
