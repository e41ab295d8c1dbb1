// The tunnels that stand, read from the workers' memory while the workers go on. A worker may give a slot to
// another client in the middle of a look: a tunnel's state and number are read before and after the rest,
// and what is not the same then has ended, and is left out. Runs on the control plane.
//
// `!` on typed-array reads: slots are below the number of those touched, which is at most the capacity.

import type { Session } from "../engine.ts";
import type { Names } from "./events.ts";
import {
  BYTES,
  CLIENT_ADDRESS,
  FRONTEND,
  LAST_MOVE,
  OPEN,
  OPENED_AT,
  OUTGOING_ADDRESS,
  PLAN,
  ROW,
  STATE,
  TOUCHED,
  TUNNEL_ID,
  TUNNEL_NUMBERS,
  TUNNEL_WORDS,
  type WorkerMemory,
} from "./layout.ts";
import { decodeSockaddr } from "./sockaddr.ts";

/**
 * Reads all tunnels, in the order of their numbers. 10,000 take 20 ms at first, and 2 ms once V8 has
 * compiled this.
 * @param nowMs by the workers' clock. @param wallMs the same instant in milliseconds since the epoch.
 */
export function readSessions(
  memories: readonly WorkerMemory[],
  names: Names,
  nowMs: number,
  wallMs: number,
): readonly Session[] {
  const sessions: Session[] = [];
  for (const memory of memories) {
    const touched = Atomics.load(memory.control, TOUCHED);
    for (let slot = 0; slot < touched; slot++) {
      const session = readSession(memory, slot, names, nowMs, wallMs);
      if (session !== undefined) sessions.push(session);
    }
  }
  return sessions.sort((one, other) => one.tunnel - other.tunnel);
}

/** @returns undefined when no tunnel stands in the slot, or the one there ends. */
function readSession(
  { words, numbers }: WorkerMemory,
  slot: number,
  names: Names,
  nowMs: number,
  wallMs: number,
): Session | undefined {
  const base = slot * TUNNEL_WORDS;
  const figures = slot * TUNNEL_NUMBERS;
  if (Atomics.load(words, base + STATE) !== OPEN) return undefined;
  const tunnel = numbers[figures + TUNNEL_ID]!;
  const named = names.plan(words[base + PLAN]!);
  const session = {
    tunnel,
    frontend: names.frontend(words[base + FRONTEND]!),
    pool: named?.pool ?? "",
    backend: named?.plan.endpoints[words[base + ROW]!]?.backend ?? "",
    client: decodeSockaddr(words, base + CLIENT_ADDRESS),
    outgoing: decodeSockaddr(words, base + OUTGOING_ADDRESS),
    openedAtMs: Math.round(wallMs - (nowMs - numbers[figures + OPENED_AT]!)),
    // The worker may have moved bytes since `nowMs`.
    idleMs: Math.max(0, Math.round(nowMs - numbers[figures + LAST_MOVE]!)),
    bytesToBackend: numbers[figures + BYTES]!,
    bytesToClient: numbers[figures + BYTES + 1]!,
  };
  // A tunnel that ends gives its plan back first.
  const stands = named !== undefined && Atomics.load(words, base + STATE) === OPEN &&
    numbers[figures + TUNNEL_ID] === tunnel;
  return stands ? session : undefined;
}
