// Asks a running balancer over its admin socket. HTTP/1.1 by hand: one request, one answer, close.

import { failure, type Result, success } from "../core/result.ts";

const TIMEOUT_MS = 5000;
const MAX_BYTES = 64 * 1024 * 1024;

/** GETs a resource and parses its JSON. */
export async function askAdmin(socket: string, resource: string): Promise<Result<unknown>> {
  let conn: Deno.UnixConn;
  try {
    conn = await Deno.connect({ transport: "unix", path: socket });
  } catch (error) {
    return failure(
      error instanceof Deno.errors.PermissionDenied
        ? `Cannot ask ${socket}: permission denied`
        : `Cannot ask ${socket}: no balancer listens there`,
    );
  }
  const timer = setTimeout(() => conn.close(), TIMEOUT_MS);
  try {
    const request = `GET ${resource} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n`;
    await conn.write(new TextEncoder().encode(request));
    const text = await readAll(conn);
    const split = text.indexOf("\r\n\r\n");
    const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
    if (split === -1 || status === undefined) return failure(`${socket} did not answer in HTTP`);
    const body: unknown = JSON.parse(text.slice(split + 4));
    if (status !== "200") return failure(`${socket} answered ${status}: ${JSON.stringify(body)}`);
    return success(body);
  } catch {
    return failure(`${socket} did not answer within ${TIMEOUT_MS / 1000} s, or not in JSON`);
  } finally {
    clearTimeout(timer);
    try {
      conn.close();
    } catch {
      // The deadline has closed it.
    }
  }
}

async function readAll(conn: Deno.Conn): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65_536);
  let text = "";
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    text += decoder.decode(buffer.subarray(0, n), { stream: true });
    if (text.length > MAX_BYTES) throw new Error("Answer is too long");
  }
  return text;
}
