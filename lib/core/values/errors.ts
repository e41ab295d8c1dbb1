// The one place that knows what the errors of the operating system mean to a balancer. Deno reports
// most as named classes and some (EMFILE, EHOSTUNREACH) as a plain Error with a code; both are read
// by name here, so that core/ needs no Deno.

import type { Address } from "./address.ts";

/** What went wrong with a socket, in the words that logs, status and health use. */
export const FAILURES = [
  "refused",
  "timeout",
  "unreachable",
  "reset",
  "closed",
  "aborted",
  "address_in_use",
  "address_not_available",
  "permission_denied",
  "name_not_found",
  "out_of_descriptors",
  "other",
] as const;

export type FailureKind = typeof FAILURES[number];

/** Connect failures that tell something of the backend and not of us. */
export const BACKENDS_FAULT: ReadonlySet<FailureKind> = new Set([
  "refused",
  "timeout",
  "unreachable",
  "reset",
  "closed",
  "name_not_found",
]);

/**
 * Failures of ours, which say nothing of a backend: no descriptor, process or memory is left, or no local
 * port or address to call from.
 */
export const OUR_FAULT: ReadonlySet<string> = new Set<FailureKind>([
  "out_of_descriptors",
  "address_not_available",
]);

const BY_NAME: Readonly<Record<string, FailureKind>> = {
  ConnectionRefused: "refused",
  ConnectionReset: "reset",
  ConnectionAborted: "reset",
  BrokenPipe: "reset",
  TimedOut: "timeout",
  TimeoutError: "timeout",
  NetworkUnreachable: "unreachable",
  HostUnreachable: "unreachable",
  AbortError: "aborted",
  Interrupted: "closed",
  BadResource: "closed",
  NotConnected: "reset",
  AddrInUse: "address_in_use",
  AddrNotAvailable: "address_not_available",
  PermissionDenied: "permission_denied",
  NotCapable: "permission_denied",
  UnexpectedEof: "closed",
};

const BY_CODE: Readonly<Record<string, FailureKind>> = {
  ECONNREFUSED: "refused",
  ECONNRESET: "reset",
  ECONNABORTED: "reset",
  EPIPE: "reset",
  ENOTCONN: "reset",
  ETIMEDOUT: "timeout",
  ENETUNREACH: "unreachable",
  EHOSTUNREACH: "unreachable",
  EHOSTDOWN: "unreachable",
  ENETDOWN: "unreachable",
  EADDRINUSE: "address_in_use",
  EADDRNOTAVAIL: "address_not_available",
  EACCES: "permission_denied",
  EPERM: "permission_denied",
  EMFILE: "out_of_descriptors",
  ENFILE: "out_of_descriptors",
  ENOBUFS: "out_of_descriptors",
  ENOMEM: "out_of_descriptors",
  ENOTFOUND: "name_not_found",
  EAI_AGAIN: "name_not_found",
  ENOENT: "refused",
};

/** EMFILE, ENFILE, ENOBUFS and ENOMEM where an error has its number in its words alone, as fetch's have. */
const SHORTAGE_IN_WORDS = /\(os error (?:12|23|24|105)\)/;

/** Tells what kind of failure a caught value is; never throws. */
export function classify(error: unknown): FailureKind {
  if (!(error instanceof Error)) return "other";
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const known = BY_CODE[code] ?? BY_NAME[error.name];
  if (known !== undefined) return known;
  if (
    /failed to lookup address|Name or service not known|No address associated/.test(error.message)
  ) {
    return "name_not_found";
  }
  return SHORTAGE_IN_WORDS.test(error.message) ? "out_of_descriptors" : "other";
}

/**
 * What Deno puts around the system's own words: the call and its file before or behind them, and the
 * number of the error. Whoever tells an administrator says in words what was to be done to which file.
 */
const AROUND = /^Failed to spawn '.*': | \(os error \d+\)(: \w+( '.*')?)?$/gs;

/** What every message begins with that tells of a shortage of ours. */
export const OUR_SHORTAGE = "compute-lb itself has no file descriptor, process or memory left";

/** The message of a caught value, whatever was thrown, as far as it is for people. */
export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const words = message.replace(AROUND, "").replace(/^entity not found$/, "No such program") ||
    message;
  return classify(error) === "out_of_descriptors" ? `${OUR_SHORTAGE} (${words})` : words;
}

/**
 * What an administrator can do about an address that cannot be listened on, in parentheses behind the
 * system's words; "" where those say it all.
 */
export function listenHint(error: unknown, address: Address): string {
  if (address.transport === "unix") return folderHint(error, address.path);
  switch (classify(error)) {
    case "permission_denied":
      return address.port < 1024 ? " (ports below 1024 take root or CAP_NET_BIND_SERVICE)" : "";
    case "address_in_use":
      return ` (ss -ltnp "sport = ${address.port}" shows which process)`;
    case "address_not_available":
      return " (it is no address of this machine)";
    default:
      return "";
  }
}

/** A unix socket is made in a folder, and that is what is at fault. */
function folderHint(error: unknown, path: string): string {
  const folder = path.slice(0, path.lastIndexOf("/")) || "/";
  const isMissing = error instanceof Error &&
    (error.name === "NotFound" || "code" in error && error.code === "ENOENT");
  if (isMissing) return ` (there is no folder ${folder})`;
  return classify(error) === "permission_denied"
    ? ` (this user cannot make files in ${folder})`
    : "";
}
