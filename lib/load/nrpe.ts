// The load source "nrpe": asks the NRPE daemon of each backend for check_load, one query a connection.
// What a daemon turned out to speak (transport, packet version) is remembered and found out again after
// a failure.

import { formatAddress, type TcpAddress } from "../core/values/address.ts";
import type { Backend } from "../core/pool/backend.ts";
import type { AnonymousTls, ByteChannel } from "../core/serving/byte_channel.ts";
import type { Clock } from "../core/timing/clock.ts";
import { closeOnAbort } from "../core/serving/close_on_abort.ts";
import { classify } from "../core/values/errors.ts";
import { failed, type LoadResult } from "../core/pool/load.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { CoresEstimate, parseCheckLoad } from "./check_load.ts";
import { absolutePath, boolean, line, oneOf, port } from "../schema/values.ts";
import { key, section, type ValueOf } from "../schema/declarations.ts";
import { type LoadSource, loadSourceKind, type SourceFault } from "./load_source.ts";
import {
  decodeResponse,
  encodeQuery,
  expectedLength,
  MAX_PACKET_BYTES,
  type NrpePacket,
} from "./nrpe_packet.ts";
import {
  connectAnonymous,
  connectPlain,
  connectWithCertificates,
  type NrpeTransport,
  tlsReason,
  TransportError,
} from "./nrpe_transport.ts";
import { abortReason, connectReason, oneLine } from "../asking/reason.ts";

/**
 * `auto`: with `ca` or `certificate` the same as `certificates`, which never falls back to a way that does
 * not know which daemon answers. Without: anonymous TLS, then plain, whatever the daemon speaks. Anonymous
 * TLS keeps listeners out, not impostors.
 */
const TLS_MODES = ["auto", "off", "certificates", "anonymous"] as const;

const nrpeSection = section({ doc: "how a backend is asked with source: nrpe" }, {
  port: key(port, { default: "5666", doc: "where the NRPE daemon listens" }),
  command: key(line("an NRPE command", 1023), {
    default: "check_load",
    accepts: "as in nrpe.cfg",
    doc: 'the command; arguments behind "!" where the daemon takes them',
  }),
  tls: key(oneOf(TLS_MODES, "a TLS mode"), {
    default: "auto",
    doc: "with auto, certificates if there are any, else anonymous TLS, then plain",
  }),
  ca: key(absolutePath, {
    required: "with tls: certificates",
    example: "/etc/compute-lb/nrpe-ca.pem",
    doc: "PEM: the authority of the daemons' certificates",
  }),
  certificate: key(absolutePath, {
    unset: "none",
    example: "/etc/compute-lb/nrpe.pem",
    doc: "PEM, with key: our own, where the daemon asks for it",
  }),
  key: key(absolutePath, {
    unset: "none",
    example: "/etc/compute-lb/nrpe.key",
    doc: "PEM, with certificate",
  }),
  verify_name: key(boolean, {
    default: "true",
    doc: "whether the daemon's certificate must carry the host name that was called",
  }),
});

type NrpeSection = ValueOf<typeof nrpeSection>;

export interface NrpeOptions extends NrpeSection {
  readonly clock: Clock;
  /** Deno's own TLS cannot do it; absent: daemons that speak nothing else fail. */
  readonly anonymousTls?: AnonymousTls;
}

/** One way to ask. Daemons before 3.0 close at v4 without a word and answer v2. */
interface Way {
  readonly transport: NrpeTransport;
  readonly version: 2 | 4;
}

/** What is known of one backend. */
interface Learnt {
  way: Way | undefined;
  readonly cores: CoresEstimate;
}

type Answer =
  | { readonly kind: "packet"; readonly packet: NrpePacket }
  | { readonly kind: "closed" }
  | { readonly kind: "failed"; readonly reason: string };

export class NrpeSource implements LoadSource {
  readonly #options: NrpeOptions;
  readonly #learnt = new Map<string, Learnt>();

  constructor(options: NrpeOptions) {
    this.#options = options;
  }

  async sample(backend: Backend, signal: AbortSignal): Promise<LoadResult> {
    const place = backend.loadAddress ??
      (backend.address.transport === "tcp"
        ? { ...backend.address, port: this.#options.port }
        : backend.address);
    if (place.transport !== "tcp") {
      return failed(`Cannot ask "${formatAddress(place)}" by NRPE: expected a TCP address`);
    }
    const learnt = this.#learnt.get(backend.id) ?? { way: undefined, cores: new CoresEstimate() };
    this.#learnt.set(backend.id, learnt);
    const packet = await this.#ask(place, learnt, signal);
    if (!packet.ok) {
      learnt.way = undefined;
      // Whatever failed first, the deadline is why it went no further.
      return failed(signal.aborted ? `${abortReason(signal)} (${packet.message})` : packet.message);
    }
    const { text, resultCode } = packet.value;
    const reading = parseCheckLoad(text);
    if (!reading.ok) {
      // A daemon that cannot run the command says so itself, with result 2 or 3.
      return failed(resultCode !== 0 && text !== "" ? oneLine(text) : reading.message);
    }
    const { load1, cores: range } = reading.value;
    if (range !== undefined) learnt.cores.observe(range);
    const cores = learnt.cores.cores;
    const takenAtMs = this.#options.clock.now();
    return {
      kind: "sample",
      sample: { load1, takenAtMs, ...(cores === undefined ? {} : { cores }) },
    };
  }

  forget(backendId: string): void {
    this.#learnt.delete(backendId);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#learnt.clear();
    return Promise.resolve();
  }

  /** Tries the way that worked last, then the others, until one gets an answer. */
  async #ask(
    place: TcpAddress,
    learnt: Learnt,
    signal: AbortSignal,
  ): Promise<Result<NrpePacket>> {
    const remembered = learnt.way;
    const others = this.#ways().filter((way) =>
      way.transport !== remembered?.transport || way.version !== remembered.version
    );
    const ways = remembered === undefined ? others : [remembered, ...others];
    let complaint = "";
    const hopeless = new Set<NrpeTransport>();
    for (const way of ways) {
      if (hopeless.has(way.transport)) continue;
      const answer = await this.#exchange(place, way, signal).catch((error) => {
        if (error instanceof TransportError) return error;
        throw error;
      });
      if (answer instanceof TransportError) {
        if (signal.aborted) return failure(`connecting to ${formatAddress(place)}`);
        if (answer.kind === "connect" || answer.kind === "tls") {
          return failure(withHint(answer, way.transport, this.#options.tls));
        }
        // Kept for the case that nothing else works: a fault on this side explains more.
        if (answer.kind === "local" || this.#options.tls === "anonymous") {
          complaint = answer.message;
        }
        hopeless.add(way.transport);
        continue;
      }
      if (answer.kind === "packet") {
        learnt.way = way;
        return success(answer.packet);
      }
      if (answer.kind === "failed") return failure(answer.reason);
      // Who shook hands speaks TLS, so plain bytes would be of no use.
      if (way.transport === "anonymous") hopeless.add("plain");
    }
    const closed = this.#options.command.includes("!")
      ? "closed without an answer (is this balancer in allowed_hosts, and does the daemon take " +
        "arguments, dont_blame_nrpe?)"
      : "closed without an answer (is this balancer in allowed_hosts?)";
    if (complaint === "") return failure(closed);
    return failure(
      hopeless.has("plain") || this.#transports().length === 1
        ? complaint
        : `${closed}; ${complaint}`,
    );
  }

  #transports(): readonly NrpeTransport[] {
    const { tls, ca, certificate, anonymousTls } = this.#options;
    switch (tls) {
      case "off":
        return ["plain"];
      case "auto":
        if (ca !== undefined || certificate !== undefined) return ["certificates"];
        return anonymousTls === undefined ? ["plain"] : ["anonymous", "plain"];
      default:
        return [tls];
    }
  }

  #ways(): Way[] {
    return this.#transports().flatMap((transport): Way[] => [
      { transport, version: 4 },
      { transport, version: 2 },
    ]);
  }

  /** One connection, one query, one answer. @throws TransportError */
  async #exchange(place: TcpAddress, way: Way, signal: AbortSignal): Promise<Answer> {
    const query = encodeQuery(way.version, this.#options.command);
    if (!query.ok) return failed(query.message);
    const channel = await this.#connect(place, way.transport, signal);
    using _interrupt = closeOnAbort(signal, channel);
    try {
      await channel.write(query.value);
      return await readAnswer(channel);
    } catch (error) {
      if (signal.aborted) return failed("query was sent");
      // A daemon that turns us away resets, as it has not read the query.
      if (classify(error) === "reset" || classify(error) === "closed") return { kind: "closed" };
      // TLS 1.3 says after the handshake what it does not like about our certificate.
      return {
        kind: "failed",
        reason: way.transport === "plain"
          ? connectReason(error, formatAddress(place))
          : `TLS handshake failed: ${tlsReason(error)}`,
      };
    } finally {
      channel.close();
    }
  }

  #connect(
    place: TcpAddress,
    transport: NrpeTransport,
    signal: AbortSignal,
  ): Promise<ByteChannel> {
    const { anonymousTls } = this.#options;
    switch (transport) {
      case "plain":
        return connectPlain(place, signal);
      case "certificates":
        return connectWithCertificates(this.#options, place, signal);
      case "anonymous":
        return anonymousTls === undefined
          ? Promise.reject(new TransportError("local", "anonymous TLS is not available here"))
          : connectAnonymous(anonymousTls, place, signal);
    }
  }
}

/** Reads one packet, to its end or as far as the daemon goes. */
async function readAnswer(channel: ByteChannel): Promise<Answer> {
  // One byte more than allowed, so that a packet followed by more is seen as what it is.
  const buffer = new Uint8Array(MAX_PACKET_BYTES + 1);
  let length = 0;
  while (true) {
    const expected = expectedLength(buffer.subarray(0, length));
    if (!expected.ok) return failed(expected.message);
    if (expected.value !== undefined && length >= expected.value) break;
    const count = await channel.read(buffer.subarray(length)).catch((error) => {
      if (length > 0 && classify(error) === "reset") return null;
      throw error;
    });
    if (count === null) {
      if (length === 0) return { kind: "closed" };
      const whole = expected.value === undefined ? "" : ` of ${expected.value}`;
      return failed(`answer is cut short: ${length}${whole} bytes`);
    }
    length += count;
  }
  const packet = decodeResponse(buffer.subarray(0, length));
  return packet.ok ? { kind: "packet", packet: packet.value } : failed(packet.message);
}

function withHint(
  error: TransportError,
  transport: NrpeTransport,
  tls: NrpeOptions["tls"],
): string {
  return error.kind === "tls" && transport === "anonymous" && tls === "auto"
    ? `${error.message} (does the daemon want certificates? set ca, certificate and key)`
    : error.message;
}

export const nrpe = loadSourceKind(
  "nrpe",
  nrpeSection,
  {
    doc: "the NRPE daemon of each backend runs check_load",
    tellsMemory: false,
    tellsPressure: false,
    isKernelAverage: true,
    port: (own) => own.port,
    asksBackends: () => true,
    check: checkTls,
    // Certificates of the pool mean nothing to a backend that is asked without.
    drops: ({ tls }) => tls === "off" || tls === "anonymous" ? ["ca", "certificate", "key"] : [],
  },
  (own, surroundings) => new NrpeSource({ ...own, ...surroundings }),
);

function checkTls(own: NrpeSection): SourceFault[] {
  const fault = (key: string, message: string, other: string) => ({
    path: ["nrpe", key],
    message,
    dependsOn: [["nrpe", key], ["nrpe", other]],
  });
  const faults: SourceFault[] = [];
  if (own.tls === "certificates" && own.ca === undefined) {
    faults.push(fault("tls", 'Cannot use tls "certificates" alone: expected ca', "ca"));
  }
  for (const [one, other] of [["certificate", "key"], ["key", "certificate"]] as const) {
    if (own[one] === undefined || own[other] !== undefined) continue;
    faults.push(fault(one, `Cannot use ${one} alone: expected ${other}`, other));
  }
  if (own.tls === "off" || own.tls === "anonymous") {
    for (const key of ["ca", "certificate", "key"] as const) {
      if (own[key] === undefined) continue;
      const message = `Cannot use ${key} with tls ${own.tls}: expected certificates or auto`;
      faults.push(fault(key, message, "tls"));
    }
  }
  return faults;
}
