// What refused clients of a frontend read, by the reason, as bytes that are ready to be sent.

import { BY_APPLICATION, sshRefusal, TOO_MANY_CONNECTIONS } from "../core/serving/ssh_refusal.ts";
import type { Address } from "../core/values/address.ts";
import type { FrontendConfig, PoolConfig } from "../config/config.ts";
import type { RefusalReason, RefusalText } from "../engine/engine.ts";

const SSH_PORT = 22;

interface Sentence {
  readonly text: string;
  /** The reason code for ssh clients. */
  readonly code: number;
}

/**
 * What a refused client reads, by the reason. For a reason that is missing it reads nothing: a denied client
 * learns nothing, and a client that would need what is short is closed at once.
 */
const SENTENCES: ReadonlyMap<RefusalReason, Sentence> = new Map([
  ["no_backend", {
    text: "no compute server can take you now: try again in a minute, or tell your administrator",
    code: BY_APPLICATION,
  }],
  ["connect_failed", {
    text: "no compute server answers: try again in a minute, or tell your administrator",
    code: BY_APPLICATION,
  }],
  ["frontend_full", {
    text: "too many sessions are open here: try again later",
    code: TOO_MANY_CONNECTIONS,
  }],
  ["source_full", {
    text: "you have as many sessions open here as you may have: end one, then try again",
    code: TOO_MANY_CONNECTIONS,
  }],
  ["source_rate", {
    text: "too many connections came from your address lately: wait some minutes",
    code: TOO_MANY_CONNECTIONS,
  }],
  ["queue_full", {
    text: "all compute servers are full, and many wait already: try again later",
    code: TOO_MANY_CONNECTIONS,
  }],
  ["starved", {
    text: "no compute server is free for you now: try again in a minute",
    code: BY_APPLICATION,
  }],
  ["queue_timeout", {
    text: "all compute servers are full: try again later",
    code: TOO_MANY_CONNECTIONS,
  }],
]);

/**
 * Makes what a frontend's clients are told.
 * @param pools those of the configuration.
 * @returns undefined when they are told nothing.
 */
export function refusalTextOf(
  { refusalText, pool, location, listen }: FrontendConfig,
  pools: readonly PoolConfig[],
): RefusalText | undefined {
  if (refusalText === "off") return undefined;
  const names = new Set([pool, ...location.map((rule) => rule.pool)]);
  const isSsh = pools.every((one) => !names.has(one.name) || speaksSsh(one, listen));
  if (refusalText === "auto" && !isSsh) return undefined;
  const texts = new Map<RefusalReason, Uint8Array<ArrayBuffer>>();
  for (const [reason, { text, code }] of SENTENCES) {
    const said = refusalText === "auto" ? `${text} (compute-lb: ${reason})` : refusalText.text;
    texts.set(reason, isSsh ? sshRefusal(said, code) : new TextEncoder().encode(`${said}\r\n`));
  }
  return texts;
}

/**
 * Whether the configuration shows that a pool's backends speak ssh. Of those that others name at run time, the
 * frontend's port tells.
 */
function speaksSsh({ health, backends }: PoolConfig, listen: readonly Address[]): boolean {
  if (health.probe === "banner") return health.expect.startsWith("SSH-");
  const addresses = backends.length === 0 ? listen : backends.map(({ address }) => address);
  return addresses.every((one) => one.transport === "tcp" && one.port === SSH_PORT);
}
