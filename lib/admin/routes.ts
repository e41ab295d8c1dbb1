// What the admin socket can be asked: one line per request in ROUTES. A new request is a report, what
// the balancer gives for it (Reports), and its line.

import type { Answer } from "../core/serving/http.ts";
import { printable } from "../core/values/printable.ts";
import { formatMetrics, type MetricsReport } from "./metrics.ts";
import type { StatusReport } from "./report.ts";
import { type DecisionReport, parseWhyQuery, type WhyQuery, type WhyReport } from "./why_report.ts";

/** A WhyReport of which each decision is made when its turn comes: all of them take megabytes. */
export type WhyAnswer = Omit<WhyReport, "decisions"> & {
  readonly decisions: Iterable<DecisionReport>;
};

/** What the running balancer reports. */
export interface Reports {
  status(): StatusReport;
  why(query: WhyQuery): WhyAnswer;
  metrics(): MetricsReport;
}

interface Route {
  readonly method: "GET";
  readonly path: string;
  /** Answers; the query is what stands behind "?" in the target. */
  answer(reports: Reports, query: string): Answer;
}

const ROUTES: readonly Route[] = [
  // The StatusReport.
  { method: "GET", path: "/v1/status", answer: (reports) => json(200, reports.status()) },
  // The WhyReport: ?last=N&client=ADDRESS; 1 without last, all clients without client.
  { method: "GET", path: "/v1/why", answer: answerWhy },
  // For Prometheus.
  {
    method: "GET",
    path: "/metrics",
    answer: (reports) => plain(200, formatMetrics(reports.metrics())),
  },
  // For keepalived and the like: 200 while it takes clients; ?pool=NAME asks for one pool.
  {
    method: "GET",
    path: "/healthz",
    answer: (reports, query) => answerHealth(reports.status(), query),
  },
];

/** Version of Prometheus's text format. */
const PLAIN_TEXT = "text/plain; version=0.0.4; charset=utf-8";

/** Answers a request for a target, path and query. */
export function answerAdmin(reports: Reports, method: string, target: string): Answer {
  const [path, query = ""] = splitOnce(target, "?");
  const there = ROUTES.filter((route) => route.path === path);
  if (there.length === 0) return fault(404, `no such resource: ${target}`);
  const route = there.find((route) => route.method === method);
  if (route !== undefined) return route.answer(reports, query);
  const methods = there.map((route) => route.method).join(", ");
  return fault(405, `${method} is not allowed here: use ${methods}`, { "Allow": methods });
}

/** An answer that says what is wrong with the request. */
export function fault(
  status: Answer["status"],
  error: string,
  fields: Readonly<Record<string, string>> = {},
): Answer {
  return { ...json(status, { error }), fields };
}

function answerWhy(reports: Reports, query: string): Answer {
  const asked = parseWhyQuery(query);
  if (!asked.ok) return fault(400, asked.message);
  return { status: 200, body: whyBody(reports.why(asked.value)) };
}

/** Whether clients that come now can be served, in one word and one line of why not. */
function answerHealth({ state, pools }: StatusReport, query: string): Answer {
  const name = new URLSearchParams(query).get("pool");
  const asked = name === null ? pools : pools.filter((pool) => pool.name === name);
  if (name !== null && asked.length === 0) {
    const known = pools.map((pool) => pool.name).join(", ");
    return fault(404, `no such pool: ${name}; expected one of ${known}`);
  }
  if (state === "draining") return plain(503, ["draining\n"]);
  const usable = asked.flatMap(({ backends }) => backends).filter((backend) => backend.usable);
  return usable.length > 0 ? plain(200, ["ok\n"]) : plain(503, ["no usable backend\n"]);
}

/** Not made beforehand. */
function* whyBody({ decisions, ...rest }: WhyAnswer): Generator<string> {
  yield `${toJson(rest).slice(0, -1)},"decisions":[`;
  let separator = "";
  for (const decision of decisions) {
    yield separator + toJson(decision);
    separator = ",";
  }
  yield "]}\n";
}

function plain(status: Answer["status"], body: Iterable<string>): Answer {
  return { status, body: [...body].join(""), fields: { "Content-Type": PLAIN_TEXT } };
}

function json(status: Answer["status"], body: unknown): Answer {
  return { status, body: `${toJson(body)}\n` };
}

/** What stands in it may be anything, and whoever asks may show it on a terminal as it is. */
function toJson(value: unknown): string {
  return JSON.stringify(
    value,
    (_, inner: unknown) => typeof inner === "string" ? printable(inner) : inner,
  );
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
