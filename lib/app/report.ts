// Builds the report that `status` shows, from what the parts of the program know.

import { formatAddress } from "../core/values/address.ts";
import { describeAdvice } from "../core/pool/agent_advice.ts";
import { ACTIVE, CONNECT_FAILURES, TOTAL, UNKNOWN_FREE } from "../core/pick/pick_table.ts";
import type { Member } from "../core/pool/member.ts";
import type { Pool } from "../core/pool/pool.ts";
import { backupTierOf } from "../core/pool/standing.ts";
import type { BackendReport, PoolReport } from "../admin/report.ts";
import { describeSources } from "./load_sources.ts";
import type { PoolController } from "./pool_controller.ts";
import { describePanic } from "./resilience.ts";

/** What is known of one pool now. */
export function reportPool(controller: PoolController, nowMs: number, wallMs: number): PoolReport {
  const { config, pool } = controller;
  return {
    name: config.name,
    strategy: config.strategy,
    strategyInUse: controller.strategyInUse,
    loadSource: describeSources(config),
    healthProbe: config.health.probe,
    sticky: config.sticky.by,
    panic: controller.resilience.panic === undefined
      ? null
      : describePanic(controller.resilience.panic),
    burstCost: controller.burstCost,
    // One that has left stands in the pool for a while after its last session: that is no news.
    backends: [
      ...pool.members,
      ...pool.leaving.filter(({ row }) => pool.table.read(row, ACTIVE) > 0),
    ].map((member) => reportMember(controller, member, nowMs, wallMs)),
  };
}

function reportMember(
  { pool, resilience }: PoolController,
  member: Member,
  nowMs: number,
  wallMs: number,
): BackendReport {
  const { table } = pool;
  const timeOf = (atMs: number) => new Date(wallMs - (nowMs - atMs)).toISOString();
  const fresh = pool.freshLoad(member, nowMs);
  const free = table.freeMilliCores(member.row);
  const { cores, from } = pool.coresOf(member);
  return {
    id: member.backend.id,
    addresses: member.addresses.map(formatAddress),
    state: member.leaving ? "leaving" : member.health.state,
    admin: member.admin,
    reason: reasonOf(pool, member),
    since: timeOf(member.leaving ? member.leftMs : member.healthSinceMs),
    usable: pool.isUsable(member),
    backup: backupTierOf(pool, member) > 0,
    weight: pool.weightOf(member),
    share: member.share,
    holds: [...member.holds].map(([cause, { reason, sinceMs }]) => {
      const untilMs = resilience.heldUntilMs(member.backend.id, cause);
      return {
        cause,
        reason,
        since: timeOf(sinceMs),
        until: untilMs === undefined ? null : timeOf(untilMs),
      };
    }),
    shortage: member.shortage ?? null,
    load1: member.load?.load1 ?? null,
    loadAgeSeconds: member.load === undefined ? null : (nowMs - member.load.takenAtMs) / 1000,
    loadFailure: member.leaving ? null : member.loadFailure ?? member.loadDoubt ?? null,
    cores,
    coresFrom: from,
    free: fresh === undefined || free === UNKNOWN_FREE ? null : free / 1000,
    memoryAvailableBytes: member.load?.memoryAvailableBytes ?? null,
    memoryTotalBytes: member.load?.memoryTotalBytes ?? null,
    cpuPressure: member.load?.cpuPressure ?? null,
    memoryPressure: member.load?.memoryPressure ?? null,
    loginSessions: member.load?.loginSessions ?? null,
    active: table.read(member.row, ACTIVE),
    total: table.read(member.row, TOTAL),
    maxConnections: pool.maxConnectionsOf(member),
    connectFailures: table.read(member.row, CONNECT_FAILURES),
    agent: member.agent === undefined ? null : describeAdvice(member.agent.last),
  };
}

function reasonOf(pool: Pool, member: Member): string {
  if (member.leaving) return "no longer configured";
  if (member.addresses.length === 0 && member.nameFailure !== undefined) return member.nameFailure;
  // An agent's 0% is a hold, too.
  const weighsNothing = pool.loadWeightOf(member) === 0;
  if (member.health.state === "down") {
    return weighsNothing ? `${member.healthReason}; and its weight is 0` : member.healthReason;
  }
  // In a panic some of them keep nobody away.
  const { forgiven } = pool;
  const [first] = member.holds.keys();
  const cause = member.holds.keys().find((one) => !forgiven.has(one)) ?? first;
  const hold = cause === undefined ? undefined : member.holds.get(cause);
  if (hold !== undefined) return hold.reason;
  if (weighsNothing) return "its weight is 0";
  return member.healthReason;
}
