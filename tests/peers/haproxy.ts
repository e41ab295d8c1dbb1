// The real HAProxy asking agents, and what it makes of their answers, by its stats socket.

import { peerProgram } from "../support/require_peer.ts";
import { endNow, TemporaryDirectory } from "../support/run_program.ts";
import { waitFor } from "../support/wait_for.ts";

export interface AgentCheck {
  /** Where the agent listens, on 127.0.0.1. */
  readonly agentPort: number;
  /** A port that its health check finds open. */
  readonly servicePort: number;
  /** As in haproxy.cfg, such as '"backend kelvin\\n"'; absent: nothing is sent. */
  readonly send?: string;
}

/** What HAProxy says of a server. */
export interface ServerState {
  /** UP, "UP 2/4", DOWN (agent), DRAIN (agent), MAINT, ... */
  readonly status: string;
  /** Of the 100 that it has in the configuration. */
  readonly weight: number;
  /** Of 20; 0: no limit. */
  readonly maxConnections: number;
  /** How the last agent check ended: CHECKED, L7OK, L7STS, L4CON, ... */
  readonly agentStatus: string;
  /** What HAProxy has to say of the agent's answer; empty where all is well. */
  readonly remark: string;
}

export class Haproxy implements AsyncDisposable {
  readonly #folder: TemporaryDirectory;
  readonly #child: Deno.ChildProcess;

  private constructor(folder: TemporaryDirectory, child: Deno.ChildProcess) {
    this.#folder = folder;
    this.#child = child;
  }

  /** Starts it with one server, and waits until it has asked the agent. */
  static async start({ agentPort, servicePort, send }: AgentCheck): Promise<Haproxy> {
    const folder = new TemporaryDirectory();
    const config = `${folder.path}/haproxy.cfg`;
    const sending = send === undefined ? "" : `agent-send ${send}`;
    await Deno.writeTextFile(
      config,
      `global
  stats socket ${folder.path}/stats level admin
defaults
  mode tcp
  timeout connect 5s
  timeout client 5s
  timeout server 5s
backend farm
  balance roundrobin
  server s 127.0.0.1:${servicePort} weight 100 maxconn 20 check inter 200 agent-check agent-port ${agentPort} agent-inter 100 ${sending}
`,
    );
    const child = new Deno.Command(peerProgram("haproxy"), {
      args: ["-db", "-q", "-f", config],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const haproxy = new Haproxy(folder, child);
    try {
      await waitFor("HAProxy's first agent check", async () => {
        const { agentStatus } = await haproxy.state();
        return agentStatus !== "" && agentStatus !== "INI";
      });
      return haproxy;
    } catch (error) {
      await haproxy[Symbol.asyncDispose]();
      throw error;
    }
  }

  async state(): Promise<ServerState> {
    const [header = "", row = ""] = (await this.#ask("show stat farm 4 -1")).trim().split("\n");
    const names = header.replace(/^# /, "").split(",");
    // No field before last_agt may hold a comma or a quote.
    const fields = row.split(",");
    const field = (name: string) => fields[names.indexOf(name)] ?? "";
    return {
      status: field("status"),
      weight: Number(field("weight")),
      maxConnections: Number(field("slim")),
      agentStatus: field("agent_status").replace(/^\* /, ""),
      remark: field("last_agt").replaceAll('"', ""),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endNow(this.#child);
    await this.#folder[Symbol.asyncDispose]();
  }

  async #ask(command: string): Promise<string> {
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
}
