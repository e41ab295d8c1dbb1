// How an NRPE query reaches the daemon: plain TCP, TLS with certificates, or anonymous TLS, which is
// passed in. Every way ends in a ByteChannel or a TransportError.

import type { TcpAddress } from "../core/values/address.ts";
import { formatAddress } from "../core/values/address.ts";
import {
  type AnonymousTls,
  type ByteChannel,
  HandshakeError,
} from "../core/serving/byte_channel.ts";
import { abandonable, closeOnAbort } from "../core/serving/close_on_abort.ts";
import { classify, messageOf } from "../core/values/errors.ts";
import { connectReason, oneLine } from "../asking/reason.ts";

export type NrpeTransport = "plain" | "anonymous" | "certificates";

/** Why there is no channel, with what that says about the daemon. */
export class TransportError extends Error {
  override readonly name = "TransportError";

  /**
   * @param kind `connect`: it is not reached. `not_tls`: it was reached and answered the handshake by
   * hanging up or with something else. `tls`: it speaks TLS, but not with us. `local`: the fault is on
   * this side.
   */
  constructor(readonly kind: "connect" | "not_tls" | "tls" | "local", message: string) {
    super(message);
  }
}

/** PEM files for TLS with certificates. */
export interface CertificateFiles {
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
  readonly verifyName: boolean;
}

/** Wraps a connection of Deno's own. */
function channelOf(connection: Deno.Conn): ByteChannel {
  let open = true;
  return {
    read: (buffer) => connection.read(buffer),
    write: async (bytes) => {
      for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
    },
    close: () => {
      if (open) connection.close();
      open = false;
    },
  };
}

/** Connects by plain TCP. */
export async function connectPlain(address: TcpAddress, signal: AbortSignal): Promise<ByteChannel> {
  try {
    return channelOf(
      await Deno.connect({ hostname: address.host, port: address.port, signal }),
    );
  } catch (error) {
    throw new TransportError("connect", connectReason(error, formatAddress(address)));
  }
}

/** Connects by anonymous TLS, telling apart a daemon that is not reached and one that refuses. */
export async function connectAnonymous(
  connect: AnonymousTls,
  address: TcpAddress,
  signal: AbortSignal,
): Promise<ByteChannel> {
  try {
    return await connect(address, signal);
  } catch (error) {
    if (error instanceof HandshakeError) {
      // So libssl calls an answer that is no TLS record: a daemon that speaks, but not TLS.
      const kind = /wrong version number|packet length/.test(error.message) ? "not_tls" : "tls";
      throw new TransportError(kind, `TLS handshake failed: ${oneLine(error.message)}`);
    }
    switch (classify(error)) {
      // The daemon hung up in the handshake: a plain one does so, at bytes it does not understand.
      case "closed":
      case "reset":
        throw new TransportError("not_tls", `TLS handshake failed: ${CLOSED}`);
      case "other":
        throw new TransportError("local", oneLine(messageOf(error)));
      default:
        throw new TransportError("connect", connectReason(error, formatAddress(address)));
    }
  }
}

/**
 * Connects by TLS, verifying the daemon's certificate against the authorities in `ca` besides those
 * the system trusts, and its name against the host of `address` unless `verifyName` is off.
 */
export async function connectWithCertificates(
  files: CertificateFiles,
  address: TcpAddress,
  signal: AbortSignal,
): Promise<ByteChannel> {
  const [ca, cert, key] = await Promise.all(
    [files.ca, files.certificate, files.key].map(readPem),
  );
  const base = {
    hostname: address.host,
    port: address.port,
    unsafelyDisableHostnameVerification: !files.verifyName,
    ...(ca === undefined ? {} : { caCerts: [ca] }),
  };
  const place = formatAddress(address);
  let connection: Deno.TlsConn;
  try {
    connection = await abandonable(
      Deno.connectTls(cert === undefined || key === undefined ? base : { ...base, cert, key }),
      signal,
    );
  } catch (error) {
    // Bad PEM text is found out here, before anything is sent; and what is wrong with our certificate, in
    // words that could be about the daemon's.
    const ours = ownCertificateReason(error, files);
    if (ours !== undefined) throw new TransportError("local", ours);
    const kind = error instanceof Deno.errors.InvalidData ? "local" : "connect";
    throw new TransportError(kind, connectReason(error, place));
  }
  const channel = channelOf(connection);
  using _interrupt = closeOnAbort(signal, channel);
  try {
    await connection.handshake();
    return channel;
  } catch (error) {
    channel.close();
    throw new TransportError("tls", `TLS handshake failed: ${tlsReason(error)}`);
  }
}

/** What a daemon does to those it does not know, and one without TLS to those who speak it. */
const CLOSED =
  "the daemon closed (is this balancer in allowed_hosts, and does the daemon use TLS?)";

const VERSION_1 = "it is of X.509 version 1, expected version 3";

/** rustls's words for what happens most, in an administrator's. */
export function tlsReason(error: unknown): string {
  const message = oneLine(messageOf(error));
  if (classify(error) === "closed" || classify(error) === "reset") return CLOSED;
  if (/CertificateRequired/.test(message)) return `the daemon wants a certificate (${message})`;
  if (/UnsupportedCertVersion/.test(message)) return `the daemon's certificate: ${VERSION_1}`;
  if (/NotValidForName|not valid for name/.test(message)) {
    return `the daemon's certificate is for another name (${message})`;
  }
  if (/UnknownIssuer/.test(message)) {
    return `the daemon's certificate is not from a trusted authority (${message})`;
  }
  return message;
}

/** What is wrong with the certificate or the key that a connection is to be made with. */
function ownCertificateReason(error: unknown, files: CertificateFiles): string | undefined {
  const message = oneLine(messageOf(error));
  if (/UnsupportedCertVersion/.test(message)) {
    return `Cannot use the certificate "${files.certificate}": ${VERSION_1} (${message})`;
  }
  return /KeyMismatch/.test(message)
    ? `Cannot use the key "${files.key}": it is not the one of "${files.certificate}" (${message})`
    : undefined;
}

async function readPem(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    throw new TransportError("local", `Cannot read "${path}": ${oneLine(messageOf(error))}`);
  }
}
