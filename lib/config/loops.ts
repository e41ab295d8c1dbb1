// Whether a backend is the balancer itself: each session would come in again at the frontend and take
// one more, until max_connections is reached.

import {
  type Address,
  formatAddress,
  isIpv4,
  isIpv6,
  sameAddress,
} from "../core/values/address.ts";
import { canonicalHost } from "../core/values/ip.ts";
import { quote } from "../schema/quote.ts";
import type { Config, FrontendConfig } from "./config.ts";
import type { ConfigPath } from "./config_error.ts";

/** Tells whether what connects to `target` arrives where `listen` listens, as far as text can tell. */
export function leadsBack(listen: Address, target: Address): boolean {
  if (listen.transport === "unix" || target.transport === "unix") {
    return sameAddress(listen, target);
  }
  if (listen.port === 0 || listen.port !== target.port) return false;
  if (sameAddress(listen, target)) return true;
  return isThisMachine(target.host) && (isWildcard(listen.host) || isThisMachine(listen.host)) &&
    (isWildcard(listen.host) || isName(listen.host) || isName(target.host));
}

/**
 * The frontend at which a connection to a pool's backend would come in again; undefined: none.
 * @param target where the backend is: a literal, or a unix socket.
 * @param own the addresses of this machine, as {@linkcode canonicalHost} writes them.
 */
export function frontendReached(
  frontends: readonly FrontendConfig[],
  pool: string,
  target: Address,
  own: ReadonlySet<string>,
): string | undefined {
  return frontends.find((frontend) =>
    (frontend.pool === pool || frontend.location.some((rule) => rule.pool === pool)) &&
    frontend.listen.some((listen) => leadsBack(listen, target) || arrives(listen, target, own))
  )?.name;
}

/** The literals among the backends that are the balancer itself on this machine, as faults. */
export function findLoops(
  { frontends, pools }: Config,
  own: ReadonlySet<string>,
): { readonly path: ConfigPath; readonly message: string }[] {
  return pools.flatMap(({ name, backends }) =>
    backends.flatMap(({ id, address }, index) => {
      const isLiteral = address.transport === "tcp" &&
        (isIpv4(address.host) || isIpv6(address.host));
      const frontend = isLiteral ? frontendReached(frontends, name, address, own) : undefined;
      if (frontend === undefined) return [];
      const path = ["pools", name, "backends", index];
      return [{ path, message: describeLoop(id, frontend) }];
    })
  );
}

/** What is said of a backend that is the balancer itself. */
export function describeLoop(backend: string, frontend: string): string {
  return `Cannot use ${quote(backend)} as a backend: frontend ${frontend} itself listens there`;
}

/** The same of a backend whose name a look-up has turned into this address. */
export function describeReturn(address: Address, frontend: string): string {
  return `its name resolves to ${formatAddress(address)}, where frontend ${frontend} of this ` +
    "balancer itself listens";
}

/**
 * Linux has no second listener on a port of one address beside one on all addresses, so what reaches
 * any address of this machine reaches the latter.
 */
function arrives(listen: Address, target: Address, own: ReadonlySet<string>): boolean {
  if (listen.transport === "unix" || target.transport === "unix") return false;
  if (listen.port === 0 || listen.port !== target.port) return false;
  const host = canonicalHost(LOOPBACKS.get(target.host) ?? target.host);
  if (canonicalHost(listen.host) === host) return true;
  // A socket on "::" alone may take IPv4, too, as the engine and the system have it.
  const covers = listen.host === "0.0.0.0" ? isIpv4(host) : isWildcard(listen.host);
  return covers && (own.has(host) || isThisMachine(host));
}

/** Where a connection to no address arrives. */
const LOOPBACKS: ReadonlyMap<string, string> = new Map([["0.0.0.0", "127.0.0.1"], ["::", "::1"]]);

function isWildcard(host: string): boolean {
  return host === "" || host === "0.0.0.0" || host === "::";
}

function isName(host: string): boolean {
  return host.toLowerCase() === "localhost";
}

/** Tells whether a host is a loopback address, as far as text can tell. */
export function isThisMachine(host: string): boolean {
  return isName(host) || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
