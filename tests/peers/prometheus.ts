// A real Prometheus of this machine on a loopback port, with its data in a temporary folder. It scrapes one
// address each second and goes by the alerting rules that it is given.

import { freePort } from "../support/processes.ts";
import { peerProgram } from "../support/require_peer.ts";
import { endNow, TemporaryDirectory } from "../support/run_program.ts";
import { waitFor } from "../support/wait_for.ts";

/** One series of an answer: its labels and its value. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
}

/** Another process may take a free port before Prometheus does. */
const ATTEMPTS = 5;

export class Prometheus implements AsyncDisposable {
  readonly #folder: TemporaryDirectory;
  readonly #child: Deno.ChildProcess;

  private constructor(folder: TemporaryDirectory, child: Deno.ChildProcess, readonly port: number) {
    this.#folder = folder;
    this.#child = child;
  }

  /** Starts it, and waits until it is ready. */
  static async start(target: string, rules: readonly AlertRule[]): Promise<Prometheus> {
    for (let attempt = 1;; attempt++) {
      try {
        return await Prometheus.#tryToStart(target, rules);
      } catch (error) {
        if (attempt === ATTEMPTS) throw error;
      }
    }
  }

  static async #tryToStart(target: string, rules: readonly AlertRule[]): Promise<Prometheus> {
    const folder = new TemporaryDirectory();
    const port = freePort();
    // JSON is YAML.
    const files = {
      "rules.yml": { groups: [{ name: "test", interval: "1s", rules }] },
      "prometheus.yml": {
        global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
        rule_files: [`${folder.path}/rules.yml`],
        scrape_configs: [{ job_name: "compute-lb", static_configs: [{ targets: [target] }] }],
      },
    };
    for (const [name, content] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder.path}/${name}`, JSON.stringify(content));
    }
    const child = new Deno.Command(peerProgram("prometheus"), {
      args: [
        `--config.file=${folder.path}/prometheus.yml`,
        `--storage.tsdb.path=${folder.path}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    let ended = false;
    child.status.then(() => ended = true);
    const prometheus = new Prometheus(folder, child, port);
    try {
      await waitFor("Prometheus to be ready", async () => {
        if (ended) return "ended";
        const answer = await fetch(`http://127.0.0.1:${port}/-/ready`);
        await answer.body?.cancel();
        return answer.ok || undefined;
      });
      if (ended) throw new Error("Prometheus has ended");
      return prometheus;
    } catch (error) {
      await prometheus[Symbol.asyncDispose]();
      throw error;
    }
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

  async [Symbol.asyncDispose](): Promise<void> {
    await endNow(this.#child);
    await this.#folder[Symbol.asyncDispose]();
  }

  async #ask(resource: string): Promise<Readonly<Record<string, unknown>>> {
    const answer = await fetch(`http://127.0.0.1:${this.port}/api/v1/${resource}`);
    const body = await answer.json();
    if (body.status !== "success") throw new Error(`${resource}: ${JSON.stringify(body)}`);
    return body.data;
  }
}
