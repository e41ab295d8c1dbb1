// A real Prometheus scrapes admin.http: its alert fires when nobody is usable, and it takes every query of the
// dashboard.

import { assert, assertEquals } from "@std/assert";
import { Prometheus } from "../peers/prometheus.ts";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { dashboard } from "../../lib/cli/grafana_dashboard.ts";
import { TOPICS } from "../../lib/manual/topics.ts";
import { Balancer } from "../support/balancer.ts";
import { queriesOf } from "../support/dashboard.ts";
import { requirePeer } from "../support/require_peer.ts";
import { Sessions } from "../support/sessions.ts";
import { waitFor } from "../support/wait_for.ts";

/** What the manual says of when nobody is usable. */
function nobodyUsable(): string {
  const text = TOPICS.find(({ name }) => name === "metrics")?.text ?? "";
  const [, expr] = /alert: ComputeLbNobodyUsable\n\s+expr: (.*)\n/.exec(text) ?? [];
  if (expr === undefined) throw new Error("The manual has no such alert");
  return expr;
}

Deno.test({
  ...requirePeer("prometheus"),
  name: "Prometheus scrapes admin.http, and its alert fires when nobody is usable",
  fn: async () => {
    const peer = new TcpPeer(echo);
    await using spare = new TcpPeer(echo);
    await using balancer = await Balancer.start({
      config: JSON.stringify({
        admin: { http: "127.0.0.1:0" },
        frontends: {
          ssh: { listen: "127.0.0.1:0", pool: "compute" },
          spare: { listen: "127.0.0.1:0", pool: "spare" },
        },
        pools: {
          compute: {
            backends: [peer.address],
            load: { source: "none" },
            health: { probe: "tcp", interval: "100ms" },
          },
          spare: {
            backends: [spare.address],
            load: { source: "none" },
            health: { probe: "tcp", interval: "100ms" },
          },
        },
      }),
    });
    const { adminHttp: [target = ""] } = await balancer.until(
      "both backends to be up",
      ({ pools }) => pools.every(({ backends }) => backends[0]?.state === "up"),
    );
    using _sessions = await Sessions.open(await balancer.port("ssh"), 2);
    await using prometheus = await Prometheus.start(target, [
      { alert: "NobodyUsable", expr: nobodyUsable() },
    ]);
    const sessions = await waitFor("two scrapes", async () => {
      const [scrapes] = await prometheus.query("count_over_time(up[1m])");
      return (scrapes?.value ?? 0) >= 2 && await prometheus.query("compute_lb_sessions");
    });
    assertEquals(sessions.map(({ metric: { instance }, value }) => [instance, value]), [
      [target, 2],
    ]);
    assertEquals((await prometheus.query("up")).map(({ value }) => value), [1]);

    const empty: string[] = [];
    for (const { expr } of queriesOf(dashboard())) {
      const asked = expr
        .replaceAll("$instance", target)
        .replaceAll("$pool", ".+")
        .replaceAll("$__rate_interval", "1m");
      if ((await prometheus.query(asked)).length === 0) empty.push(expr);
    }
    // What nobody tells here: loads, and what has not happened yet.
    const silent =
      /free_cores|load1|load_age|refused_total|connect_failures_total|log_lines_dropped_total/;
    assertEquals(empty.filter((expr) => !silent.test(expr)), []);
    assertEquals(await prometheus.firing(), []);

    await peer[Symbol.asyncDispose]();
    await waitFor("the alert", async () => (await prometheus.firing()).length > 0);
    assertEquals(await prometheus.firing(), ["NobodyUsable"]);
    const alerts = await prometheus.query('ALERTS{alertname="NobodyUsable"}');
    assert(alerts.every(({ metric }) => metric.pool === "compute"), JSON.stringify(alerts));
  },
});
