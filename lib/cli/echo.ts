// `compute-lb echo ADDR…`: a TCP echo service to test a balancer with.

import { acceptEach, closeQuietly } from "../core/accept_loop.ts";
import { formatAddress, parseListenAddress } from "../core/address.ts";
import { messageOf } from "../core/errors.ts";
import { SYSTEM_CLOCK } from "../host/clock.ts";
import { EXIT_FAILURE, EXIT_USAGE } from "./exit_code.ts";
import { complain, print } from "./output.ts";

const BUFFER_BYTES = 65_536;

/** Serves until the process is ended; returns only when it cannot start. */
export async function echo(addresses: readonly string[]): Promise<number> {
  const listeners: Deno.Listener[] = [];
  for (const text of addresses) {
    const address = parseListenAddress(text);
    if (!address.ok) {
      complain(address.message);
      return EXIT_USAGE;
    }
    try {
      listeners.push(
        address.value.transport === "unix"
          ? Deno.listen({ transport: "unix", path: address.value.path })
          : Deno.listen({ hostname: address.value.host || "::", port: address.value.port }),
      );
    } catch (error) {
      complain(`Cannot listen on ${formatAddress(address.value)}: ${messageOf(error)}`);
      return EXIT_FAILURE;
    }
  }
  for (const { addr } of listeners) {
    const place = addr.transport === "tcp"
      ? formatAddress({ transport: "tcp", host: addr.hostname, port: addr.port })
      : "path" in addr
      ? `unix:${addr.path}`
      : "?";
    print(`echo listens on ${place}\n`);
  }
  await Promise.all(listeners.map(serve));
  return EXIT_FAILURE;
}

function serve(listener: Deno.Listener): Promise<void> {
  return acceptEach(listener, SYSTEM_CLOCK, (conn) => {
    // A client that breaks off is nobody's trouble.
    reflect(conn).catch(() => {}).finally(() => closeQuietly(conn));
  });
}

async function reflect(conn: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(BUFFER_BYTES);
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    for (let at = 0; at < n;) at += await conn.write(buffer.subarray(at, n));
  }
  await conn.closeWrite();
}
