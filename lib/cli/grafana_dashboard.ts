// The dashboard that `compute-lb grafana` prints: a table of panels, laid out two in a row. In the form that
// Grafana imports, with the data source as an input (grafana.com/docs, "JSON model"); older dashboards are
// brought up to date by Grafana as they are imported.

/** Names of units in Grafana; cps: counts per second. */
type Unit = "short" | "cps" | "Bps" | "bytes" | "s" | "percentunit";

interface Query {
  readonly expr: string;
  readonly legend: string;
  /** Drawn as a dashed line beside what it is compared with. */
  readonly dashed?: true;
}

interface Panel {
  readonly title: string;
  readonly text: string;
  readonly unit: Unit;
  readonly queries: readonly Query[];
  /** Whether the lines add up to something. */
  readonly stacked?: true;
  /** Of panels that show states: what a value means, and its colour. */
  readonly states?: readonly (readonly [meaning: string, colour: string])[];
}

/** Of the balancer that is chosen. */
const OURS = 'instance="$instance"';
/** Of the pools that are chosen. */
const POOLS = `${OURS},pool=~"$pool"`;

const rate = (metric: string) => `rate(${metric}[$__rate_interval])`;

const PANELS: readonly Panel[] = [
  {
    title: "Sessions by backend",
    text: "Sessions that stand.",
    unit: "short",
    stacked: true,
    queries: [{ expr: `compute_lb_backend_sessions{${POOLS}}`, legend: "{{backend}}" }],
  },
  {
    title: "Health",
    text:
      "Whether a backend is healthy, and whether it can be sent sessions: one that is up may be " +
      "drained, disabled or held back, one that is down may be used for want of others.",
    unit: "short",
    states: [
      ["down", "red"],
      ["up, gets no sessions", "orange"],
      ["down, used all the same", "purple"],
      ["usable", "green"],
    ],
    queries: [{
      // While nobody knows whether a backend is up, it counts as up.
      expr: `2 * compute_lb_backend_usable{${POOLS}} + ` +
        `(compute_lb_backend_up{${POOLS}} or 0 * compute_lb_backend_usable{${POOLS}} + 1)`,
      legend: "{{pool}} {{backend}}",
    }],
  },
  {
    title: "Free cores",
    text: "As the balancer estimates them, and (dashed) as the last sample has them.",
    unit: "short",
    queries: [
      { expr: `compute_lb_backend_free_cores{${POOLS}}`, legend: "{{backend}}" },
      {
        expr: `compute_lb_backend_sampled_free_cores{${POOLS}}`,
        legend: "{{backend}}, sampled",
        dashed: true,
      },
    ],
  },
  {
    title: "Load",
    text: "Load averages of one minute as they were told last, and (dashed) CPU cores.",
    unit: "short",
    queries: [
      { expr: `compute_lb_backend_load1{${POOLS}}`, legend: "{{backend}}" },
      { expr: `compute_lb_backend_cores{${POOLS}}`, legend: "{{backend}}, cores", dashed: true },
    ],
  },
  {
    title: "New sessions",
    text: "Sessions opened in a second.",
    unit: "cps",
    stacked: true,
    queries: [{
      expr: rate(`compute_lb_backend_opened_total{${POOLS}}`),
      legend: "{{backend}}",
    }],
  },
  {
    title: "Refusals",
    text: "Clients in a second that got no session, by the reason.",
    unit: "cps",
    stacked: true,
    queries: [{
      expr: `sum by (reason) (${rate(`compute_lb_frontend_refused_total{${OURS}}`)})`,
      legend: "{{reason}}",
    }],
  },
  {
    title: "Queues",
    text:
      "Clients that wait for a place in a pool, and (dashed) those in a second whose time was over " +
      "before there was one.",
    unit: "short",
    queries: [
      { expr: `compute_lb_pool_queued{${POOLS}}`, legend: "{{pool}}" },
      {
        expr: rate(`compute_lb_pool_queue_timeouts_total{${POOLS}}`),
        legend: "{{pool}}, given up",
        dashed: true,
      },
    ],
  },
  {
    title: "Failed connects",
    text: "Connects to backends in a second that failed, by the kind of failure.",
    unit: "cps",
    stacked: true,
    queries: [{
      expr: rate(`compute_lb_backend_connect_failures_total{${POOLS}}`),
      legend: "{{backend}}: {{kind}}",
    }],
  },
  {
    title: "Bytes",
    text: "What sessions move in a second.",
    unit: "Bps",
    queries: [{
      expr: `sum by (direction) (${rate(`compute_lb_backend_bytes_total{${POOLS}}`)})`,
      legend: "{{direction}}",
    }],
  },
  {
    title: "Age of the loads",
    text: "How old the last sample of each backend is.",
    unit: "s",
    queries: [{ expr: `compute_lb_backend_load_age_seconds{${POOLS}}`, legend: "{{backend}}" }],
  },
  {
    title: "CPU",
    text: "CPU time that the balancer uses: 100 % is one core.",
    unit: "percentunit",
    queries: [{ expr: rate(`process_cpu_seconds_total{${OURS}}`), legend: "{{instance}}" }],
  },
  {
    title: "Memory",
    text: "Memory that the balancer has in use.",
    unit: "bytes",
    queries: [{ expr: `process_resident_memory_bytes{${OURS}}`, legend: "{{instance}}" }],
  },
  {
    title: "Descriptors",
    text: "Open files of the balancer, and (dashed) their limit.",
    unit: "short",
    queries: [
      { expr: `process_open_fds{${OURS}}`, legend: "{{instance}}" },
      { expr: `process_max_fds{${OURS}}`, legend: "{{instance}}, limit", dashed: true },
    ],
  },
  {
    title: "Lost records",
    text:
      "Records of the data plane and lines of log that nobody took in time; clients that found " +
      "the queue of a listening socket full.",
    unit: "cps",
    queries: [
      { expr: rate(`compute_lb_events_dropped_total{${OURS}}`), legend: "records" },
      { expr: rate(`compute_lb_log_lines_dropped_total{${OURS}}`), legend: "lines of log" },
      { expr: rate(`compute_lb_listen_overflows_total{${OURS}}`), legend: "queue overflows" },
    ],
  },
];

/** Of 24 columns; two panels stand in a row. */
const WIDTH = 12;
const HEIGHT = 8;

const PROMETHEUS = { type: "prometheus", uid: "${DS_PROMETHEUS}" } as const;

/** The whole dashboard, as Grafana imports it. */
export function dashboard(): Readonly<Record<string, unknown>> {
  return {
    __inputs: [{
      name: "DS_PROMETHEUS",
      label: "Prometheus",
      description: "the one that scrapes /metrics",
      type: "datasource",
      pluginId: "prometheus",
      pluginName: "Prometheus",
    }],
    __requires: [
      { type: "grafana", id: "grafana", name: "Grafana", version: "10.0.0" },
      { type: "datasource", id: "prometheus", name: "Prometheus", version: "1.0.0" },
    ],
    id: null,
    uid: "compute-lb",
    title: "compute-lb",
    description: "TCP load balancer: sessions, loads, health",
    tags: ["compute-lb"],
    schemaVersion: 41,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: "30s",
    time: { from: "now-6h", to: "now" },
    timezone: "browser",
    templating: {
      list: [
        variable("instance", "label_values(compute_lb_build_info, instance)"),
        {
          ...variable("pool", `label_values(compute_lb_pool_backends{${OURS}}, pool)`),
          multi: true,
          includeAll: true,
          current: { selected: true, text: ["All"], value: ["$__all"] },
        },
      ],
    },
    annotations: { list: [] },
    links: [],
    panels: PANELS.map((panel, index) => ({
      id: index + 1,
      ...drawn(panel),
      gridPos: {
        x: index % 2 * WIDTH,
        y: Math.floor(index / 2) * HEIGHT,
        w: WIDTH,
        h: HEIGHT,
      },
    })),
  };
}

/** A choice at the top, among what the answer to a query has. */
function variable(name: string, query: string): Readonly<Record<string, unknown>> {
  return {
    name,
    label: name,
    type: "query",
    datasource: PROMETHEUS,
    query: { query, refId: name },
    definition: query,
    refresh: 2,
    sort: 1,
  };
}

/** What a query is called in its panel: A, B, … */
function refId(index: number): string {
  return String.fromCharCode("A".charCodeAt(0) + index);
}

function drawn(panel: Panel): Readonly<Record<string, unknown>> {
  const { title, text, queries, states } = panel;
  return {
    title,
    description: text,
    type: states === undefined ? "timeseries" : "state-timeline",
    datasource: PROMETHEUS,
    targets: queries.map(({ expr, legend }, index) => ({
      refId: refId(index),
      datasource: PROMETHEUS,
      expr,
      legendFormat: legend,
      editorMode: "code",
      range: true,
    })),
    ...states === undefined ? lines(panel) : timeline(states),
  };
}

function lines({ unit, queries, stacked }: Panel): Readonly<Record<string, unknown>> {
  return {
    fieldConfig: {
      defaults: {
        unit,
        custom: {
          drawStyle: "line",
          lineWidth: 1,
          fillOpacity: stacked ? 25 : 0,
          showPoints: "never",
          stacking: { mode: stacked ? "normal" : "none", group: "A" },
        },
      },
      overrides: queries.flatMap(({ dashed }, index) =>
        dashed === undefined ? [] : [{
          matcher: { id: "byFrameRefID", options: refId(index) },
          properties: [{ id: "custom.lineStyle", value: { fill: "dash", dash: [8, 8] } }],
        }]
      ),
    },
    options: {
      legend: { displayMode: "list", placement: "bottom", showLegend: true },
      tooltip: { mode: "multi", sort: "desc" },
    },
  };
}

function timeline(
  states: readonly (readonly [meaning: string, colour: string])[],
): Readonly<Record<string, unknown>> {
  const options = Object.fromEntries(
    states.map(([text, color], value) => [value, { text, color, index: value }]),
  );
  return {
    fieldConfig: {
      defaults: {
        unit: "short",
        mappings: [{ type: "value", options }],
        custom: { lineWidth: 0, fillOpacity: 80 },
      },
      overrides: [],
    },
    options: {
      mergeValues: true,
      showValue: "never",
      rowHeight: 0.9,
      legend: { displayMode: "list", placement: "bottom", showLegend: true },
      tooltip: { mode: "single" },
    },
  };
}
