// The clients of the demo: they arrive one after the other, hold a session for a while, check every byte.

import { BANNER } from "./backend.ts";

export interface ClientCounts {
  started: number;
  /** Got the banner and every byte back, and ended in the regular way. */
  served: number;
  failed: number;
  /** Why the last one failed. */
  lastFailure: string | undefined;
}

/** Between two arrivals. */
const ARRIVAL_MS = 120;
const SHORTEST_MS = 800;
const LONGEST_MS = 4000;
/** A keystroke, so to speak. */
const KEY_MS = 200;

/** Sends clients until the signal is aborted, then waits for the last of them. */
export async function sendClients(
  port: number,
  counts: ClientCounts,
  random: () => number,
  stop: AbortSignal,
): Promise<void> {
  const clients: Promise<void>[] = [];
  while (!stop.aborted) {
    counts.started++;
    const holdMs = SHORTEST_MS + (LONGEST_MS - SHORTEST_MS) * random();
    clients.push(
      visit(port, holdMs, stop).then(() => {
        counts.served++;
      }, (error: unknown) => {
        counts.failed++;
        counts.lastFailure = error instanceof Error ? error.message : String(error);
      }),
    );
    await pause(ARRIVAL_MS * (0.5 + random()), stop);
  }
  await Promise.all(clients);
}

async function visit(port: number, holdMs: number, stop: AbortSignal): Promise<void> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  if (await receive(conn, BANNER.length) !== BANNER) throw new Error("the banner came damaged");
  const endMs = performance.now() + holdMs;
  for (let key = 0; performance.now() < endMs && !stop.aborted; key++) {
    const sent = `keystroke ${key} `;
    await conn.write(new TextEncoder().encode(sent));
    if (await receive(conn, sent.length) !== sent) throw new Error("an echo came damaged");
    await pause(KEY_MS, stop);
  }
  await conn.closeWrite();
  if (await conn.read(new Uint8Array(1)) !== null) throw new Error("bytes came that nobody sent");
}

async function receive(conn: Deno.Conn, length: number): Promise<string> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await conn.read(bytes.subarray(at));
    if (count === null) throw new Error("the session ended too early");
    at += count;
  }
  return new TextDecoder().decode(bytes);
}

function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      stop.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (stop.aborted) done();
    else stop.addEventListener("abort", done);
  });
}
