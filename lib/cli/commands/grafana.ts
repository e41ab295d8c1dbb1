// `compute-lb grafana`: a dashboard for Grafana.

import { success } from "../../core/values/result.ts";
import { command } from "../command.ts";
import { EXIT_OK } from "../exit_code.ts";
import { print } from "../output.ts";

export const grafana = command({
  name: "grafana",
  summary: "print a dashboard for Grafana",
  usage: "grafana",
  text: `\
Prints a dashboard for Grafana 10 and later, as JSON: sessions, free cores,
load, refusals, failed connects, bytes and health over time, and what the
process itself takes. Write it to a file; in Grafana choose Dashboards, New,
Import, that file, and the Prometheus that scrapes /metrics. "compute-lb help
metrics" says how that one comes to them.
`,
  flags: [],
  examples: ["grafana"],
  read: () => success({}),
  run: async () => {
    const { dashboard } = await import("../grafana_dashboard.ts");
    print(`${JSON.stringify(dashboard(), null, 2)}\n`);
    return EXIT_OK;
  },
});
