// Builds the report that `status` shows, from what the parts of the program know.

import { formatAddress } from "../core/values/address.ts";
import { queuedIn } from "../core/dial/pool_queue.ts";
import { describeAdvice } from "../core/pool/agent_advice.ts";
import {
  ACTIVE,
  CONNECT_FAILURES,
  QUEUE_TIMEOUTS,
  QUEUED_TOTAL,
  TOTAL,
  UNKNOWN_FREE,
} from "../core/pick/pick_table.ts";
import type { Denial } from "../core/administration/administration.ts";
import type { Override, Overrides, Said } from "../core/administration/override.ts";
import { type HoldCause, isOverruled, type Member } from "../core/pool/member.ts";
import type { Pool } from "../core/pool/pool.ts";
import { backupTierOf } from "../core/pool/standing.ts";
import type {
  AdministrationReport,
  BackendReport,
  DenialReport,
  PoolDiscoveryReport,
  PoolReport,
  SaidReport,
} from "../admin/report.ts";
import type { BackendConfig } from "../config/config.ts";
import { describeSources } from "./load_sources.ts";
import type { PoolController } from "./pool_controller.ts";
import { describePanic } from "./resilience.ts";

/**
 * What is known of one pool now.
 * @param configured its backends as the configuration has them.
 * @param overrides what administrators have ordered of them.
 */
export function reportPool(
  controller: PoolController,
  configured: readonly BackendConfig[],
  overrides: Overrides,
  nowMs: number,
  wallMs: number,
): Omit<PoolReport, "feed" | keyof PoolDiscoveryReport> {
  const { config, pool } = controller;
  return {
    name: config.name,
    strategy: controller.strategy,
    strategyInUse: controller.strategyInUse,
    loadSource: describeSources(config),
    healthProbe: config.health.probe,
    sticky: config.sticky.by,
    panic: controller.resilience.panic === undefined
      ? null
      : describePanic(controller.resilience.panic),
    burstCost: controller.burstCost,
    queue: {
      waiting: queuedIn(pool.table),
      // These words wrap around.
      waited: Atomics.load(pool.table.words, QUEUED_TOTAL) >>> 0,
      timedOut: Atomics.load(pool.table.words, QUEUE_TIMEOUTS) >>> 0,
    },
    // One that has left stands in the pool for a while after its last session: that is no news.
    backends: [
      ...pool.members,
      ...pool.leaving.filter(({ row }) => pool.table.read(row, ACTIVE) > 0),
    ].map((member) => {
      const { id } = member.backend;
      const own = configured.find((backend) => backend.id === id);
      const override = overrides.get(id);
      return {
        ...reportMember(controller, member, override, nowMs, wallMs),
        administration: override === undefined || member.leaving ? null : reportOverride(override),
        configuredWeight: own === undefined ? null : own.weight ?? 1,
      };
    }),
    scale: controller.scaling.report(nowMs, wallMs),
    removed: [...overrides].flatMap(([id, { removed }]) => {
      if (removed === undefined) return [];
      const member = pool.member(id);
      const active = member === undefined ? 0 : pool.table.read(member.row, ACTIVE);
      return [{ id, active, ...reportSaid(removed) }];
    }),
  };
}

/** What a frontend turns away by order. */
export function reportDenials(denials: ReadonlyMap<string, Denial> = new Map()): DenialReport[] {
  return [...denials].map(([network, denial]) => reportDenial(network, denial));
}

export function reportDenial(network: string, denial: Denial): DenialReport {
  const { untilMs } = denial;
  const until = untilMs === undefined ? null : new Date(untilMs).toISOString();
  return { network, until, ...reportSaid(denial) };
}

function reportOverride({ state, weight, added }: Override): AdministrationReport {
  return {
    state: state === undefined ? null : {
      value: state.state,
      deadline: state.deadlineMs === undefined ? null : new Date(state.deadlineMs).toISOString(),
      overrules: state.overrules ?? null,
      ...reportSaid(state),
    },
    weight: weight === undefined ? null : { value: weight.weight, ...reportSaid(weight) },
    added: added === undefined ? null : {
      cores: added.cores ?? null,
      weight: added.weight ?? null,
      maxConnections: added.maxConnections ?? null,
      ...reportSaid(added),
    },
  };
}

function reportSaid({ by, atMs, reason }: Said): SaidReport {
  return { by, at: new Date(atMs).toISOString(), reason: reason ?? null };
}

function reportMember(
  { pool, resilience }: PoolController,
  member: Member,
  override: Override | undefined,
  nowMs: number,
  wallMs: number,
): Omit<BackendReport, "administration" | "configuredWeight"> {
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
    reason: reasonOf(pool, member, override),
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

function reasonOf(pool: Pool, member: Member, override: Override | undefined): string {
  if (member.leaving) {
    return override?.removed === undefined ? "no longer configured" : "removed by order";
  }
  if (member.addresses.length === 0 && member.nameFailure !== undefined) return member.nameFailure;
  // An agent's 0% is a hold, too.
  const weighsNothing = pool.loadWeightOf(member) === 0;
  if (member.health.state === "down") {
    return weighsNothing ? `${member.healthReason}; and its weight is 0` : member.healthReason;
  }
  if (member.admin !== "enabled") return `${member.admin} by order`;
  // In a panic some of them keep nobody away.
  const { forgiven } = pool;
  const [first] = member.holds.keys();
  const counts = (one: HoldCause) => !forgiven.has(one) && !isOverruled(member, one);
  const cause = member.holds.keys().find(counts) ?? first;
  const hold = cause === undefined ? undefined : member.holds.get(cause);
  if (hold !== undefined) return hold.reason;
  if (weighsNothing) return "its weight is 0";
  return member.healthReason;
}
