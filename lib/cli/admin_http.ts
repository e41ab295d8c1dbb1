// Opens admin.http as the balancer starts: its listeners, and the gate before them.

import { Gate } from "../admin/gate.ts";
import type { Token } from "../admin/token.ts";
import type { Config } from "../config/config.ts";
import { formatAddress, isIpv4, isIpv6, type TcpAddress } from "../core/values/address.ts";
import type { Clock } from "../core/timing/clock.ts";
import { isNews } from "../core/timing/throttled_condition.ts";
import { listenHint, messageOf } from "../core/values/errors.ts";
import type { LogArea } from "../log/setup.ts";
import { listen } from "./echo.ts";

/**
 * Listens on every address, or on none.
 * @throws {Error} when one cannot be had.
 */
export async function listenForHttp(addresses: readonly TcpAddress[]): Promise<Deno.Listener[]> {
  const listeners: Deno.Listener[] = [];
  try {
    for (const address of addresses) {
      try {
        listeners.push(await listen(address));
      } catch (error) {
        const where = `${formatAddress(address)} for admin.http`;
        const why = messageOf(error) + listenHint(error, address);
        throw new Error(`Cannot listen on ${where}: ${why}`, { cause: error });
      }
    }
  } catch (error) {
    for (const listener of listeners) listener.close();
    throw error;
  }
  return listeners;
}

/** Where a listener listens, port 0 resolved. */
export function addressOf({ addr }: Deno.Listener): string {
  return addr.transport === "tcp"
    ? formatAddress({ transport: "tcp", host: addr.hostname, port: addr.port })
    : "";
}

/** What all who ask over TCP have to pass. */
export function makeGate(
  { http }: Config["admin"],
  token: Token | undefined,
  clock: Clock,
  log: LogArea,
): Gate {
  const hosts = http.map(({ host }) => host);
  const felt = new Int32Array(1);
  return new Gate({
    names: [
      Deno.hostname(),
      ...hosts.filter((host) => host !== "" && !isIpv4(host) && !isIpv6(host)),
    ],
    token,
    onWrongToken: () => {
      if (isNews(felt, 0, clock.now())) {
        log.warning("admin.http: somebody asks with a wrong token", { event: "wrong_token" });
      }
    },
  });
}

/** Says where admin requests are answered over TCP, and what they can do. */
export function tellHttp(
  listeners: readonly Deno.Listener[],
  hasToken: boolean,
  log: LogArea,
): void {
  if (listeners.length === 0) return;
  const where = listeners.map(addressOf);
  const may = hasToken ? "with the token for all that it can do" : "read-only, without a token";
  log.info(`admin requests by HTTP on ${where.join(", ")}: ${may}`, {
    event: "admin_http",
    listen: where.join(","),
  });
}
