// The probe `banner`: the backend is up when one of its first lines begins as expected ("SSH-"). It
// tells a wedged sshd, whose kernel still accepts, from one that lives.

import { closeQuietly } from "../core/serving/accept_loop.ts";
import type { Address } from "../core/values/address.ts";
import type { Backend } from "../core/pool/backend.ts";
import type { Clock } from "../core/timing/clock.ts";
import { closeOnAbort } from "../core/serving/close_on_abort.ts";
import type { ProbeResult } from "../core/pool/health.ts";
import { SSH_IDENTIFICATION } from "../core/serving/ssh_refusal.ts";
import { type HealthProbe, type HealthProbeKind, helloOf } from "./health_probe.ts";
import { connectAny } from "./tcp_probe.ts";

/** RFC 4253 section 4.2: an identification line has at most 255 characters, other lines may precede it. */
const MAX_BYTES = 4096;
const LONGEST_SHOWN = 100;
/** How sshd turns people away while many are logging in (MaxStartups): busy, but alive. */
const BUSY_SSHD = "Exceeded MaxStartups";

export class BannerProbe implements HealthProbe {
  readonly #clock: Clock;
  readonly #expect: string;
  readonly #timeoutMs: number;
  readonly #hello: Uint8Array<ArrayBuffer>;

  /**
   * @param expect what one of the backend's first lines must begin with.
   * @param timeoutMs how long a probe may take in all.
   * @param hello sent first.
   */
  constructor(
    clock: Clock,
    expect: string,
    timeoutMs: number,
    hello: Uint8Array<ArrayBuffer> = new Uint8Array(),
  ) {
    this.#clock = clock;
    this.#expect = expect;
    this.#timeoutMs = timeoutMs;
    this.#hello = hello;
  }

  async run(
    _backend: Backend,
    addresses: readonly Address[],
    signal: AbortSignal,
  ): Promise<ProbeResult> {
    const startedMs = this.#clock.now();
    const connected = await connectAny(
      addresses,
      this.#timeoutMs,
      this.#clock,
      signal,
      this.#hello,
    );
    if ("failure" in connected) return { ok: false, ...connected };
    const { conn } = connected;
    using _interrupt = closeOnAbort(signal, conn);
    try {
      const heard = await this.#listen(conn, signal);
      if (heard.line === undefined) {
        return { ok: false, failure: heard.failure, reason: heard.reason };
      }
      return {
        ok: true,
        latencyMs: this.#clock.now() - startedMs,
        detail: `says ${quoteHeard(heard.line)}`,
      };
    } finally {
      closeQuietly(conn);
    }
  }

  #isExpected(line: string): boolean {
    // A balancer that has a place for somebody passes its backend's banner on.
    if (line.trimEnd() === SSH_IDENTIFICATION) return false;
    return line.startsWith(this.#expect) ||
      (this.#expect.startsWith("SSH-") && line.startsWith(BUSY_SSHD));
  }

  async #listen(
    conn: Deno.Conn,
    signal: AbortSignal,
  ): Promise<
    | { line: string }
    | { line?: undefined; failure: "timeout" | "protocol" | "closed"; reason: string }
  > {
    const expected = JSON.stringify(this.#expect);
    const bytes = new Uint8Array(MAX_BYTES);
    let length = 0;
    let text = "";
    try {
      while (length < MAX_BYTES) {
        const count = await conn.read(bytes.subarray(length));
        if (count === null) break;
        length += count;
        text = new TextDecoder("latin1").decode(bytes.subarray(0, length));
        const line = text.split("\n").find((candidate) => this.#isExpected(candidate));
        if (line !== undefined) return { line: line.trimEnd() };
      }
    } catch {
      // Reset, or our own close at the deadline; what was heard until then decides.
    }
    const [first = ""] = text.split("\n");
    const heard = quoteHeard(first);
    if (signal.aborted) {
      const reason = length === 0
        ? "accepts connections but says nothing"
        : `says ${heard}, not ${expected}`;
      return { failure: "timeout", reason };
    }
    if (length === 0) return { failure: "closed", reason: "closes connections without a word" };
    const reason = first.trimEnd() === SSH_IDENTIFICATION
      ? `says ${heard}: a balancer that turns clients away`
      : `says ${heard}, expected ${expected}`;
    return { failure: "protocol", reason };
  }
}

/** What a backend said, for logs and terminals: bounded, and control characters of all kinds spelled out. */
function quoteHeard(line: string): string {
  return JSON.stringify(line.slice(0, LONGEST_SHOWN).trimEnd()).replace(
    /[\u007f-\u009f]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
}

const SSH_PORT = 22;

export const banner: HealthProbeKind<"banner"> = {
  name: "banner",
  doc: "one of its first lines begins as expected",
  // The kernel completes handshakes for an sshd that hangs, so where ssh is spoken its greeting is waited
  // for. Port 22 tells ssh, on either side: all backends of a pool speak the same protocol.
  suits: (ports) => ports.has(SSH_PORT),
  create: (settings, clock) =>
    new BannerProbe(clock, settings.expect, settings.timeoutMs, helloOf(settings)),
};
