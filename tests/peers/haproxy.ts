// The real HAProxy asking agents, and what it makes of their answers, by its stats socket.

import { waitFor } from "../support/wait_for.ts";
import { HaproxyProcess } from "./haproxy_process.ts";

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
  readonly #process: HaproxyProcess;

  private constructor(process: HaproxyProcess) {
    this.#process = process;
  }

  /** Starts it with one server, and waits until it has asked the agent. */
  static async start({ agentPort, servicePort, send }: AgentCheck): Promise<Haproxy> {
    const sending = send === undefined ? "" : `agent-send ${send}`;
    const haproxy = new Haproxy(
      await HaproxyProcess.start(() =>
        `backend farm
  balance roundrobin
  server s 127.0.0.1:${servicePort} weight 100 maxconn 20 check inter 200 agent-check agent-port ${agentPort} agent-inter 100 ${sending}`
      ),
    );
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
    const fields = await this.#process.server("farm", "s");
    const field = (name: string) => fields.get(name) ?? "";
    return {
      status: field("status"),
      weight: Number(field("weight")),
      maxConnections: Number(field("slim")),
      agentStatus: field("agent_status").replace(/^\* /, ""),
      remark: field("last_agt").replaceAll('"', ""),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}
