// What the admin socket can be asked: one line per request in ROUTES. A new request is a report, what
// the balancer gives for it (Reports), and its line.

import type { Answer } from "../core/serving/http.ts";
import { quote } from "../schema/quote.ts";
import * as schemas from "./answer_schemas.ts";
import { type AdminRequest, type Asked, fault, json, toJson } from "./answers.ts";
import { formatMetrics, type MetricsReport } from "./metrics.ts";
import {
  answerBackend,
  answerBackends,
  answerFrontend,
  answerOrder,
  answerPool,
  deleteBackend,
  deleteDenial,
  killSession,
  patchBackend,
  postReload,
  putBackend,
  putDenial,
} from "./order_answers.ts";
import { type DescribedRoute, openApi } from "./openapi.ts";
import { backendAddition, backendPatch, denialBody, type Orders, type Reloads } from "./orders.ts";
import { healthQuery, reasonQuery, sessionsQuery, whyQuery } from "./queries.ts";
import { readQuery } from "./reading.ts";
import type { StatusReport } from "./report.ts";
import {
  parseSessionId,
  type SessionReport,
  type SessionsQuery,
  type SessionsReport,
} from "./session_report.ts";
import type { DecisionReport, WhyQuery, WhyReport } from "./why_report.ts";

/** A WhyReport of which each decision is made when its turn comes: all of them take megabytes. */
export type WhyAnswer = Omit<WhyReport, "decisions"> & {
  readonly decisions: Iterable<DecisionReport>;
};

/** What the running balancer reports. */
export interface Reports {
  status(): StatusReport;
  why(query: WhyQuery): WhyAnswer;
  metrics(): MetricsReport;
  sessions(query: SessionsQuery): SessionsAnswer;
}

/** A SessionsReport of which each session is written when its turn comes. */
export type SessionsAnswer = Omit<SessionsReport, "sessions"> & {
  readonly sessions: Iterable<SessionReport>;
};

/** What stands behind the requests. */
export interface Balancer extends Reports {
  readonly orders: Orders;
  readonly reloads: Reloads;
}

export interface Route extends DescribedRoute {
  answer(balancer: Balancer, asked: Asked): Answer | Promise<Answer>;
}

/** How orders may be answered that are not carried out. */
const ORDER_STATUSES = [404, 409, 412, 503] as const;

/** Every request. What is not marked as open takes the token over TCP. */
export const ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/status",
    doc: "frontends, pools and backends",
    gives: schemas.status,
    isOpen: true,
    answer: (balancer) => json(200, balancer.status()),
  },
  {
    method: "GET",
    path: "/v1/why",
    doc: "why connections landed where they did",
    query: whyQuery,
    gives: schemas.why,
    answer: answerWhy,
  },
  {
    method: "GET",
    path: "/v1/pools",
    doc: "all pools",
    gives: schemas.listOf("pools", schemas.pool),
    isOpen: true,
    answer: (balancer) => json(200, { pools: balancer.status().pools }),
  },
  {
    method: "GET",
    path: "/v1/pools/:pool",
    doc: "one pool with its backends",
    gives: schemas.pool,
    mayBe: [404],
    isOpen: true,
    answer: (balancer, asked) => answerPool(balancer.status(), asked),
  },
  {
    method: "GET",
    path: "/v1/pools/:pool/backends",
    doc: "the backends of a pool, and those that are removed",
    gives: schemas.backends,
    mayBe: [404],
    isOpen: true,
    answer: (balancer, asked) => answerBackends(balancer.status(), asked),
  },
  {
    method: "GET",
    path: "/v1/pools/:pool/backends/:backend",
    doc: "one backend",
    gives: schemas.orderedBackend,
    mayBe: [404],
    isOpen: true,
    answer: ({ orders }, asked) => answerBackend(orders, asked),
  },
  {
    method: "PATCH",
    path: "/v1/pools/:pool/backends/:backend",
    doc: "orders the state, the weight or the deadline of a drain; null takes an order away",
    body: backendPatch,
    gives: schemas.orderedBackend,
    mayBe: ORDER_STATUSES,
    answer: ({ orders }, asked) => patchBackend(orders, asked),
  },
  {
    method: "PUT",
    path: "/v1/pools/:pool/backends/:backend",
    doc: "adds a backend to the pool",
    body: backendAddition,
    gives: schemas.orderedBackend,
    mayBe: ORDER_STATUSES,
    answer: ({ orders }, asked) => putBackend(orders, asked),
  },
  {
    method: "DELETE",
    path: "/v1/pools/:pool/backends/:backend",
    doc: "takes a backend out of the pool, whatever names it, until it is enabled or added again",
    query: reasonQuery,
    gives: schemas.orderedBackend,
    mayBe: ORDER_STATUSES,
    answer: ({ orders }, asked) => deleteBackend(orders, asked),
  },
  {
    method: "GET",
    path: "/v1/frontends",
    doc: "all frontends",
    gives: schemas.listOf("frontends", schemas.frontend),
    isOpen: true,
    answer: (balancer) => json(200, { frontends: balancer.status().frontends }),
  },
  {
    method: "GET",
    path: "/v1/frontends/:frontend",
    doc: "one frontend",
    gives: schemas.frontend,
    mayBe: [404],
    isOpen: true,
    answer: (balancer, asked) => answerFrontend(balancer.status(), balancer.orders, asked),
  },
  {
    method: "PUT",
    path: "/v1/frontends/:frontend/deny/*network",
    doc: "has a frontend turn clients of a network away; sessions that stand go on",
    body: denialBody,
    gives: schemas.orderedDenial,
    mayBe: ORDER_STATUSES,
    answer: ({ orders }, asked) => putDenial(orders, asked),
  },
  {
    method: "DELETE",
    path: "/v1/frontends/:frontend/deny/*network",
    doc: "takes that back",
    gives: schemas.orderedDenial,
    mayBe: ORDER_STATUSES,
    answer: ({ orders }, asked) => deleteDenial(orders, asked),
  },
  {
    method: "GET",
    path: "/v1/reload",
    doc: "what a reload would change, and which orders stand",
    gives: schemas.reload,
    mayBe: [409, 422],
    answer: async ({ reloads }) => answerOrder(await reloads.preview()),
  },
  {
    method: "POST",
    path: "/v1/reload",
    doc: "reads the configuration again, as a HUP does",
    gives: schemas.reload,
    mayBe: [409, 422],
    answer: ({ reloads }, asked) => postReload(reloads, asked),
  },
  {
    method: "GET",
    path: "/v1/sessions",
    doc: "the sessions that stand",
    query: sessionsQuery,
    gives: schemas.sessions,
    answer: answerSessions,
  },
  {
    method: "GET",
    path: "/v1/sessions/:session",
    doc: "one session",
    gives: schemas.session,
    mayBe: [404],
    answer: answerSession,
  },
  {
    method: "DELETE",
    path: "/v1/sessions/:session",
    doc: "ends a session",
    query: reasonQuery,
    gives: schemas.session,
    mayBe: ORDER_STATUSES,
    answer: ({ orders }, asked) => killSession(orders, asked),
  },
  {
    method: "GET",
    path: "/metrics",
    doc: "for Prometheus",
    gives: "text",
    isOpen: true,
    answer: (balancer) => plain(200, formatMetrics(balancer.metrics())),
  },
  {
    method: "GET",
    path: "/healthz",
    doc: "for keepalived and the like: 200 while clients that come can be served",
    query: healthQuery,
    gives: "text",
    mayBe: [404, 503],
    isOpen: true,
    answer: (balancer, asked) => answerHealth(balancer.status(), asked),
  },
  {
    method: "GET",
    path: "/v1/openapi.json",
    doc: "this document",
    gives: { type: "object" },
    isOpen: true,
    answer: (balancer) => json(200, openApi(ROUTES, balancer.status().version)),
  },
];

/** Version of Prometheus's text format. */
const PLAIN_TEXT = "text/plain; version=0.0.4; charset=utf-8";

/** Routes of a path, with what it has for their names. */
function routesAt(path: string) {
  return ROUTES.flatMap((route) => {
    const params = paramsOf(route.path, path);
    return params === undefined ? [] : [{ route, params }];
  });
}

/** Tells whether everybody who reaches admin.http may ask this, without the token. */
export function isOpen(method: string, target: string): boolean {
  const [path] = splitOnce(target, "?");
  return isReading(method) &&
    routesAt(path).every(({ route }) => route.method !== "GET" || route.isOpen);
}

/** HEAD is answered as GET, without the body. */
function isReading(method: string): boolean {
  return method === "GET" || method === "HEAD";
}

/** Answers a request. */
export async function answerAdmin(balancer: Balancer, request: AdminRequest): Promise<Answer> {
  const { by, method, target, fields, body } = request;
  const [path, query = ""] = splitOnce(target, "?");
  const there = routesAt(path);
  if (there.length === 0) {
    return fault(404, `no such resource: ${target} (/v1/openapi.json describes all)`);
  }
  const wanted = isReading(method) ? "GET" : method;
  const found = there.find(({ route }) => route.method === wanted);
  if (found === undefined) {
    const methods = there.flatMap(({ route }) =>
      route.method === "GET" ? ["GET", "HEAD"] : [route.method]
    ).join(", ");
    return fault(405, `${method} is not allowed here: use ${methods}`, { "Allow": methods });
  }
  const { route, params } = found;
  const garbled = Object.entries(params).find(([, value]) => value === undefined);
  if (garbled !== undefined) {
    const error = `Cannot read the ${garbled[0]} in ${quote(path)}: expected percent-encoded UTF-8`;
    return fault(400, error);
  }
  const known = Object.entries(params).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]]
  );
  return await route.answer(balancer, {
    by,
    params: Object.fromEntries(known),
    query,
    fields,
    body,
  });
}

/** What a path has for the names of a route's; undefined: it is another one. A value that is garbled is undefined. */
function paramsOf(route: string, path: string): Record<string, string | undefined> | undefined {
  const [wanted, given] = [route.split("/"), path.split("/")];
  const params: Record<string, string | undefined> = {};
  for (const [index, segment] of wanted.entries()) {
    const value = given[index];
    if (value === undefined) return undefined;
    if (segment.startsWith("*")) {
      params[segment.slice(1)] = decoded(given.slice(index).join("/"));
      return params;
    }
    if (segment.startsWith(":")) {
      if (value === "") return undefined;
      params[segment.slice(1)] = decoded(value);
    } else if (segment !== value) return undefined;
  }
  return wanted.length === given.length ? params : undefined;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function answerWhy(reports: Reports, asked: Asked): Answer {
  const query = readQuery(whyQuery, asked);
  if (!query.ok) return query.answer;
  const { decisions, ...rest } = reports.why(query.value);
  return { status: 200, body: listBody(rest, "decisions", decisions) };
}

function answerSessions(reports: Reports, asked: Asked): Answer {
  const query = readQuery(sessionsQuery, asked);
  if (!query.ok) return query.answer;
  const { sessions, ...rest } = reports.sessions(query.value);
  return { status: 200, body: listBody(rest, "sessions", sessions) };
}

function answerSession(reports: Reports, { params: { session = "" } }: Asked): Answer {
  const id = parseSessionId(session);
  for (const one of id === undefined ? [] : reports.sessions({}).sessions) {
    if (one.id === id) return json(200, one);
  }
  return fault(404, `Unknown session ${quote(session)}: it has ended, or never was`);
}

/** Whether clients that come now can be served, in one word and one line of why not. */
function answerHealth({ state, pools }: StatusReport, asked: Asked): Answer {
  const query = readQuery(healthQuery, asked);
  if (!query.ok) return query.answer;
  const { pool: name } = query.value;
  const meant = name === undefined ? pools : pools.filter((pool) => pool.name === name);
  if (name !== undefined && meant.length === 0) {
    const known = pools.map((pool) => pool.name).join(", ");
    return fault(404, `no such pool: ${name}; expected one of ${known}`);
  }
  if (state === "draining") return plain(503, ["draining\n"]);
  const usable = meant.flatMap(({ backends }) => backends).filter((backend) => backend.usable);
  return usable.length > 0 ? plain(200, ["ok\n"]) : plain(503, ["no usable backend\n"]);
}

/** An object with a list that is not made beforehand. */
function* listBody(rest: object, name: string, items: Iterable<unknown>): Generator<string> {
  yield `${toJson(rest).slice(0, -1)},"${name}":[`;
  let separator = "";
  for (const item of items) {
    yield separator + toJson(item);
    separator = ",";
  }
  yield "]}\n";
}

function plain(status: Answer["status"], body: Iterable<string>): Answer {
  return { status, body: [...body].join(""), fields: { "Content-Type": PLAIN_TEXT } };
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
