// Words the feeds of a pool for `status`: one line for each generator, and one for their tokens.

import type { FeedReport } from "../admin/report.ts";
import { counted } from "../core/values/counted.ts";
import { DIM, paint, YELLOW } from "./output.ts";
import { ageOf } from "./status_orders.ts";

/** @returns nothing for a pool whose clients go by a strategy. */
export function describeFeed(
  feed: FeedReport | null | undefined,
  nowMs: number,
  colours: boolean,
): string[] {
  if (feed === null || feed === undefined) return [];
  const { received, used, discarded, bad, waiting, starved, uses } = feed;
  const sources = feed.sources.map(({ endpoint, tier, connected, state, since, ...source }) => {
    const kind = tier === "primary" ? "feed" : "secondary feed";
    const text = `${kind} ${endpoint}: ${state} since ${ageOf(since, nowMs)}, ` +
      counted(source.received, "token");
    return paint(text, connected ? DIM : YELLOW, colours);
  });
  const tokens = [
    `${counted(received, "token")} received`,
    `${used} used`,
    `${discarded} discarded`,
    ...(bad === 0 ? [] : [`${bad} bad`]),
    `${waiting} waiting; ${counted(starved, "client")} starved`,
  ].join(", ");
  return [
    ...sources,
    ...(uses === "primary"
      ? []
      : [paint("no primary feed gives tokens: the secondary ones are asked", YELLOW, colours)]),
    paint(tokens, DIM, colours),
  ];
}
