// Whether the feeds of a pool can be pulled from: each is connected to for a moment, and no token is taken.

import type { PoolConfig } from "../config/config.ts";
import { SYSTEM_CLOCK } from "../host/clock.ts";
import { formatEndpoint } from "../sp/endpoint.ts";
import { Puller } from "../sp/puller.ts";
import type { Trial } from "./trial_listen.ts";

const TRIAL_MS = 3000;

/** Tries all feeds of a pool at the same time. */
export function tryFeeds({ feed }: PoolConfig): Promise<Trial[]> {
  return Promise.all([...feed.primary, ...feed.secondary].map(async (endpoint): Promise<Trial> => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const late = setTimeout(() => resolve("does not answer"), TRIAL_MS);
    await using _puller = new Puller(endpoint, {
      clock: SYSTEM_CLOCK,
      random: Math.random,
      maxBytes: 1,
      onMessage: () => {},
      onState: resolve,
    });
    const state = await promise;
    clearTimeout(late);
    const well = state === "connected";
    return { what: formatEndpoint(endpoint), well, text: well ? "hands out tokens" : state };
  }));
}
