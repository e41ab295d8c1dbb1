// Orders of administrators in words: what the log says of one that was carried out, and of those that stand.

import type { Administration, Order } from "../core/administration/administration.ts";
import type { Override, Said } from "../core/administration/override.ts";
import { toThousandths } from "../core/values/thousandths.ts";
import type { BackendConfig, Config } from "../config/config.ts";

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
      return `ends the denial of ${order.network} at frontend ${order.frontend}`;
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

/** An order that stands, in words. */
export interface StandingOrder {
  readonly text: string;
  /** Whether a change of the configuration is against it. */
  readonly meetsChange: boolean;
}

/**
 * Everything that is ordered, one sentence each.
 * @param before the configuration that this one replaces; absent: none.
 */
export function describeStanding(
  { backends, denials }: Administration,
  config: Config,
  before: Config = config,
): StandingOrder[] {
  const ofBackends = [...backends].flatMap(([pool, overrides]) => {
    const of = ({ pools }: Config, id: string) =>
      pools.find(({ name }) => name === pool)?.backends.find((backend) => backend.id === id);
    return [...overrides].flatMap(([id, override]) =>
      describeOverride(override, of(config, id), of(before, id))
        .map(({ text, meetsChange }) => ({ text: `${pool}: ${id} ${text}`, meetsChange }))
    );
  });
  const ofFrontends = [...denials].flatMap(([frontend, networks]) =>
    [...networks].map(([network, denial]) => {
      const until = denial.untilMs === undefined ? "" : ` until ${timeOf(denial.untilMs)}`;
      const text = `${frontend}: ${network} is turned away${until}: ${describeSaid(denial)}`;
      return { text, meetsChange: false };
    })
  );
  return [...ofBackends, ...ofFrontends];
}

function describeOverride(
  override: Override,
  configured: BackendConfig | undefined,
  before: BackendConfig | undefined,
): StandingOrder[] {
  const { state, weight, added, removed } = override;
  const [comes, goes] = [
    before === undefined && configured !== undefined,
    before !== undefined && configured === undefined,
  ];
  const texts: StandingOrder[] = [];
  const tell = (what: string, said: Said, meetsChange: boolean) =>
    texts.push({ text: `${what}: ${describeSaid(said)}`, meetsChange });
  const unnamed = configured !== undefined || added !== undefined
    ? ""
    : goes
    ? ", and the configuration names it no more"
    : ", and the configuration does not name it";
  if (removed !== undefined) {
    const named = configured === undefined
      ? unnamed
      : `, though the configuration names it${comes ? " now" : ""}`;
    tell(`is out of the pool${named}`, removed, comes);
  }
  if (state !== undefined) {
    const until = state.deadlineMs === undefined
      ? ""
      : `, sessions end at ${timeOf(state.deadlineMs)}`;
    const what = state.overrules === undefined
      ? `is ${state.state}${until}`
      : `is enabled, though ${state.overrules}`;
    tell(`${what}${removed === undefined ? unnamed : ""}`, state, comes && removed === undefined);
  }
  if (weight !== undefined) {
    const [now, was] = [configured?.weight ?? 1, before?.weight ?? 1];
    const isChanged = configured !== undefined && (comes || now !== was);
    const other = configured === undefined ? "" : `, the configuration says ${toThousandths(now)}` +
      (isChanged && !comes ? ` (${toThousandths(was)} before)` : "");
    tell(`has weight ${toThousandths(weight.weight)}${other}`, weight, isChanged);
  }
  if (added !== undefined && removed === undefined) {
    const named = configured === undefined
      ? goes ? ", though the configuration names it no more" : ""
      : `, and the configuration names it, too`;
    tell(`is in the pool${named}`, added, comes || goes);
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
