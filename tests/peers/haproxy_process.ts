// The real HAProxy, with any configuration, and its stats socket.

import { freePort } from "../support/processes.ts";
import { peerProgram } from "../support/require_peer.ts";
import { endNow, TemporaryDirectory } from "../support/run_program.ts";
import { waitFor } from "../support/wait_for.ts";

/** How often it is started anew when a port that was free is taken. */
const ATTEMPTS = 5;

export class HaproxyProcess implements AsyncDisposable {
  readonly #folder: TemporaryDirectory;
  readonly #child: Deno.ChildProcess;

  private constructor(folder: TemporaryDirectory, child: Deno.ChildProcess) {
    this.#folder = folder;
    this.#child = child;
  }

  /**
   * Starts it, and waits until it answers.
   * @param sections of haproxy.cfg behind `global` and `defaults`, asked for with ports that are free.
   */
  static async start(sections: (port: () => number) => string): Promise<HaproxyProcess> {
    for (let attempt = 1;; attempt++) {
      const folder = new TemporaryDirectory();
      const config = `${folder.path}/haproxy.cfg`;
      await Deno.writeTextFile(
        config,
        `global
  stats socket ${folder.path}/stats level admin
defaults
  mode tcp
  timeout connect 5s
  timeout client 5s
  timeout server 5s
${sections(() => freePort())}
`,
      );
      const child = new Deno.Command(peerProgram("haproxy"), {
        args: ["-db", "-q", "-f", config],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      let hasEnded = false;
      child.status.then(() => hasEnded = true);
      const haproxy = new HaproxyProcess(folder, child);
      try {
        const isUp = await waitFor("HAProxy to answer", async () => {
          if (hasEnded) return "no";
          return (await haproxy.ask("show info")) !== "" && "yes";
        });
        if (isUp === "yes") return haproxy;
        if (attempt === ATTEMPTS) {
          throw new Error(`HAProxy does not start: haproxy -c -f ${config}`);
        }
      } catch (error) {
        await haproxy[Symbol.asyncDispose]();
        throw error;
      }
      await haproxy[Symbol.asyncDispose]();
    }
  }

  /** What its stats socket answers. */
  async ask(command: string): Promise<string> {
    using conn = await Deno.connect({ transport: "unix", path: `${this.#folder.path}/stats` });
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

  async [Symbol.asyncDispose](): Promise<void> {
    await endNow(this.#child);
    await this.#folder[Symbol.asyncDispose]();
  }
}
