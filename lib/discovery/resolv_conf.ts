// What the system says of its name servers: /etc/resolv.conf (resolv.conf(5)), as far as look-ups need it.
// Pure.

import { isIpv4, isIpv6, type TcpAddress } from "../core/values/address.ts";

export const DNS_PORT = 53;

/** As many as the system's own resolver takes (MAXNS, MAXDNSRCH of resolv.h). */
const MOST_SERVERS = 3;
const MOST_DOMAINS = 6;

export interface ResolvConf {
  readonly servers: readonly TcpAddress[];
  /** Domains of the names that are no whole ones. */
  readonly search: readonly string[];
  /** A name with so many dots is first taken as a whole one. */
  readonly ndots: number;
}

/** Reads the file; a line that is not understood says nothing, as for the system. */
export function parseResolvConf(text: string): ResolvConf {
  const servers: TcpAddress[] = [];
  let search: readonly string[] = [];
  let ndots = 1;
  for (const line of text.split("\n")) {
    const [word, ...values] = line.replace(/[#;].*/, "").trim().split(/\s+/);
    const [first = ""] = values;
    if (word === "nameserver" && (isIpv4(first) || isIpv6(first))) {
      servers.push({ transport: "tcp", host: first, port: DNS_PORT });
    } else if (word === "search" || word === "domain") search = values;
    else if (word === "options") {
      const told = values.map((value) => /^ndots:(\d{1,2})$/.exec(value)?.[1]).find(Boolean);
      if (told !== undefined) ndots = Math.min(15, Number(told));
    }
  }
  if (servers.length === 0) servers.push({ transport: "tcp", host: "127.0.0.1", port: DNS_PORT });
  return {
    servers: servers.slice(0, MOST_SERVERS),
    search: search.filter((domain) => domain !== ".").slice(0, MOST_DOMAINS),
    ndots,
  };
}

/** The names that one may stand for, the likeliest first; one with a last dot is whole. */
export function candidates(name: string, { search, ndots }: ResolvConf): string[] {
  if (name.endsWith(".")) return [name.slice(0, -1)];
  const longer = search.map((domain) => `${name}.${domain.replace(/\.$/, "")}`);
  return name.split(".").length > ndots ? [name, ...longer] : [...longer, name];
}
