// GET /metrics: what a Prometheus scrapes, in its text format 0.0.4 (prometheus.io/docs/instrumenting/
// exposition_formats). Names and units as its conventions have it; a metric with no value is left out.

import type { ProcessFigures } from "../core/values/process_figures.ts";
import type {
  BackendReport,
  DiscoveryReport,
  FeedReport,
  FrontendReport,
  PoolReport,
  StatusReport,
} from "./report.ts";

/** Bytes that sessions have moved. */
export interface BytesCount {
  readonly bytesToBackend: number;
  readonly bytesToClient: number;
}

type Counts = ReadonlyMap<string, number>;

/** What was counted since the start, by the names of frontends, pools and backends. */
export interface TallyReport {
  readonly frontends: ReadonlyMap<
    string,
    BytesCount & { readonly opened: number; readonly refused: Counts }
  >;
  readonly pools: ReadonlyMap<string, {
    readonly picks: number;
    readonly refused: Counts;
    readonly backends: ReadonlyMap<string, BytesCount & { readonly failures: Counts }>;
  }>;
}

export interface MetricsReport {
  readonly status: StatusReport;
  readonly workers: number;
  readonly tally: TallyReport;
  readonly process: ProcessFigures;
}

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number | null | undefined];

/** A pool with one of its backends. */
interface Placed {
  readonly pool: PoolReport;
  readonly backend: BackendReport;
  readonly labels: Labels;
}

/** The whole answer, metric by metric. */
export function* formatMetrics(report: MetricsReport): Generator<string> {
  const { status, tally, process, workers } = report;
  const { counters, frontends, pools } = status;
  const backends = pools.flatMap((pool): Placed[] =>
    pool.backends.map((backend) => ({
      pool,
      backend,
      labels: { pool: pool.name, backend: backend.id },
    }))
  );
  const one = (value: number | undefined): Sample[] => [[{}, value]];
  const perFrontend = (value: (frontend: FrontendReport) => number | undefined) =>
    frontends.map((frontend): Sample => [{ frontend: frontend.name }, value(frontend)]);
  const perPool = (value: (pool: PoolReport) => number | undefined) =>
    pools.map((pool): Sample => [{ pool: pool.name }, value(pool)]);
  const perBackend = (value: (backend: BackendReport) => number | null | undefined) =>
    backends.map(({ backend, labels }): Sample => [labels, value(backend)]);
  const bytes = (labels: Labels, moved: BytesCount | undefined): Sample[] => [
    [{ ...labels, direction: "to_backend" }, moved?.bytesToBackend ?? 0],
    [{ ...labels, direction: "to_client" }, moved?.bytesToClient ?? 0],
  ];
  const tallied = ({ pool, backend }: Placed) =>
    tally.pools.get(pool.name)?.backends.get(backend.id);

  yield* gauge("build_info", "1, with the version and the engine", [
    [{ version: status.version, engine: status.engine.name }, 1],
  ]);
  yield* gauge("start_time_seconds", "when it started, since the epoch", [
    [{}, Date.parse(status.startedAt) / 1000],
  ]);
  yield* gauge("draining", "1 while it waits for its last sessions to end", [
    [{}, status.state === "draining" ? 1 : 0],
  ]);
  yield* counter("reloads_total", "configurations taken since the start", one(status.reload.count));
  yield* gauge("last_reload_refused", "1 when the last reload was refused", [
    [{}, status.reload.error === undefined ? 0 : 1],
  ]);
  yield* gauge("workers", "threads that carry sessions; 0: the main thread does", one(workers));
  yield* counter("accepted_total", "clients accepted", one(counters.accepted));
  yield* counter("opened_total", "sessions opened", one(counters.opened));
  yield* counter("refused_total", "clients that got no session", one(counters.refused));
  yield* counter("connect_failures_total", "connects that failed", one(counters.connectFailures));
  yield* gauge("sessions", "sessions that stand", one(counters.active));
  yield* counter(
    "events_dropped_total",
    "records of the data plane lost because they were not read in time; what is counted by frontend, " +
      "pool and backend lacks them",
    one(counters.eventsDropped),
  );
  yield* counter(
    "log_lines_dropped_total",
    "lines of log lost because nobody took them in time",
    one(counters.logLinesDropped),
  );

  yield* gauge(
    "frontend_sessions",
    "clients that a frontend has",
    perFrontend((one) => one.active),
  );
  yield* gauge(
    "frontend_max_connections",
    "the most clients that a frontend takes; 0: no limit",
    perFrontend((one) => one.maxConnections),
  );
  yield* counter(
    "frontend_opened_total",
    "sessions opened by a frontend's clients",
    perFrontend(({ name }) => tally.frontends.get(name)?.opened ?? 0),
  );
  yield* counter(
    "frontend_refused_total",
    "clients of a frontend that got no session",
    frontends.flatMap(({ name }) =>
      byKey({ frontend: name }, "reason", tally.frontends.get(name)?.refused)
    ),
  );
  yield* counter(
    "frontend_bytes_total",
    "bytes moved for a frontend's clients",
    frontends.flatMap(({ name }) => bytes({ frontend: name }, tally.frontends.get(name))),
  );

  yield* gauge(
    "pool_backends",
    "backends of a pool",
    perPool((pool) => pool.backends.filter(({ state }) => state !== "leaving").length),
  );
  yield* gauge(
    "pool_usable_backends",
    "backends of a pool that can be sent sessions",
    perPool((pool) => pool.backends.filter(({ usable }) => usable).length),
  );
  yield* gauge(
    "pool_panic",
    "1 while failing or ejected backends are used for want of others",
    perPool(({ panic }) => panic === null ? 0 : 1),
  );
  yield* gauge(
    "pool_strategy_info",
    "1, with the strategy that is configured and the one that places sessions",
    pools.map((pool): Sample => [
      { pool: pool.name, strategy: pool.strategy, in_use: pool.strategyInUse },
      1,
    ]),
  );
  yield* counter(
    "pool_picks_total",
    "backends picked for clients, those that did not take the connection included",
    perPool(({ name }) => tally.pools.get(name)?.picks ?? 0),
  );
  yield* counter(
    "pool_refused_total",
    "clients of a pool that got no session",
    pools.flatMap(({ name }) => byKey({ pool: name }, "reason", tally.pools.get(name)?.refused)),
  );

  yield* gauge(
    "pool_queued",
    "clients that wait for a place in a pool",
    perPool(({ queue }) => queue.waiting),
  );
  yield* counter(
    "pool_queued_total",
    "clients that have waited for a place in a pool",
    perPool(({ queue }) => queue.waited),
  );
  yield* counter(
    "pool_queue_timeouts_total",
    "clients whose time in a pool's queue was over before there was a place",
    perPool(({ queue }) => queue.timedOut),
  );

  yield* counter(
    "pool_scale_commands_total",
    "commands that were to scale a pool, by what came of them",
    pools.flatMap(({ name: pool, scale }): Sample[] =>
      scale === null ? [] : [
        [{ pool, outcome: "up" }, scale.doneUp],
        [{ pool, outcome: "down" }, scale.doneDown],
        [{ pool, outcome: "failed" }, scale.failed],
      ]
    ),
  );

  const perSource = (value: (source: DiscoveryReport) => number | null) =>
    pools.flatMap(({ name: pool, discovery }) =>
      discovery.map((source): Sample => [{ pool, source: source.name }, value(source)])
    );
  yield* gauge(
    "discovery_up",
    "1 while a discovery source can be asked",
    perSource(({ failure }) => failure === null ? 1 : 0),
  );
  yield* gauge(
    "discovery_backends",
    "backends that a discovery source names",
    perSource(({ backends }) => backends),
  );
  yield* gauge(
    "discovery_last_list_seconds",
    "when a discovery source gave its last list, since the epoch",
    perSource(({ listedAt }) => listedAt === null ? null : Date.parse(listedAt) / 1000),
  );
  yield* gauge(
    "pool_discovery_held",
    "1 while the latest lists of a pool are not in effect",
    pools.flatMap(({ name: pool, discovery, discoveryHeld }): Sample[] =>
      discovery.length === 0 ? [] : [[{ pool }, discoveryHeld === null ? 0 : 1]]
    ),
  );

  const perFeed = (value: (feed: FeedReport) => readonly (readonly [Labels, number])[]) =>
    pools.flatMap(({ name, feed }) =>
      feed === null
        ? []
        : value(feed).map(([labels, one]): Sample => [{ pool: name, ...labels }, one])
    );
  yield* gauge(
    "feed_connected",
    "1 while a generator is connected that feeds a pool",
    perFeed(({ sources }) =>
      sources.map(({ endpoint, tier, connected }) => [{ endpoint, tier }, connected ? 1 : 0])
    ),
  );
  yield* counter(
    "feed_tokens_received_total",
    "tokens that a generator has sent",
    perFeed(({ sources }) =>
      sources.map(({ endpoint, tier, received }) => [{ endpoint, tier }, received])
    ),
  );
  yield* counter(
    "pool_tokens_total",
    "tokens by what became of them: used for a client; discarded because their backend could take " +
      "none, or given back because few clients came; bad because they named none",
    perFeed(({ used, discarded, bad }) =>
      Object.entries({ used, discarded, bad }).map(([outcome, one]) => [{ outcome }, one])
    ),
  );
  yield* gauge(
    "pool_tokens_waiting",
    "tokens that wait for clients",
    perFeed(({ waiting }) => [[{}, waiting]]),
  );

  yield* gauge(
    "backend_up",
    "1 when a backend is healthy, 0 when it is down; absent while nobody knows",
    perBackend(({ state }) => state === "up" ? 1 : state === "down" ? 0 : null),
  );
  yield* gauge(
    "backend_usable",
    "1 when a backend can be sent sessions",
    perBackend(({ usable }) => usable ? 1 : 0),
  );
  yield* gauge(
    "backend_admin_state",
    "1, with what the administrator has said",
    backends.map(({ backend, labels }): Sample => [{ ...labels, state: backend.admin }, 1]),
  );
  yield* gauge(
    "backend_held",
    "1 for each cause that holds a backend back",
    backends.flatMap(({ backend, labels }) =>
      backend.holds.map(({ cause }): Sample => [{ ...labels, cause }, 1])
    ),
  );
  yield* gauge("backend_sessions", "sessions of a backend", perBackend((one) => one.active));
  yield* gauge(
    "backend_max_connections",
    "the most sessions that a backend takes; 0: no limit",
    perBackend((one) => one.maxConnections),
  );
  yield* counter("backend_opened_total", "sessions opened", perBackend((one) => one.total));
  yield* counter(
    "backend_bytes_total",
    "bytes moved to and from a backend",
    backends.flatMap((placed) => bytes(placed.labels, tallied(placed))),
  );
  yield* counter(
    "backend_connect_failures_total",
    "connects to a backend that failed",
    backends.flatMap((placed) => byKey(placed.labels, "kind", tallied(placed)?.failures)),
  );
  yield* gauge(
    "backend_weight",
    "a backend's share beside others",
    perBackend((one) => one.weight),
  );
  yield* gauge("backend_cores", "CPU cores of a backend", perBackend((one) => one.cores));
  yield* gauge(
    "backend_load1",
    "the load average of a backend as it was told last",
    perBackend((one) => one.load1),
  );
  yield* gauge(
    "backend_load_age_seconds",
    "how old that is",
    perBackend((one) => one.loadAgeSeconds),
  );
  yield* gauge(
    "backend_free_cores",
    "free cores as the balancer estimates them",
    perBackend((one) => one.free),
  );
  yield* gauge(
    "backend_sampled_free_cores",
    "free cores as the last sample has it: cores less the load average",
    perBackend(({ cores, load1 }) => load1 === null ? null : cores - load1),
  );
  yield* gauge(
    "backend_memory_available_bytes",
    "memory that a backend has available",
    perBackend((one) => one.memoryAvailableBytes),
  );

  yield* metric("counter", "process_cpu_seconds_total", "CPU time used", one(process.cpuSeconds));
  yield* metric(
    "gauge",
    "process_resident_memory_bytes",
    "memory in use",
    one(process.residentBytes),
  );
  yield* metric("gauge", "process_open_fds", "open files", one(process.openFiles));
  yield* metric("gauge", "process_max_fds", "the limit on open files", one(process.mostFiles));
  yield* counter(
    "listen_overflows_total",
    "clients that found a listening socket's queue full, of all programs of this network namespace",
    one(process.listenOverflows),
  );
}

function gauge(name: string, help: string, samples: readonly Sample[]): Generator<string> {
  return metric("gauge", `compute_lb_${name}`, help, samples);
}

function counter(name: string, help: string, samples: readonly Sample[]): Generator<string> {
  return metric("counter", `compute_lb_${name}`, help, samples);
}

/** One metric; nothing where no sample has a value. */
function* metric(
  type: "gauge" | "counter",
  name: string,
  help: string,
  samples: readonly Sample[],
): Generator<string> {
  let head = `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
  for (const [labels, value] of samples) {
    if (value === undefined || value === null) continue;
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
    yield `${head}${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}\n`;
    head = "";
  }
}

/** A sample for each count, under one more label. */
function byKey(labels: Labels, label: string, counts: Counts = new Map()): Sample[] {
  return [...counts].map(([key, value]): Sample => [{ ...labels, [label]: key }, value]);
}

function escaped(text: string): string {
  return text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
}
