// Many sessions at once through a balancer, as clients that check what comes back.

import { assertEquals } from "@std/assert";
import { receive, send } from "./bytes.ts";

/** Sessions to an echo service that stand until they are closed. */
export class Sessions implements Disposable {
  readonly conns: Deno.TcpConn[] = [];

  /** Opens sessions and proves each by one exchange. */
  static async open(port: number, count: number): Promise<Sessions> {
    const sessions = new Sessions();
    while (sessions.conns.length < count) {
      const some = Math.min(50, count - sessions.conns.length);
      sessions.conns.push(
        ...await Promise.all(
          Array.from({ length: some }, () => Deno.connect({ hostname: "127.0.0.1", port })),
        ),
      );
    }
    await sessions.exchange("opened");
    return sessions;
  }

  /** Sends a text on every session and expects it back. */
  async exchange(text: string): Promise<void> {
    await Promise.all(this.conns.map(async (conn, index) => {
      const mine = `${text} ${index}`;
      await send(conn, mine);
      assertEquals(await receive(conn, mine.length), mine);
    }));
  }

  close(): void {
    for (const conn of this.conns.splice(0)) conn.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** How long somebody who is turned away may wait for it, in milliseconds. */
const TURNED_AWAY_MS = 2000;

/**
 * Whether a connection to the port is refused or ended without a byte. A client that is taken, and so may
 * wait for ever on a backend that does not speak first, is not.
 */
export async function isTurnedAway(port: number): Promise<boolean> {
  try {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    const timer = setTimeout(() => conn.close(), TURNED_AWAY_MS);
    try {
      return await conn.read(new Uint8Array(1)) === null;
    } catch (error) {
      return !(error instanceof Deno.errors.BadResource ||
        error instanceof Deno.errors.Interrupted);
    } finally {
      clearTimeout(timer);
    }
  } catch {
    return true;
  }
}
