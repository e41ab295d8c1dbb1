// A pool's feeds: who chooses the backend of each client instead of a strategy.

import { failure, success } from "../core/values/result.ts";
import type { Address } from "../core/values/address.ts";
import { formatEndpoint, parseEndpoint } from "../sp/endpoint.ts";
import { isDraftMapping, item, list, rewritten, section } from "../schema/declarations.ts";
import type { Value } from "../schema/values.ts";

/** Where a generator listens. */
const endpoint: Value<Address> = {
  read: (text) => {
    const read = parseEndpoint(text, "dial");
    return read.ok ? success(read.value) : failure(read.message);
  },
  write: formatEndpoint,
  what: "an endpoint",
  accepts: '"tcp://host:port" or "ipc:///path"',
  unit: "",
};

export const feed = rewritten(
  section({
    doc: "generators that name the backend of each client, one token for one session; instead of " +
      'backends, discovery and strategy ("compute-lb help chain")',
    accepts: "endpoints, or { primary, secondary }",
  }, {
    primary: list({
      unset: "none",
      example: '["tcp://gen1:7000"]',
      doc: "where they are asked, up to 16",
    }, item(endpoint)),
    secondary: list({
      unset: "none",
      example: '["tcp://gen2:7000"]',
      doc: "where they are asked while no primary one gives tokens, up to 16",
    }, item(endpoint)),
  }),
  (given) => Array.isArray(given) || typeof given === "string" ? { primary: given } : given,
);

/** Nobody asks fed backends for their loads unless that is written: no strategy would go by them. */
export function withoutLoad(pool: unknown): unknown {
  if (!isDraftMapping(pool) || pool.feed === undefined || pool.feed === null) return pool;
  const { load = null } = pool;
  if (load === null) return { ...pool, load: { source: "none" } };
  return isDraftMapping(load) && load.source === undefined
    ? { ...pool, load: { ...load, source: "none" } }
    : pool;
}
