// Orders to the running balancer, as commands give them: finds the backends that are meant, sends one request
// for each, and tells what they have become.

import { requestAdmin } from "../admin/client.ts";
import { BY_FIELD } from "../admin/order_answers.ts";
import {
  type BackendReport,
  isStatusReport,
  type RemovedReport,
  type StatusReport,
} from "../admin/report.ts";
import { counted } from "../core/values/counted.ts";
import { describeDuration } from "../core/values/duration.ts";
import { printable } from "../core/values/printable.ts";
import { toThousandths } from "../core/values/thousandths.ts";
import { askBalancer, NO_STATUS_REPORT } from "./ask_balancer.ts";
import { matchBackends, type MatchedBackend } from "./backend_match.ts";
import { EXIT_FAILURE, EXIT_OK } from "./exit_code.ts";
import { complain, deepPrintable, print, printWrapped } from "./output.ts";
import type { PlacesCommand } from "./status_places.ts";

/** What all commands that order something are given. */
export interface OrderCommand extends PlacesCommand {
  readonly json: boolean;
  readonly pool?: string;
  readonly reason?: string;
}

/** One request. */
export interface BackendRequest {
  readonly method: "PATCH" | "PUT" | "DELETE";
  /** Without the reason. */
  readonly body?: Readonly<Record<string, unknown>>;
}

/** What is ordered may take as long as names are looked up and disks are waited for. */
const ORDER_MS = 60_000;

/** Orders the same of all backends that the words mean. @param name of the command. */
export async function orderBackends(
  command: OrderCommand & { readonly hosts: readonly string[] },
  name: string,
  request: BackendRequest,
): Promise<number> {
  const found = await findBalancer(command, name);
  if (!found.ok) return found.exitCode;
  const matched = matchBackends(found.status.pools, command.hosts, command.pool);
  if (!matched.ok) {
    complain(printable(matched.message));
    return EXIT_FAILURE;
  }
  return await orderEach(command, found, matched.value, request);
}

/** Adds backends to a pool, which must be named where there are several. */
export async function addBackends(
  command: OrderCommand & { readonly hosts: readonly string[] },
  values: Readonly<Record<string, unknown>>,
): Promise<number> {
  const found = await findBalancer(command, "backend add");
  if (!found.ok) return found.exitCode;
  const names = found.status.pools.map((pool) => pool.name);
  const [only = "", ...others] = names;
  if (command.pool === undefined && others.length > 0) {
    complain(`Cannot tell which pool is meant: expected --pool to be one of ${names.join(", ")}`);
    return EXIT_FAILURE;
  }
  const pool = command.pool ?? only;
  const backends = command.hosts.map((id) => ({ pool, id }));
  return await orderEach(command, found, backends, { method: "PUT", body: values });
}

type Found =
  | { readonly ok: true; readonly status: StatusReport; readonly socket: string }
  | { readonly ok: false; readonly exitCode: number };

/** Finds the running balancer and what it has; what went wrong has been told. */
export async function findBalancer(command: PlacesCommand, name: string): Promise<Found> {
  const answer = await askBalancer(command, name, "/v1/status");
  if (!answer.ok) return answer;
  if (isStatusReport(answer.report)) {
    return { ok: true, status: answer.report, socket: answer.socket };
  }
  complain(NO_STATUS_REPORT);
  return { ok: false, exitCode: EXIT_FAILURE };
}

async function orderEach(
  { json, reason }: OrderCommand,
  { socket, status }: Found & { readonly ok: true },
  backends: readonly MatchedBackend[],
  { method, body = {} }: BackendRequest,
): Promise<number> {
  const told: unknown[] = [];
  let exitCode = EXIT_OK;
  for (const { pool, id } of backends) {
    const path = `/v1/pools/${encodeURIComponent(pool)}/backends/${encodeURIComponent(id)}`;
    const why = reason === undefined ? {} : { reason };
    const query = method === "DELETE" && reason !== undefined
      ? `?reason=${encodeURIComponent(reason)}`
      : "";
    const answer = await sendOrder(socket, {
      method,
      resource: path + query,
      ...(method === "DELETE" ? {} : { body: { ...body, ...why } }),
    });
    if (!answer.ok) {
      complain(`${pool}: ${id}: ${answer.message}`);
      exitCode = EXIT_FAILURE;
    } else if (json) told.push(answer.body);
    else printWrapped(`${pool}: ${describeBackend(id, answer.body, method === "PUT")}\n`);
  }
  if (json) print(JSON.stringify(told, null, 2) + "\n");
  await warnOf(socket, backends);
  // A report of an older balancer does not tell.
  if (!json && exitCode === EXIT_OK && (status.ordersKeptIn ?? null) === null) {
    printWrapped("kept in memory: a restart of the balancer forgets it (admin.state)\n");
  }
  return exitCode;
}

/** Says when pools that were touched have nobody left. */
async function warnOf(socket: string, backends: readonly MatchedBackend[]): Promise<void> {
  const answer = await requestAdmin(socket, { method: "GET", resource: "/v1/status" });
  if (!answer.ok || !isStatusReport(answer.body)) return;
  for (const pool of answer.body.pools) {
    const isTouched = backends.some((one) => one.pool === pool.name);
    if (!isTouched || pool.backends.some(({ usable }) => usable)) continue;
    complain(`pool ${pool.name}: no backend can be used: new clients are turned away`);
  }
}

/** Sends one order in the name of whoever calls. */
export async function sendOrder(
  socket: string,
  order: { readonly method: string; readonly resource: string; readonly body?: unknown },
): Promise<
  | { readonly ok: true; readonly body: unknown }
  /** Without a status where there was no answer. */
  | { readonly ok: false; readonly message: string; readonly status?: number }
> {
  const fields = { [BY_FIELD]: whoCalls() };
  const answer = await requestAdmin(socket, { ...order, fields, timeoutMs: ORDER_MS });
  if (!answer.ok) return answer;
  const body = deepPrintable(answer.body);
  if (answer.status === 200) return { ok: true, body };
  const error = typeof body === "object" && body !== null && "error" in body
    ? String(body.error)
    : `the balancer answered ${answer.status}`;
  return { ok: false, message: error, status: answer.status };
}

/** The person behind sudo, else the user. */
function whoCalls(): string {
  const names = ["SUDO_USER", "USER", "LOGNAME"].map((name) => Deno.env.get(name) ?? "");
  const known = names.find((name) => /^[\x21-\x7e]{1,64}$/.test(name));
  return known ?? (Deno.uid() === 0 ? "root" : `uid ${Deno.uid() ?? "unknown"}`);
}

function describeBackend(id: string, answer: unknown, isAdded: boolean): string {
  if (answer === null) return `${id} is no longer in the pool`;
  if (isRemoved(answer)) {
    const left = answer.active === 0 ? "" : `, ${goOn(answer.active)}`;
    return `${answer.id} is out of the pool${left}`;
  }
  if (!isBackend(answer)) return `${id}: done`;
  return `${answer.id} ${describeState(answer, isAdded)}`;
}

/** What a backend has become, as a sentence without its name. */
function describeState(backend: BackendReport, isAdded: boolean): string {
  const { admin, active, administration, weight, reason, usable, state } = backend;
  const { state: ordered = null, weight: share = null } = administration ?? {};
  const words: string[] = [];
  if (admin === "enabled") {
    const overrules = ordered?.overrules ?? null;
    const is = isAdded ? "is in the pool" : "is enabled";
    words.push(overrules === null ? is : `${is}, though ${overrules}`);
    if (!usable) {
      words.push(state === "down" ? `it is down: ${reason}` : `no new sessions: ${reason}`);
    }
  } else {
    const cut = ordered?.deadline ?? null;
    const until = cut === null ? "" : ` until ${describeTime(cut)}`;
    words.push(`is ${admin}: ${active === 0 ? "no session is left" : goOn(active) + until}`);
  }
  if (share !== null) words.push(`weight ${toThousandths(weight)}`);
  return words.join("; ");
}

function goOn(sessions: number): string {
  return `${counted(sessions, "session")} go${sessions === 1 ? "es" : ""} on`;
}

/** A time with how long it is till then. */
export function describeTime(time: string): string {
  const leftMs = Date.parse(time) - Date.now();
  const seconds = time.replace(/\.\d+Z$/, "Z");
  return leftMs > 0 ? `${seconds} (in ${describeDuration(leftMs)})` : seconds;
}

function isRemoved(value: unknown): value is RemovedReport {
  return typeof value === "object" && value !== null && "id" in value && "active" in value &&
    !("addresses" in value);
}

function isBackend(value: unknown): value is BackendReport {
  return typeof value === "object" && value !== null && "id" in value && "addresses" in value &&
    "administration" in value;
}
