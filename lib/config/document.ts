// The declarations of lb.conf: every key, what it accepts, its default and what people read of it. The sections
// of a pool are in pool_section.ts. What one value alone cannot tell (references, limits between keys) is in
// checks.ts.

import { failure, type Result, success } from "../core/values/result.ts";
import { parseListenAddress, type TcpAddress } from "../core/values/address.ts";
import { item, key, list, named, section, type ValueOf } from "../schema/declarations.ts";
import { quote } from "../schema/quote.ts";
import { listenAddress, network, networkOrFile, rateOrOff } from "../schema/balancer_values.ts";
import {
  absolutePath,
  autoOr,
  boolean,
  DAY,
  duration,
  durationOrOff,
  entityName,
  HOUR,
  inSeconds,
  integer,
  line,
  LONGEST,
  modeOrUmask,
  oneOf,
  pathOrOff,
  quoted,
  SECOND,
  size,
  text,
  userName,
  type Value,
} from "../schema/values.ts";
import { ENGINE_KINDS, FRONTEND_MODES, LOG_FORMATS, LOG_LEVELS, WHEN_FULL } from "./names.ts";
import { pool } from "./pool_section.ts";

const log = section({ doc: "what is written down" }, {
  level: key(oneOf(LOG_LEVELS, "a log level"), {
    default: "info",
    doc: "the least that is logged",
  }),
  format: key(oneOf(LOG_FORMATS, "a log format"), {
    default: "text",
    doc: "how the log is written",
  }),
  access: key(boolean, {
    default: "true",
    doc: "whether a session is logged when it opens and when it ends",
  }),
  decisions: key(boolean, {
    default: "true",
    doc: "whether the record of its opening says why it landed there",
  }),
  record: key(pathOrOff, {
    default: "off",
    doc: 'the file to which what placement saw and chose is recorded, for "simulate"',
  }),
});

/** `auto`, `off` or an absolute path. */
function placeOf(
  what: string,
  check: (path: string) => Result<unknown>,
): Value<"auto" | "off" | { readonly path: string }> {
  return {
    read: (text) => {
      if (text === "auto" || text === "off") return success(text);
      if (!text.startsWith("/")) {
        return failure(
          `Cannot read ${quote(text)} as ${what}: expected auto, off or an absolute path`,
        );
      }
      const printable = absolutePath.read(text);
      if (!printable.ok) return printable;
      const usable = check(text);
      return usable.ok ? success({ path: text }) : usable;
    },
    write: (place) => typeof place === "string" ? place : place.path,
    what: "auto, off or an absolute path",
    accepts: "auto | off | /absolute/path",
    unit: "",
    words: ["auto", "off"],
  };
}

const adminSocket = placeOf("a socket", (path) => quoted(parseListenAddress(`unix:${path}`)));
const stateFile = placeOf("a file", success);

/** Where admin requests are answered over TCP. */
const httpAddress: Value<TcpAddress> = {
  ...listenAddress,
  read: (text) => {
    const address = listenAddress.read(text);
    if (!address.ok) return address;
    return address.value.transport === "tcp" ? success(address.value) : failure(
      `Cannot answer HTTP on ${quote(text)}: expected "host:port" (socket is for unix sockets)`,
    );
  },
  what: "an address to listen on",
  accepts: "off | address or list",
};

const admin = section(
  { short: "socket", atStart: true, doc: "how the running balancer is asked" },
  {
    socket: key(adminSocket, {
      default: "auto",
      doc: 'the unix socket that "status" and "why" ask',
    }),
    state: key(stateFile, {
      default: "auto",
      doc: "the file that keeps what administrators have ordered; with auto, state.json in " +
        "$STATE_DIRECTORY (systemd), else in /var/lib/compute-lb for /etc/compute-lb/lb.conf, " +
        "else none; off: in memory",
    }),
    http: list(
      {
        unset: "off",
        example: '"127.0.0.1:8422"',
        doc: "where the same is asked over TCP; read-only without the token",
      },
      item(httpAddress),
      { oneAsItem: true, nothing: "off" },
    ),
    http_from_afar: key(boolean, {
      default: "false",
      doc: "whether other machines may reach http: plain HTTP shows the token to the network",
    }),
    token_file: key(absolutePath, {
      unset: "no token",
      example: "/etc/compute-lb/token",
      doc: "a file with the token for all that http can do, at least 16 characters, which " +
        "others than its owner and group cannot read; read again on HUP",
    }),
  },
);

const keepalive = section({ doc: "TCP keepalive of clients and backends, in the splice engine" }, {
  idle: key(inSeconds(durationOrOff(SECOND, 9 * HOUR)), {
    default: "110s",
    doc: "the time without traffic before the first probe; off: no keepalive",
  }),
  interval: key(inSeconds(duration(SECOND, 9 * HOUR)), {
    default: "30s",
    doc: "the time between probes",
  }),
  count: key(integer(1, 127), {
    default: "3",
    doc: "probes without an answer that end a session",
  }),
  user_timeout: key(durationOrOff(SECOND, DAY), {
    default: "off",
    doc: "how long sent data may stay unacknowledged; off: the kernel's choice",
  }),
});

const engine = section({ short: "kind", atStart: true, doc: "what carries the sessions" }, {
  kind: key(oneOf(ENGINE_KINDS, "an engine"), {
    default: "auto",
    doc: "with auto, splice on Linux with glibc, else portable",
  }),
  workers: key({ ...autoOr(integer(1, 64)), what: "auto or an integer" }, {
    default: "auto",
    doc: "threads that carry sessions in the splice engine; with auto, one for each core",
  }),
  buffer_size: key(size(4 * 1024, 4 * 1024 ** 2), {
    as: "bufferBytes",
    default: "64KiB",
    doc: "what the portable engine reads at once on a busy session",
  }),
  keepalive,
});

const poolName = { ...entityName, what: "the name of a pool" };

/** A country as ISO 3166-1 alpha-2 codes it. */
const country = text("a country", "ISO 3166-1 codes", (text) => {
  if (/^[A-Z]{2}$/.test(text)) return success(text);
  const meant = text.toUpperCase();
  const hint = /^[A-Z]{2}$/.test(meant)
    ? `did you mean "${meant}"?`
    : "expected two capital letters, such as CH (ISO 3166-1)";
  return failure(`Cannot read ${quote(text)} as a country: ${hint}`);
});

/** OpenSSH shows no more of a disconnect's text. */
const MOST_REFUSAL_BYTES = 400;

const refusalLine = line("a text", MOST_REFUSAL_BYTES);

/** What refused clients read: `auto`, `off` or a text. */
const refusalText: Value<"auto" | "off" | { readonly text: string }> = {
  read: (text) => {
    if (text === "auto" || text === "off") return success(text);
    const read = refusalLine.read(text);
    return read.ok ? success({ text }) : read;
  },
  write: (value) => typeof value === "string" ? value : value.text,
  what: "auto, off or a text",
  accepts: `auto | off | a text of up to ${MOST_REFUSAL_BYTES} bytes`,
  unit: "",
  words: ["auto", "off"],
};

/** A rule by where clients come from. */
const location = section({ doc: "" }, {
  networks: list({ unset: "none", doc: "networks or addresses of clients" }, item(network)),
  countries: list({ unset: "none", doc: "countries of clients" }, item(country)),
  pool: key(poolName, { required: "", doc: "where they go" }),
});

const perSource = section({ doc: "limits of each client address; of IPv6, of each /64" }, {
  max_connections: key(integer(0, 1_000_000), {
    default: "0",
    doc: "most sessions at a time; 0 = no limit",
  }),
  rate: key(rateOrOff, {
    default: "off",
    doc: "most new sessions in a length of time, as many as that at once: 10/1m",
  }),
  penalty: key(durationOrOff(SECOND, DAY), {
    default: "off",
    doc: "how long an address is shut out that goes on beyond twice the rate",
  }),
});

export const frontend = section({ doc: "" }, {
  mode: key(oneOf(FRONTEND_MODES, "a mode"), { default: "tcp", doc: "what is carried" }),
  listen: list(
    { required: "", example: '":22"', doc: "where clients come in" },
    item(listenAddress),
    { oneAsItem: true },
  ),
  pool: key(poolName, {
    unset: "the only pool",
    example: "compute",
    doc: "where sessions go; it must be said when there are several pools",
  }),
  location: list({
    unset: "none",
    example:
      '[{ networks: ["192.0.2.0/24", "2001:db8::/32"], countries: [CH, DE], pool: compute }]',
    accepts: "rules",
    doc:
      "by where clients come from: of the rules that hold, the first counts; each has networks " +
      "(or addresses), countries (ISO 3166-1 codes) or both, and the pool",
  }, location),
  accept_proxy_from: list({
    unset: "none",
    example: '["192.0.2.10"]',
    doc:
      "networks (or addresses) of proxies, whose connections must begin with a PROXY header, v1 or v2",
  }, item(network)),
  max_connections: key(integer(0, 1_000_000), {
    default: "4096",
    doc: "most sessions at a time; 0 = no limit",
  }),
  when_full: key(oneOf(WHEN_FULL, "what to do"), {
    default: "wait",
    doc: "whether clients beyond max_connections wait, in the kernel's queue, or are closed",
  }),
  allow: list({
    unset: "everybody",
    example: '["192.0.2.0/24", "file:/etc/compute-lb/allow.txt"]',
    doc: "who may come in; a file has a network on each line, and is read again on HUP",
  }, item(networkOrFile)),
  deny: list({
    unset: "nobody",
    example: '["203.0.113.0/24", "file:/etc/compute-lb/deny.txt"]',
    doc: "who may not, whatever allow says",
  }, item(networkOrFile)),
  idle_timeout: key(durationOrOff(SECOND, LONGEST), {
    default: "off",
    doc: "the time after which a session on which nothing moves is ended",
  }),
  socket_mode: key(modeOrUmask, {
    default: "umask",
    doc: "who may connect to the unix sockets in listen",
  }),
  refusal_text: key(refusalText, {
    default: "auto",
    doc:
      "what a refused client reads: ssh clients as the reason of a disconnect, others as a line; " +
      "with auto, ssh clients read why, others nothing (port 22 means ssh, and a banner SSH-)",
  }),
  per_source: perSource,
});

export const document = section({ doc: "" }, {
  log,
  admin,
  engine,
  user: key(userName, {
    unset: "the user that starts it",
    atStart: true,
    example: "daemon",
    doc: "the user to become once sockets are bound",
  }),
  shutdown_timeout: key(durationOrOff(SECOND, LONGEST), {
    default: "off",
    doc: "how long sessions may go on after TERM; off: as long as they last",
  }),
  location_database: key(absolutePath, {
    required: "with countries",
    example: "/var/lib/GeoIP/GeoLite2-Country.mmdb",
    doc: "a MaxMind DB file, which tells the country of an address; read again on HUP",
  }),
  frontends: named({
    required: "",
    doc: 'Where clients come in. Names are yours: letters, digits, "_" and "-".',
    example: "ssh",
  }, frontend),
  pools: named({
    required: "",
    doc: "Where sessions go. Each pool is named by at least one frontend.",
    example: "compute",
  }, pool),
});

/** A document in which every value alone is right; references are not yet checked. */
export type ConfigDraft = ValueOf<typeof document>;
