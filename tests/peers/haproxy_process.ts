// The real HAProxy, with any configuration, and its stats socket.

import { freePort } from "../support/processes.ts";
import { peerProgram } from "../support/require_peer.ts";
import { KeptServer } from "./kept_server.ts";

export class HaproxyProcess extends KeptServer {
  private constructor(sections: string) {
    super({
      name: "HAProxy",
      command: (folder) => {
        const config = `${folder}/haproxy.cfg`;
        Deno.writeTextFileSync(
          config,
          `global
  stats socket ${folder}/stats level admin
defaults
  mode tcp
  timeout connect 5s
  timeout client 5s
  timeout server 5s
${sections}
`,
        );
        return [peerProgram("haproxy"), "-db", "-q", "-f", config];
      },
      isReady: async () => (await this.ask("show info")) !== "",
    });
  }

  /**
   * Starts it, and waits until it answers.
   * @param sections of haproxy.cfg behind `global` and `defaults`, asked for with ports that are free.
   */
  static async start(sections: (port: () => number) => string): Promise<HaproxyProcess> {
    return await KeptServer.started(() => new HaproxyProcess(sections(() => freePort())));
  }

  /** What its stats socket answers. */
  async ask(command: string): Promise<string> {
    using conn = await Deno.connect({ transport: "unix", path: `${this.folder}/stats` });
    await conn.write(new TextEncoder().encode(`${command}\n`));
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(16_384);
    let text = "";
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
      text += decoder.decode(buffer.subarray(0, n), { stream: true });
    }
    return text;
  }

  /** What it says of a server, by the names of its CSV's columns. */
  async server(proxy: string, server: string): Promise<ReadonlyMap<string, string>> {
    const [header = "", ...rows] = (await this.ask("show stat")).trim().split("\n");
    const names = header.replace(/^# /, "").split(",");
    // No field that is read may hold a comma or a quote.
    const row = rows.map((row) => row.split(",")).find((row) =>
      row[0] === proxy && row[1] === server
    );
    return new Map(names.map((name, index) => [name, row?.[index] ?? ""]));
  }
}
