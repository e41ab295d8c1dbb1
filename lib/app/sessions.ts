// The sessions that stand, for people: finds those that are asked for, and ends some of them by order.

import { formatAddress, parseBackendAddress } from "../core/values/address.ts";
import type { Engine, Session } from "../engine/engine.ts";
import type { SessionReport, SessionsQuery } from "../admin/session_report.ts";
import { isFrom } from "./decision_journal.ts";

/** Those that a query means, the oldest first. */
export function findSessions(engine: Engine, query: SessionsQuery): Session[] {
  const { pool, frontend, backend, client } = query;
  return engine.sessions().filter((session) =>
    (pool === undefined || session.pool === pool) &&
    (frontend === undefined || session.frontend === frontend) &&
    (backend === undefined || isBackend(session.backend, backend)) &&
    (client === undefined || isFrom(formatAddress(session.client), client))
  );
}

export function reportSession(session: Session): SessionReport {
  const { tunnel, frontend, pool, backend, client, outgoing } = session;
  const { openedAtMs, idleMs, bytesToBackend, bytesToClient } = session;
  return {
    id: tunnel,
    frontend,
    pool,
    backend,
    client: formatAddress(client),
    outgoing: formatAddress(outgoing),
    since: new Date(openedAtMs).toISOString(),
    idleSeconds: Math.max(0, Math.round(idleMs / 1000)),
    bytesToBackend,
    bytesToClient,
  };
}

/** Whether a backend is meant: by its id, or by its host alone, letter case of that aside. */
function isBackend(id: string, wanted: string): boolean {
  if (id === wanted) return true;
  const address = parseBackendAddress(id);
  return address.ok && address.value.transport === "tcp" &&
    address.value.host.toLowerCase() === wanted.toLowerCase();
}
