// The probe `tcp`: the backend is up when it takes a connection. Closed again without a byte, but for a PROXY
// header where the backend expects one.

import { type Address, formatAddress } from "../core/values/address.ts";
import type { Backend } from "../core/pool/backend.ts";
import type { Clock } from "../core/timing/clock.ts";
import { classify, messageOf } from "../core/values/errors.ts";
import type { ProbeResult } from "../core/pool/health.ts";
import { withDeadline } from "../core/timing/with_deadline.ts";
import { writeAll } from "../core/serving/write_all.ts";
import { type HealthProbe, type HealthProbeKind, helloOf } from "./health_probe.ts";

export class TcpProbe implements HealthProbe {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #hello: Uint8Array<ArrayBuffer>;

  /**
   * @param timeoutMs how long a probe may take in all: its addresses share it in equal parts.
   * @param hello sent first.
   */
  constructor(
    clock: Clock,
    timeoutMs: number,
    hello: Uint8Array<ArrayBuffer> = new Uint8Array(),
  ) {
    this.#clock = clock;
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
    connected.conn.close();
    return { ok: true, latencyMs: this.#clock.now() - startedMs, detail: "accepts connections" };
  }
}

type Failed = Omit<Extract<ProbeResult, { ok: false }>, "ok">;

/**
 * Connects to the first address that answers and sends it the `hello`, or says why the last did not answer. As
 * with engines, each has its part of the time: one that drops what it gets must not hide those behind it.
 * @param timeoutMs for all addresses together.
 */
export async function connectAny(
  addresses: readonly Address[],
  timeoutMs: number,
  clock: Clock,
  signal: AbortSignal,
  hello: Uint8Array<ArrayBuffer>,
): Promise<{ conn: Deno.Conn } | Failed> {
  let failed: Failed = { failure: "name_not_found", reason: "it has no address" };
  for (const address of addresses) {
    const connected = await connectOne(address, timeoutMs / addresses.length, clock, signal, hello);
    if ("conn" in connected) return connected;
    // What another address of the backend gave says more than that we cannot call this one.
    const isOurs = connected.failure === "address_not_available";
    if (!isOurs || failed.failure === "name_not_found") failed = connected;
    if (signal.aborted || connected.failure === "out_of_descriptors") break;
  }
  return failed;
}

function connectOne(
  address: Address,
  timeoutMs: number,
  clock: Clock,
  signal: AbortSignal,
  hello: Uint8Array<ArrayBuffer>,
): Promise<{ conn: Deno.Conn } | Failed> {
  return withDeadline(clock, timeoutMs, async (signal) => {
    try {
      const conn = address.transport === "unix"
        ? await Deno.connect({ transport: "unix", path: address.path })
        : await Deno.connect({ hostname: address.host, port: address.port, signal });
      if (hello.length > 0) await writeAll(conn, hello, signal);
      return { conn };
    } catch (error) {
      return signal.aborted
        ? { failure: "timeout", reason: `no connection to ${formatAddress(address)} in time` }
        : {
          failure: classify(error),
          reason: `cannot connect to ${formatAddress(address)}: ${messageOf(error)}`,
        };
    }
  }, signal);
}

export const tcp: HealthProbeKind<"tcp"> = {
  name: "tcp",
  doc: "it takes a connection",
  create: (settings, clock) => new TcpProbe(clock, settings.timeoutMs, helloOf(settings)),
};
