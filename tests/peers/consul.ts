// A fake of Consul (consul_fake.ts) in a process of its own, which can be stopped, killed and cut off.

import { KeptServer } from "./kept_server.ts";

export interface Instance {
  readonly ID: string;
  readonly Name?: string;
  readonly Tags?: readonly string[];
  readonly Address?: string;
  readonly Port?: number;
  readonly Meta?: Readonly<Record<string, string>>;
  readonly Weights?: { readonly Passing: number; readonly Warning: number };
}

export class Consul extends KeptServer {
  /** @param speed its waits pass so many times as fast, as those of a SourceWatcher. */
  constructor(speed = 10) {
    super({
      name: "the fake of Consul",
      command: (_, host, port) => {
        const program = new URL("./consul_fake.ts", import.meta.url).pathname;
        return [Deno.execPath(), "run", "-A", "--no-check", program, host, `${port}`, `${speed}`];
      },
      isReady: async (host, port) => {
        const answer = await fetch(`http://${host}:${port}/v1/status/leader`);
        return await answer.json() === "here";
      },
    });
  }

  /** Registers instances of the service "ssh", unless they say another. */
  async register(...instances: readonly Instance[]): Promise<void> {
    for (const one of instances) await this.#put("agent/service/register", { Name: "ssh", ...one });
  }

  async deregister(...ids: readonly string[]): Promise<void> {
    for (const id of ids) await this.#put(`agent/service/deregister/${id}`, null);
  }

  async check(id: string, status: "passing" | "critical"): Promise<void> {
    await this.#put(`agent/check/${id}?status=${status}`, null);
  }

  async #put(path: string, body: unknown): Promise<void> {
    const answer = await fetch(`http://${this.address}/v1/${path}`, {
      method: "PUT",
      body: JSON.stringify(body),
    });
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  }
}
