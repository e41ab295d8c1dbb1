// Orders of administrators in words: what the log says of one that was carried out, and of those that stand.

import type { Order } from "../core/administration/administration.ts";
import type { Override, Overrides, Said } from "../core/administration/override.ts";
import { toThousandths } from "../core/values/thousandths.ts";
import type { BackendConfig, PoolConfig } from "../config/config.ts";

/** What an order has come to, as a sentence that begins with who gave it. */
export function describeOrder(order: Order): string {
  const { by, reason } = order.said;
  const why = reason === undefined ? "" : ` (${reason})`;
  return `${by} ${verbOf(order)}${why}`;
}

function verbOf(order: Order): string {
  switch (order.kind) {
    case "add":
      return `adds ${order.backend} to pool ${order.pool}`;
    case "remove":
      return `takes ${order.backend} out of pool ${order.pool}`;
    case "deny": {
      const until = order.untilMs === undefined ? "" : ` until ${timeOf(order.untilMs)}`;
      return `has frontend ${order.frontend} turn ${order.network} away${until}`;
    }
    case "undeny":
      return `has frontend ${order.frontend} turn ${order.network} away no more`;
    case "set": {
      const { state, deadlineMs, weight, backend, pool, overrules } = order;
      const cut = typeof deadlineMs === "number"
        ? `, sessions end at ${timeOf(deadlineMs)}`
        : deadlineMs === null
        ? ", sessions may go on"
        : "";
      const words = [
        ...(state === undefined
          ? cut === "" ? [] : [`sets the deadline of ${backend} of pool ${pool}${cut}`]
          : [`${STATE_VERBS[state ?? "default"]} ${backend} of pool ${pool}${cut}`]),
        ...(overrules === undefined ? [] : [`against this: ${overrules}`]),
        ...(weight === undefined
          ? []
          : [`sets the weight of ${backend} of pool ${pool} to ${describeWeight(weight)}`]),
      ];
      return words.join(", and ");
    }
  }
}

const STATE_VERBS = {
  draining: "drains",
  disabled: "disables",
  enabled: "enables",
  default: "takes back what was ordered of",
} as const;

function describeWeight(weight: number | null): string {
  return weight === null ? "what the configuration says" : `${toThousandths(weight)}`;
}

/** Everything that is ordered of the backends of a pool, one sentence each. */
export function describeStanding(
  { name, backends }: Pick<PoolConfig, "name" | "backends">,
  overrides: Overrides,
): string[] {
  return [...overrides].flatMap(([id, override]) => {
    const configured = backends.find((backend) => backend.id === id);
    return describeOverride(override, configured).map((text) => `${name}: ${id} ${text}`);
  });
}

function describeOverride(override: Override, configured: BackendConfig | undefined): string[] {
  const { state, weight, added, removed } = override;
  const unnamed = configured === undefined && added === undefined
    ? ", and the configuration does not name it"
    : "";
  const texts: string[] = [];
  if (removed !== undefined) {
    const named = configured === undefined ? unnamed : ", though the configuration names it";
    texts.push(`is out of the pool${named}: ${describeSaid(removed)}`);
  }
  if (state !== undefined) {
    const until = state.deadlineMs === undefined
      ? ""
      : `, sessions end at ${timeOf(state.deadlineMs)}`;
    const what = state.overrules === undefined
      ? `is ${state.state}${until}`
      : `is enabled, though ${state.overrules}`;
    texts.push(`${what}${removed === undefined ? unnamed : ""}: ${describeSaid(state)}`);
  }
  if (weight !== undefined) {
    const other = configured === undefined
      ? ""
      : `, the configuration says ${toThousandths(configured.weight ?? 1)}`;
    texts.push(`has weight ${toThousandths(weight.weight)}${other}: ${describeSaid(weight)}`);
  }
  if (added !== undefined && removed === undefined) {
    const named = configured === undefined ? "" : ", and the configuration names it, too";
    texts.push(`is in the pool${named}: ${describeSaid(added)}`);
  }
  return texts;
}

/** Who said something, when and why. */
function describeSaid({ by, atMs, reason }: Said): string {
  return `${by}, ${timeOf(atMs)}${reason === undefined ? "" : ` (${reason})`}`;
}

/** Seconds are enough for people. */
export function timeOf(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
