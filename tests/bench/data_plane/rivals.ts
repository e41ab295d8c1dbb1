// How every proxy of the table is configured and started. Each relays one port to one backend, keeps
// half-closed sessions, and has its own best settings; ours runs as its users run it.

import { V8_FLAGS } from "../../../lib/packing/v8_flags.ts";
import { type Built, HAPROXY, NGINX, NGINX_STREAM } from "./build.ts";
import type { SubjectName } from "./figures.ts";

/** The most that is asked of any proxy, in sessions. */
const MAX_CAPACITY = 20_000;
/** Descriptors that are no session's: listeners, epolls, pipes, logs, shared libraries. */
const SPARE_FILES = 300;

/**
 * How many sessions a proxy can hold within a limit on open files. Two sockets each; in Go, io.Copy also
 * keeps a pipe of two descriptors for each direction, even while nothing moves.
 */
export function capacityOf(name: SubjectName, openFiles: number): number {
  const perSession = name === "go" ? 6 : 2;
  return Math.min(MAX_CAPACITY, Math.floor((openFiles - SPARE_FILES) / perSession));
}

const MAIN = new URL("../../../main.ts", import.meta.url).pathname;

export interface Place {
  /** Ports of 127.0.0.1. */
  readonly listen: number;
  readonly backend: number;
  /** Most sessions that a proxy is to hold. */
  readonly capacity: number;
}

/** A way to start a proxy: files to write, then a command. */
export interface Recipe {
  readonly files: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  /** What its stderr must say once it serves, so that nothing else is measured under its name. */
  readonly says?: string;
  /** An admin socket whose metrics are read every second, as a Prometheus does. */
  readonly scraped?: string;
}

/** The recipe of a proxy whose files are in a folder of its own. */
export function recipe(
  name: Exclude<SubjectName, "direct">,
  folder: string,
  place: Place,
  built: Built,
): Recipe {
  const { listen, backend } = place;
  switch (name) {
    case "splice":
    case "portable":
      return {
        files: { "lb.conf": ourConfig(folder, place) },
        command: ourCommand("run", name, folder),
        says: `engine ${name}`,
      };
    case "guarded":
      return {
        files: { "lb.conf": ourConfig(folder, place, GUARDS) },
        command: ourCommand("run", "splice", folder),
        says: "engine splice",
        scraped: `${folder}/admin.sock`,
      };
    case "haproxy":
    case "haproxy-splice":
    case "haproxy-log":
      return {
        files: { "haproxy.cfg": haproxyConfig(place, HAPROXY_OPTIONS[name]) },
        command: [HAPROXY, "-db", "-f", `${folder}/haproxy.cfg`],
      };
    case "nginx":
      return {
        files: { "nginx.conf": nginxConfig(folder, place) },
        command: [NGINX, "-p", folder, "-c", `${folder}/nginx.conf`, "-e", "stderr"],
      };
    case "go":
      return {
        files: {},
        command: [built.goProxy, `127.0.0.1:${listen}`, `127.0.0.1:${backend}`],
      };
  }
}

/** Our program from source, as \`deno task start\` runs it. */
export function ourCommand(command: "run" | "check", engine: string, folder: string): string[] {
  const program = [Deno.execPath(), "run", "-A", `--v8-flags=${V8_FLAGS}`, MAIN, command];
  return [...program, "--config", `${folder}/lb.conf`, "--engine", engine];
}

/** Lists and limits for each client address that let every client of a bench in. */
const GUARDS = `\
    allow: ["127.0.0.0/8", "10.0.0.0/8"]
    deny: ["192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32"]
    per_source: { max_connections: 100000, rate: 1000000/1s }
`;

/**
 * Access log on, limits on, health probes on, admin socket on, queue on.
 * @param guards more keys of the frontend.
 */
export function ourConfig(
  folder: string,
  { listen, backend, capacity }: Place,
  guards: string = "",
): string {
  return `\
log:
  level: info
  access: true
admin:
  socket: ${folder}/admin.sock
shutdown_timeout: 1s
frontends:
  bench:
    listen: "127.0.0.1:${listen}"
    max_connections: ${capacity}
${guards}\
pools:
  bench:
    strategy: round_robin
    backends:
      - address: "127.0.0.1:${backend}"
        max_connections: ${capacity}
    load:
      source: none
    health:
      probe: tcp
`;
}

/**
 * How HAProxy is told to splice. Left to decide (auto) it copies here, 16 KiB at a time, which is its best
 * for small messages; told to, it splices everything, which is its best for bulk.
 */
const HAPROXY_OPTIONS = {
  "haproxy": "option splice-auto",
  "haproxy-splice": "option splice-request\n  option splice-response",
  // One line a session to stdout, which is /dev/null as ours is: the same work for both.
  "haproxy-log": "option splice-auto\n  option tcplog\n  log stdout format raw local0",
};

/**
 * No probes, and but for `haproxy-log` no logging: HAProxy is given less to do than ours. Pipes are bounded to leave their
 * descriptors to sessions; no bench has more than 8 of them spliced at a time.
 */
function haproxyConfig({ listen, backend, capacity }: Place, options: string): string {
  return `\
global
  nbthread 2
  maxconn ${capacity}
  maxpipes 64
defaults
  mode tcp
  maxconn ${capacity}
  ${options}
  timeout connect 3s
  timeout client 1h
  timeout server 1h
frontend bench
  bind 127.0.0.1:${listen} backlog 4096
  default_backend bench
backend bench
  server backend 127.0.0.1:${backend}
`;
}

function nginxConfig(folder: string, { listen, backend, capacity }: Place): string {
  return `\
load_module ${NGINX_STREAM};
daemon off;
pid ${folder}/nginx.pid;
error_log stderr crit;
worker_processes 2;
events {
  worker_connections ${2 * capacity + 64};
  multi_accept on;
}
stream {
  server {
    listen 127.0.0.1:${listen} reuseport backlog=4096;
    proxy_pass 127.0.0.1:${backend};
    proxy_half_close on;
    proxy_connect_timeout 3s;
    proxy_timeout 1h;
  }
}
`;
}
