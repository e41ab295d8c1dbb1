// `compute-lb sessions` and `compute-lb kill`: who is where, and the end of some of them.

import {
  isSessionsReport,
  type SessionReport,
  type SessionsQuery,
  type SessionsReport,
  sessionsResource,
} from "../admin/session_report.ts";
import { printable } from "../core/values/printable.ts";
import { isStatusReport } from "../admin/report.ts";
import { matchBackends, unknownFrontend } from "./backend_match.ts";
import { describeDuration } from "../core/values/duration.ts";
import { describeSize } from "../core/values/size.ts";
import { askBalancer, drawReport } from "./ask_balancer.ts";
import { EXIT_FAILURE, EXIT_OK } from "./exit_code.ts";
import { findBalancer, type OrderCommand, sendOrder } from "./orders.ts";
import { clip, colourful, complain, DIM, print, printWrapped, terminalWidth } from "./output.ts";
import type { PlacesCommand } from "./status_places.ts";
import { type Cell, drawTable } from "./table.ts";

export interface SessionsCommand extends PlacesCommand {
  readonly json: boolean;
  readonly query: SessionsQuery;
}

export async function sessions(command: SessionsCommand): Promise<number> {
  const answer = await askBalancer(command, "sessions", sessionsResource(command.query));
  if (!answer.ok) return answer.exitCode;
  const { report } = answer;
  if (isSessionsReport(report) && report.sessions.length === 0) {
    // A name that is mistyped must not look like a server that is empty.
    const unknown = await unknownName(command);
    if (unknown !== undefined) {
      complain(printable(unknown));
      return EXIT_FAILURE;
    }
  }
  const text = isSessionsReport(report)
    ? drawReport(() => renderSessions(report, colourful()))
    : undefined;
  if (text === undefined) {
    complain("The balancer's answer does not tell sessions: is it of another version?");
    return EXIT_FAILURE;
  }
  if (command.json) print(JSON.stringify(report, null, 2) + "\n");
  else print(text.split("\n").map((line) => clip(line, terminalWidth())).join("\n"));
  return EXIT_OK;
}

/** Says which name of the query the running balancer does not know; undefined: it knows all. */
async function unknownName(command: SessionsCommand): Promise<string | undefined> {
  const { backend, pool, frontend } = command.query;
  if (backend === undefined && pool === undefined && frontend === undefined) return undefined;
  const answer = await askBalancer(command, "sessions", "/v1/status");
  if (!answer.ok || !isStatusReport(answer.report)) return undefined;
  const { pools, frontends } = answer.report;
  // One that leaves may have sessions, if none that is asked for.
  const there = pools.map((one) => ({ ...one, backends: one.backends.map(({ id }) => ({ id })) }));
  const matched = matchBackends(there, backend === undefined ? [] : [backend], pool);
  if (!matched.ok) return matched.message;
  return frontend === undefined ? undefined : unknownFrontend(frontend, frontends);
}

/** The sessions as a table, lines ended by newlines; frontend and pool where there are several. */
function renderSessions({ sessions, now }: SessionsReport, colours: boolean): string {
  if (sessions.length === 0) return "no session\n";
  const nowMs = Date.parse(now);
  const several = (of: (session: SessionReport) => string) => new Set(sessions.map(of)).size > 1;
  const hasPools = several(({ pool }) => pool);
  const hasFrontends = several(({ frontend }) => frontend);
  const headings: Cell[] = [
    { text: "SESSION", right: true },
    { text: "CLIENT" },
    { text: "BACKEND" },
    { text: "SINCE", right: true },
    { text: "IDLE", right: true },
    { text: "SENT", right: true },
    { text: "RECEIVED", right: true },
    ...(hasPools ? [{ text: "POOL" }] : []),
    ...(hasFrontends ? [{ text: "FRONTEND" }] : []),
  ];
  const rows = sessions.map((session): Cell[] => {
    const { id, client, backend, since, idleSeconds, pool, frontend } = session;
    return [
      { text: `${id}`, right: true },
      { text: client },
      { text: backend },
      { text: describeDuration(Math.max(0, nowMs - Date.parse(since))), right: true },
      { text: describeDuration(idleSeconds * 1000), right: true },
      { text: describeSize(session.bytesToBackend), right: true },
      { text: describeSize(session.bytesToClient), right: true },
      ...(hasPools ? [{ text: pool }] : []),
      ...(hasFrontends ? [{ text: frontend }] : []),
    ];
  });
  return `${
    drawTable([headings.map((cell) => ({ ...cell, code: DIM })), ...rows], colours).lines.join("\n")
  }\n`;
}

export async function killSessions(
  command: OrderCommand & { readonly ids: readonly number[] },
): Promise<number> {
  const found = await findBalancer(command, "kill");
  if (!found.ok) return found.exitCode;
  const { json, reason, ids } = command;
  const query = reason === undefined ? "" : `?reason=${encodeURIComponent(reason)}`;
  const told: unknown[] = [];
  let exitCode = EXIT_OK;
  for (const id of ids) {
    const order = { method: "DELETE", resource: `/v1/sessions/${id}${query}` };
    const answer = await sendOrder(found.socket, order);
    if (!answer.ok) {
      complain(answer.message);
      exitCode = EXIT_FAILURE;
    } else if (json) told.push(answer.body);
    else printWrapped(`session ${id} ends${describeSession(answer.body)}\n`);
  }
  if (json) print(JSON.stringify(told, null, 2) + "\n");
  return exitCode;
}

function describeSession(answer: unknown): string {
  const isSession = typeof answer === "object" && answer !== null && "client" in answer &&
    "backend" in answer;
  return isSession ? `: ${answer.client} on ${answer.backend}` : "";
}
