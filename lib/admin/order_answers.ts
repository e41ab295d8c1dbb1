// Answers requests about single pools, backends and frontends, those that change something included: reads
// paths, bodies and conditions, and words what came of it.

import type { Answer } from "../core/serving/http.ts";
import { didYouMean } from "../core/values/nearest.ts";
import { quote } from "../schema/quote.ts";
import { line } from "../schema/values.ts";
import { type Asked, fault, json } from "./answers.ts";
import {
  backendAddition,
  backendPatch,
  type Caller,
  DEFAULT,
  denialBody,
  type Ordered,
  type Orders,
  type Reloads,
} from "./orders.ts";
import { reasonQuery } from "./queries.ts";
import { type Read, readBody, readQuery } from "./reading.ts";
import type { StatusReport } from "./report.ts";
import { parseSessionId } from "./session_report.ts";

/** The field of a request that says who orders: the way it comes tells only that somebody may. */
export const BY_FIELD = "compute-lb-by";

/** As RFC 7396 has it, null takes away; but what is said with an order is no order. */
const takenAway = (field: string) => field === "reason" ? null : DEFAULT;

const who = line("a name", 64);

export function answerPool(status: StatusReport, { params: { pool = "" } }: Asked): Answer {
  return found(status.pools, "pool", pool);
}

export function answerBackends(status: StatusReport, { params: { pool = "" } }: Asked): Answer {
  const one = status.pools.find(({ name }) => name === pool);
  return one === undefined
    ? found(status.pools, "pool", pool)
    : json(200, { backends: one.backends, removed: one.removed });
}

export function answerFrontend(
  status: StatusReport,
  orders: Orders,
  { params: { frontend = "" } }: Asked,
): Answer {
  const answer = found(status.frontends, "frontend", frontend);
  const tag = orders.frontendTag(frontend);
  return tag === undefined ? answer : { ...answer, fields: { "ETag": `"${tag}"` } };
}

export async function putDenial(orders: Orders, asked: Asked): Promise<Answer> {
  const { frontend = "", network = "" } = asked.params;
  const body = readBody(denialBody, asked, takenAway);
  if (!body.ok) return body.answer;
  const caller = callerOf(asked);
  if (!caller.ok) return caller.answer;
  return answerOrder(await orders.deny(frontend, network, body.value, caller.value));
}

export async function deleteDenial(orders: Orders, asked: Asked): Promise<Answer> {
  const { frontend = "", network = "" } = asked.params;
  const caller = callerOf(asked);
  if (!caller.ok) return caller.answer;
  return answerOrder(await orders.undeny(frontend, network, caller.value));
}

function found(all: readonly { readonly name: string }[], what: string, name: string): Answer {
  const one = all.find((known) => known.name === name);
  if (one !== undefined) return json(200, one);
  const names = all.map((known) => known.name);
  const hint = didYouMean(name, names) || `expected one of ${names.join(", ")}`;
  return fault(404, `Unknown ${what} ${quote(name)}: ${hint}`);
}

export function answerBackend(orders: Orders, { params }: Asked): Answer {
  const { pool = "", backend = "" } = params;
  return answerOrder(orders.backend(pool, backend));
}

export async function patchBackend(orders: Orders, asked: Asked): Promise<Answer> {
  const { pool = "", backend = "" } = asked.params;
  const body = readBody(backendPatch, asked, takenAway);
  if (!body.ok) return body.answer;
  const caller = callerOf(asked);
  if (!caller.ok) return caller.answer;
  return answerOrder(await orders.patchBackend(pool, backend, body.value, caller.value));
}

export async function putBackend(orders: Orders, asked: Asked): Promise<Answer> {
  const { pool = "", backend = "" } = asked.params;
  const body = readBody(backendAddition, asked);
  if (!body.ok) return body.answer;
  const caller = callerOf(asked);
  if (!caller.ok) return caller.answer;
  return answerOrder(await orders.addBackend(pool, backend, body.value, caller.value));
}

export async function deleteBackend(orders: Orders, asked: Asked): Promise<Answer> {
  const { pool = "", backend = "" } = asked.params;
  const query = readQuery(reasonQuery, asked);
  if (!query.ok) return query.answer;
  const caller = callerOf(asked);
  if (!caller.ok) return caller.answer;
  return answerOrder(await orders.removeBackend(pool, backend, query.value.reason, caller.value));
}

export function killSession(orders: Orders, asked: Asked): Answer {
  const { session = "" } = asked.params;
  const id = parseSessionId(session);
  if (id === undefined) {
    return fault(400, `Cannot read ${quote(session)} as a session: expected its number`);
  }
  const query = readQuery(reasonQuery, asked);
  if (!query.ok) return query.answer;
  const caller = callerOf(asked);
  if (!caller.ok) return caller.answer;
  return answerOrder(orders.kill(id, query.value.reason, caller.value));
}

export async function postReload(reloads: Reloads, asked: Asked): Promise<Answer> {
  const caller = callerOf(asked);
  return caller.ok ? answerOrder(await reloads.reload(caller.value)) : caller.answer;
}

/** Who asks, and under which condition. */
function callerOf(asked: Asked): Read<Caller> {
  const { fields } = asked;
  const by = who.read(fields.get(BY_FIELD) ?? asked.by);
  if (!by.ok) return { ok: false, answer: fault(400, `${BY_FIELD}: ${by.message}`) };
  const condition = fields.get("if-match");
  if (condition === undefined) return { ok: true, value: { by: by.value } };
  const tags = condition.split(",").map((tag) => tag.trim());
  const wrong = tags.find((tag) => !/^"[\x21\x23-\x7e]*"$/.test(tag));
  if (condition !== "*" && wrong !== undefined) {
    const error = `If-Match: Cannot read ${quote(wrong)} as a tag: expected "TAG" or *`;
    return { ok: false, answer: fault(400, error) };
  }
  const ifMatch = condition === "*" ? "*" : tags.map((tag) => tag.slice(1, -1));
  return { ok: true, value: { by: by.value, ifMatch } };
}

/** Answers with what came of an order. */
export function answerOrder(ordered: Ordered<unknown>): Answer {
  if (!ordered.ok) {
    const { status, error, field } = ordered;
    return json(status, {
      error: field === undefined ? error : `${field}: ${error}`,
      ...(field === undefined ? {} : { faults: [{ field, message: error }] }),
    });
  }
  const { value, tag } = ordered;
  return { ...json(200, value), ...(tag === undefined ? {} : { fields: { "ETag": `"${tag}"` } }) };
}
