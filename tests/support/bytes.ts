// Reading, writing and comparing bytes over connections, for tests.

import { joinedBytes } from "../../lib/core/values/joined_bytes.ts";
import { within } from "./wait_for.ts";

/** Reads until end of file. */
export function readAll(conn: Deno.Conn): Promise<Uint8Array<ArrayBuffer>> {
  return within("end of file", readAllNoDeadline(conn));
}

async function readAllNoDeadline(conn: Deno.Conn): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  const buffer = new Uint8Array(65_536);
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    parts.push(buffer.slice(0, n));
  }
  return joinedBytes(parts);
}

/**
 * Reads exactly so many bytes.
 * @throws {Error} when the connection ends before.
 */
export async function readExactly(
  conn: Deno.Conn,
  count: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const all = new Uint8Array(count);
  await within(`${count} bytes`, fill(conn, all));
  return all;
}

async function fill(conn: Deno.Conn, all: Uint8Array): Promise<void> {
  for (let at = 0; at < all.length;) {
    const n = await conn.read(all.subarray(at));
    if (n === null) throw new Error(`Connection ended after ${at} of ${all.length} bytes`);
    at += n;
  }
}

/** Writes everything. */
export async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

/** Sends text. */
export function send(conn: Deno.Conn, text: string): Promise<void> {
  return writeAll(conn, new TextEncoder().encode(text));
}

/** Receives as many bytes as the text has, as text. */
export async function receive(conn: Deno.Conn, length: number): Promise<string> {
  return new TextDecoder().decode(await readExactly(conn, length));
}

/** Bytes that look random and can be made again from the seed (xorshift32). */
export function pseudoRandomBytes(count: number, seed: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(count / 4));
  let x = seed | 1;
  for (let i = 0; i < words.length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    words[i] = x;
  }
  return new Uint8Array(words.buffer, 0, count);
}

/** SHA-256 in hexadecimal. */
export async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
