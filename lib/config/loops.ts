// Whether a backend is the balancer itself: each session would come in again at the frontend and take
// one more, until max_connections is reached.

import { type Address, sameAddress } from "../core/address.ts";

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

function isWildcard(host: string): boolean {
  return host === "" || host === "0.0.0.0" || host === "::";
}

function isName(host: string): boolean {
  return host.toLowerCase() === "localhost";
}

function isThisMachine(host: string): boolean {
  return isName(host) || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
