// Backends that tell sessions apart by where they land.

import { TcpPeer } from "../peers/tcp_peer.ts";
import { receive } from "./bytes.ts";

/** A backend that greets with its digit and keeps the session. @param port 0: one that is free. */
export function greeter(digit: number, port = 0): TcpPeer {
  return new TcpPeer(async (conn) => {
    await conn.write(new TextEncoder().encode(`${digit}`));
    while (await conn.read(new Uint8Array(64)) !== null);
  }, { port });
}

/** A session that stands, and the digit of the backend that has it. */
export async function greeted(port: number): Promise<{ conn: Deno.Conn; digit: string }> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  return { conn, digit: await receive(conn, 1) };
}

/** Where so many sessions go that are opened one after the other. */
export async function landings(port: number, count: number): Promise<Set<string>> {
  const digits = new Set<string>();
  for (let i = 0; i < count; i++) {
    const { conn, digit } = await greeted(port);
    digits.add(digit);
    conn.close();
  }
  return digits;
}
