// Writes lines to the system's log, as syslog(3) does: each a datagram to /dev/log. Where nobody takes them,
// they go nowhere: there is no other place left for them.

import type { Clock } from "../core/timing/clock.ts";
import { cString, type Libc, openLibc } from "./libc.ts";

/** The facility of lbtk's programs: LOG_LOCAL0 (syslog.h). */
const LOCAL0 = 16;
const INFO = 6;
/** What syslogd takes as one message by default. */
const MOST_BYTES = 8192;
const AF_UNIX = 1;
/** SOCK_DGRAM, SOCK_NONBLOCK and SOCK_CLOEXEC (asm-generic; x86-64 and arm64). */
const DATAGRAMS = 2 | 0o4000 | 0o2000000;
const MSG_NOSIGNAL = 0x4000;
const EAGAIN = 11;
/** While the log is full, a line waits: so long at a time, so often. */
const FULL_MS = 20;
const FULL_TIMES = 50;
/** After a failure nobody is called for so long. */
const REST_MS = 1000;

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const NEVER = new AbortController().signal;

export interface SyslogOptions {
  readonly clock: Clock;
  /** What lines begin with, the number of the process behind it. */
  readonly tag: string;
  readonly path?: string;
}

/**
 * A place for lines of a log. One that begins with sd-daemon(3)'s "<N>" has that priority, another is for
 * information.
 */
export class Syslog {
  readonly #options: SyslogOptions;
  readonly #path: string;
  #socket = -1;
  #restsUntilMs = -Infinity;

  constructor(options: SyslogOptions) {
    this.#options = options;
    this.#path = options.path ?? "/dev/log";
  }

  /** Sends whole lines. Never fails: what cannot be sent is lost. */
  async write(bytes: Uint8Array): Promise<number> {
    const libc = openLibc();
    if (libc === undefined) return bytes.length;
    for (const line of new TextDecoder().decode(bytes).split("\n")) {
      if (line !== "") await this.#send(libc, line);
    }
    return bytes.length;
  }

  async #send(libc: Libc, line: string): Promise<void> {
    const { clock, tag } = this.#options;
    const [, level = `${INFO}`, text = ""] = /^(?:<(\d)>)?(.*)$/s.exec(line) ?? [];
    const header = `<${LOCAL0 * 8 + Number(level)}>${timeOf(clock.wall())} ${tag}[${Deno.pid}]: `;
    const message = new TextEncoder().encode(header + text).subarray(0, MOST_BYTES);
    // Whoever takes the log may have been started anew: called again, once.
    let calls = 0;
    for (let full = 0; full < FULL_TIMES && calls < 2;) {
      if (this.#socket < 0 && !this.#connect(libc)) return;
      const sent = libc.send(this.#socket, message, BigInt(message.length), MSG_NOSIGNAL);
      if (sent >= 0n) return;
      if (errno(libc) === EAGAIN) {
        full++;
        await clock.sleep(FULL_MS, NEVER);
      } else {
        calls++;
        libc.close(this.#socket);
        this.#socket = -1;
      }
    }
  }

  #connect(libc: Libc): boolean {
    const nowMs = this.#options.clock.now();
    if (nowMs < this.#restsUntilMs) return false;
    this.#restsUntilMs = nowMs + REST_MS;
    const socket = libc.socket(AF_UNIX, DATAGRAMS, 0);
    if (socket < 0) return false;
    // struct sockaddr_un: the family, then the path.
    const address = new Uint8Array([AF_UNIX, 0, ...cString(this.#path)]);
    if (libc.connect(socket, address, address.length) !== 0) {
      libc.close(socket);
      return false;
    }
    this.#socket = socket;
    this.#restsUntilMs = -Infinity;
    return true;
  }
}

function errno(libc: Libc): number {
  const place = libc.__errno_location();
  return place === null ? 0 : new Deno.UnsafePointerView(place).getInt32();
}

/** As syslog(3) writes it: "Nov  5 08:00:00", local time. */
function timeOf(wallMs: number): string {
  const date = new Date(wallMs);
  const two = (number: number, fill = "0") => `${number}`.padStart(2, fill);
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map((one) => two(one));
  return `${MONTHS[date.getMonth()]} ${two(date.getDate(), " ")} ${time.join(":")}`;
}
