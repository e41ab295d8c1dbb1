// How many files the program may have open at once: what the limit on open files must allow.

import type { Config } from "../config/config.ts";
import type { Engine } from "../engine/engine.ts";

/** Client and backend. */
const PER_SESSION = 2;
/** The splice engine holds a pipe for each direction that is stalled: two descriptors each. */
const PIPES_PER_SESSION = 4;
/** A thread's own, epoll and wake-up included: 8 with Deno 2.9. */
const PER_WORKER = 8;
/** A probe, a name's look-up, and the program that tells the load with its three pipes. */
const PER_BACKEND = 6;
/** A listener of admin.http and its clients. */
const PER_ADMIN_ADDRESS = 33;
/** Deno's own (24 with Deno 2.9), logs, recording, clients of the admin socket. */
const REST = 100;

export interface DescriptorNeed {
  /** Sessions that max_connections allows, over all frontends; those without a limit count as none. */
  readonly sessions: number;
  /** What all of them and the rest of the program need. */
  readonly least: number;
  /** The same when every session is stalled both ways. */
  readonly most: number;
}

/** @param workers threads that carry sessions. */
export function descriptorNeed(
  { admin, frontends, pools }: Config,
  engine: Engine["name"],
  workers: number,
): DescriptorNeed {
  const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0);
  const sessions = sum(frontends.map(({ maxConnections }) => maxConnections));
  const rest = REST + sum(frontends.map(({ listen }) => listen.length)) +
    PER_ADMIN_ADDRESS * admin.http.length +
    PER_BACKEND * sum(pools.map(({ backends }) => backends.length));
  if (engine === "portable") {
    const need = PER_SESSION * sessions + rest;
    return { sessions, least: need, most: need };
  }
  const least = PER_SESSION * sessions + PER_WORKER * workers + rest;
  return { sessions, least, most: least + PIPES_PER_SESSION * sessions };
}
