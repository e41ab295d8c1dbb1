// A real Prometheus of this machine on a loopback port, with its data in a temporary folder. It scrapes one
// address each second and goes by the alerting rules that it is given.

import { peerProgram } from "../support/require_peer.ts";
import { KeptServer } from "./kept_server.ts";

/** One series of an answer: its labels and its value. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
}

export class Prometheus extends KeptServer {
  private constructor(target: string, rules: readonly AlertRule[]) {
    super({
      name: "Prometheus",
      command: (folder, _, port) => {
        // JSON is YAML.
        const files = {
          "rules.yml": { groups: [{ name: "test", interval: "1s", rules }] },
          "prometheus.yml": {
            global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
            rule_files: [`${folder}/rules.yml`],
            scrape_configs: [{ job_name: "compute-lb", static_configs: [{ targets: [target] }] }],
          },
        };
        for (const [name, content] of Object.entries(files)) {
          Deno.writeTextFileSync(`${folder}/${name}`, JSON.stringify(content));
        }
        return [
          peerProgram("prometheus"),
          `--config.file=${folder}/prometheus.yml`,
          `--storage.tsdb.path=${folder}/data`,
          `--web.listen-address=127.0.0.1:${port}`,
        ];
      },
      isReady: async (host, port) => {
        const answer = await fetch(`http://${host}:${port}/-/ready`);
        await answer.body?.cancel();
        return answer.ok;
      },
    });
  }

  /** Starts it, and waits until it is ready. */
  static async start(target: string, rules: readonly AlertRule[]): Promise<Prometheus> {
    return await KeptServer.started(() => new Prometheus(target, rules));
  }

  /**
   * The series that an expression of PromQL comes to now.
   * @throws {Error} when Prometheus does not take the expression.
   */
  async query(expr: string): Promise<Series[]> {
    const { result } = await this.#ask(`query?query=${encodeURIComponent(expr)}`);
    if (!Array.isArray(result)) throw new Error("Prometheus has answered without a result");
    return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  /** Names of the alerts that fire now. */
  async firing(): Promise<string[]> {
    const { alerts } = await this.#ask("alerts");
    if (!Array.isArray(alerts)) throw new Error("Prometheus has answered without alerts");
    return alerts.flatMap(({ state, labels }) => state === "firing" ? [labels.alertname] : []);
  }

  async #ask(resource: string): Promise<Readonly<Record<string, unknown>>> {
    const answer = await fetch(`http://127.0.0.1:${this.port}/api/v1/${resource}`);
    const body = await answer.json();
    if (body.status !== "success") throw new Error(`${resource}: ${JSON.stringify(body)}`);
    return body.data;
  }
}
