// `status --nagios`: the report as a plugin for Nagios, Icinga and the like says it: one line with
// performance data, and its exit status (monitoring-plugins.org/doc/guidelines.html).

import type { PoolReport, StatusReport } from "../admin/report.ts";
import { counted } from "../core/values/counted.ts";

/** What a plugin prints and how it ends. */
export interface PluginResult {
  readonly line: string;
  readonly exitCode: number;
}

const OK = 0;
const WARNING = 1;
const CRITICAL = 2;
const UNKNOWN = 3;
const WORDS: readonly string[] = ["OK", "WARNING", "CRITICAL", "UNKNOWN"];

/**
 * OK when all backends can be used, WARNING when some or a discovery source cannot, CRITICAL when a pool has none that can or the
 * balancer takes no clients any more.
 */
export function pluginResult({ state, counters, pools }: StatusReport): PluginResult {
  const members = pools.flatMap(({ backends }) => backends).filter(({ state }) =>
    state !== "leaving"
  );
  const usable = members.filter((backend) => backend.usable);
  const empty = pools.filter(({ backends }) => backends.every((backend) => !backend.usable));
  const exitCode = state === "draining" || empty.length > 0
    ? CRITICAL
    : usable.length < members.length || pools.some((pool) => describeSources(pool).length > 0)
    ? WARNING
    : OK;
  const findings = [
    ...(state === "draining" ? ["it is draining and takes no clients"] : []),
    ...empty.map(({ name }) => `pool ${name} has no usable backend`),
    ...pools.flatMap(describeUnusable),
    ...pools.flatMap(describeSources),
  ];
  const text = `${usable.length} of ${counted(members.length, "backend")} usable, ` +
    counted(counters.active, "session") + findings.map((finding) => `; ${finding}`).join("");
  const data = [
    `usable=${usable.length};;;0;${members.length}`,
    `sessions=${counters.active};;;0`,
    `opened=${counters.opened}c`,
    `refused=${counters.refused}c`,
    `connect_failures=${counters.connectFailures}c`,
    ...pools.flatMap(({ name, backends }) =>
      backends.flatMap(({ id, free }) =>
        free === null ? [] : [`${quoted(`free ${name} ${id}`)}=${free.toFixed(2)};;;0`]
      )
    ),
  ];
  return resultOf(exitCode, text, data);
}

/** No balancer runs where it was looked for. */
export function notRunning(reason: string): PluginResult {
  return resultOf(CRITICAL, reason);
}

/** What was asked cannot be told. */
export function cannotTell(reason: string): PluginResult {
  return resultOf(UNKNOWN, reason);
}

function resultOf(exitCode: number, text: string, data: readonly string[] = []): PluginResult {
  // One line, and a bar only before the performance data.
  const line = text.replace(/\s*\n\s*/g, "; ").replaceAll("|", "/");
  const behind = data.length === 0 ? "" : ` | ${data.join(" ")}`;
  return { line: `COMPUTE-LB ${WORDS[exitCode]} - ${line}${behind}`, exitCode };
}

function describeUnusable({ backends }: PoolReport): string[] {
  return backends
    .filter(({ usable, state }) => !usable && state !== "leaving")
    .map(({ id, reason }) => `${id}: ${reason}`);
}

/** Discovery sources that cannot be asked. */
function describeSources({ discovery = [] }: Partial<PoolReport>): string[] {
  return discovery.flatMap(({ name, failure }) => failure === null ? [] : [`${name}: ${failure}`]);
}

/** A label of performance data: quotes where it has a space or "=". */
function quoted(label: string): string {
  return `'${label.replaceAll("'", "").replaceAll("=", ":")}'`;
}
