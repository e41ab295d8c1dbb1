// `compute-lb echo ADDR…`: a TCP echo service to test a balancer with.

import { removeStale } from "../admin/listen.ts";
import { acceptEach, closeQuietly } from "../core/serving/accept_loop.ts";
import { type Address, formatAddress, parseListenAddress } from "../core/values/address.ts";
import { classify, listenHint, messageOf } from "../core/values/errors.ts";
import { SYSTEM_CLOCK } from "../host/clock.ts";
import { tellServing } from "./background.ts";
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
      listeners.push(await listen(address.value));
    } catch (error) {
      const hint = listenHint(error, address.value);
      complain(`Cannot listen on ${formatAddress(address.value)}: ${messageOf(error)}${hint}`);
      return EXIT_FAILURE;
    }
  }
  const places = listeners.map(({ addr }) => {
    const place = addr.transport === "tcp"
      ? formatAddress({ transport: "tcp", host: addr.hostname, port: addr.port })
      : "path" in addr
      ? `unix:${addr.path}`
      : "?";
    return `echo listens on ${place}\n`;
  });
  print(places.join(""));
  tellServing(places.join(""));
  await Promise.all(listeners.map(serve));
  return EXIT_FAILURE;
}

/** How a TCP socket is bound; replaced in tests of what this machine cannot show. */
export type ListenTcp = (hostname: string, port: number) => Deno.TcpListener;

const LISTEN_TCP: ListenTcp = (hostname, port) => Deno.listen({ hostname, port });

/**
 * Listens; without a host on both families, or on IPv4 where there is no IPv6. A unix socket that its
 * owner has left behind is replaced, and nothing else.
 * @throws {Error} when the address cannot be had.
 */
export async function listen(
  address: Address,
  listenTcp: ListenTcp = LISTEN_TCP,
): Promise<Deno.TcpListener | Deno.UnixListener> {
  if (address.transport === "unix") {
    await removeStale(address.path);
    return Deno.listen({ transport: "unix", path: address.path });
  }
  const { host, port } = address;
  if (host !== "") return listenTcp(host, port);
  try {
    return listenTcp("::", port);
  } catch (error) {
    const kind = classify(error);
    if (kind === "address_in_use" || kind === "permission_denied") throw error;
    return listenTcp("0.0.0.0", port);
  }
}

function serve(listener: Deno.Listener): Promise<void> {
  return acceptEach(listener, SYSTEM_CLOCK, (conn) => {
    // A client that breaks off is no failure.
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
