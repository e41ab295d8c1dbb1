// Clients that come to a balancer before peers that greet with one character and echo: sessions that stand, and
// some 500 visits a second.

import { receive, send } from "./bytes.ts";

const PER_SECOND = 500;

/** One client that came and went: when it began, when it was greeted, by which backend. */
export interface Visit {
  readonly fromMs: number;
  readonly toMs: number;
  readonly letter: string;
}

/** Sessions that stand, each greeted. */
export async function openMany(port: number, count: number): Promise<Deno.TcpConn[]> {
  const conns: Deno.TcpConn[] = [];
  while (conns.length < count) {
    const some = await Promise.all(Array.from({ length: 50 }, async () => {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port });
      await receive(conn, 1);
      return conn;
    }));
    conns.push(...some);
  }
  return conns;
}

/** Clients that come at an even pace, are greeted and leave. */
export async function visitUntil(
  signal: AbortSignal,
  port: number,
  visits: Visit[],
  troubles: string[],
): Promise<void> {
  const visiting = new Set<Promise<void>>();
  const startedMs = performance.now();
  for (let begun = 0; !signal.aborted;) {
    const due = (performance.now() - startedMs) * PER_SECOND / 1000;
    for (; begun < due; begun++) {
      const visit = visitOnce(port).then(
        (done) => void visits.push(done),
        (error) => void troubles.push(String(error)),
      ).finally(() => visiting.delete(visit));
      visiting.add(visit);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await Promise.all(visiting);
}

async function visitOnce(port: number): Promise<Visit> {
  const fromMs = performance.now();
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const letter = await receive(conn, 1);
  const toMs = performance.now();
  await send(conn, "x");
  if (await receive(conn, 1) !== "x") throw new Error("no echo");
  return { fromMs, toMs, letter };
}
