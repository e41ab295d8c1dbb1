// The real gmond of this machine (Ganglia 3), on a loopback port of its own, which sends its metrics to
// itself by UDP and tells them by TCP. gmetric of the same package reports hosts that are not there.

import { peerProgram } from "../support/require_peer.ts";
import { mustRun } from "../support/run_program.ts";
import { KeptServer } from "./kept_server.ts";
import { waitFor } from "../support/wait_for.ts";

export interface GmondOptions {
  /** What it calls its own host. @default "kelvin", at 10.9.8.7 */
  readonly host?: { readonly name: string; readonly ip: string };
  /** The cluster's name, which gmond writes as it is. @default "test" */
  readonly cluster?: string;
}

export class Gmond extends KeptServer {
  private constructor(options: GmondOptions) {
    super({
      name: "gmond",
      command: (folder, _, port) => {
        Deno.writeTextFileSync(`${folder}/gmond.conf`, configuration(options, port));
        return [peerProgram("gmond"), "-f", "-c", `${folder}/gmond.conf`];
      },
      isReady: async () => {
        const xml = await this.xml();
        const names = ["load_one", "cpu_num", "mem_free", "mem_cached", "mem_total"];
        return names.every((name) => xml.includes(`<METRIC NAME="${name}"`));
      },
    });
  }

  /** Starts a daemon and waits until it knows its own load, cores and memory; after `start`, nobody else. */
  static async start(options: GmondOptions = {}): Promise<Gmond> {
    return await KeptServer.started(() => new Gmond(options));
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
      ...["-c", `${this.folder}/gmond.conf`, "-S", `${host.ip}:${host.name}`],
      ...["-n", "load_one", "-v", String(load), "-t", "float", "-x", String(tmax)],
    );
    await waitFor(
      `gmond to know ${host.name}`,
      async () => (await this.xml()).includes(`<HOST NAME="${host.name}"`),
    );
  }
}

function configuration(
  { host = { name: "kelvin", ip: "10.9.8.7" }, cluster = "test" }: GmondOptions,
  port: number,
): string {
  const modules = peerProgram("gmond-modules").replace(/\/[^/]*$/, "");
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
