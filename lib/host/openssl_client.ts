// Anonymous TLS by the program openssl, for machines whose libssl cannot be loaded: one process a
// connection, its stdin and stdout behind the same ByteChannel as libssl.ts.

import { formatAddress, type TcpAddress } from "../core/values/address.ts";
import { type ByteChannel, HandshakeError } from "../core/serving/byte_channel.ts";
import { shakenHands } from "./handshake.ts";

/** More than openssl says in any handshake. */
const MOST_COMPLAINTS = 16_384;

/**
 * Starts `openssl s_client` and waits until it has shaken hands.
 * @throws {Deno.errors.NotFound} when there is no such program.
 */
export async function connectByOpenssl(
  program: string,
  ciphers: string,
  address: TcpAddress,
  signal: AbortSignal,
): Promise<ByteChannel> {
  signal.throwIfAborted();
  const process = new Deno.Command(program, {
    args: [
      ...["s_client", "-connect", formatAddress(address), "-cipher", ciphers],
      ...["-min_protocol", "TLSv1", "-max_protocol", "TLSv1.2"],
      // Nothing on stdout but what the other side sends, and a line on stderr after the handshake.
      ...["-brief", "-no_ign_eof"],
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const channel = new OpensslChannel(process);
  return await shakenHands(channel, () => channel.established, signal);
}

class OpensslChannel implements ByteChannel {
  /** Settles when the handshake is over, one way or the other. */
  readonly established: Promise<void>;
  readonly #process: Deno.ChildProcess;
  readonly #output: ReadableStreamBYOBReader;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  #complaints = "";
  #closed = false;

  constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#output = process.stdout.getReader({ mode: "byob" });
    this.#input = process.stdin.getWriter();
    // Both promises settle with the process; nobody else waits for them.
    this.#input.closed.catch(() => {});
    this.#output.closed.catch(() => {});
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.established = promise;
    this.#listen(resolve).then(() => reject(this.#failure()), reject);
  }

  async read(buffer: Uint8Array<ArrayBuffer>): Promise<number | null> {
    this.#checkOpen();
    // The reader takes the memory it is given, so it gets some of its own.
    const { done, value } = await this.#output.read(new Uint8Array(buffer.length));
    this.#checkOpen();
    if (done || value === undefined) return null;
    buffer.set(value);
    return value.length;
  }

  async write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#checkOpen();
    await this.#input.write(bytes.slice());
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    this.#input.abort().catch(() => {});
    this.#output.cancel().catch(() => {});
  }

  #checkOpen(): void {
    if (this.#closed) throw new Deno.errors.Interrupted("the channel is closed");
  }

  /** Reads stderr to its end, then waits for the process, so that no zombie stays. */
  async #listen(established: () => void): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const bytes of this.#process.stderr) {
        if (this.#complaints.length > MOST_COMPLAINTS) continue;
        this.#complaints += decoder.decode(bytes, { stream: true });
        if (this.#complaints.includes("CONNECTION ESTABLISHED")) established();
      }
    } finally {
      await this.#process.status;
    }
  }

  /** What openssl said, as the error that Deno's own sockets would give. */
  #failure(): Error {
    const text = this.#complaints;
    const number = Number(/connect:errno=(\d+)/.exec(text)?.[1] ?? 0);
    switch (number) {
      case 0:
        break;
      case 111:
        return new Deno.errors.ConnectionRefused("openssl: connection refused");
      case 110:
        return new Deno.errors.TimedOut("openssl: connection timed out");
      case 101:
      case 113:
        return new Deno.errors.NetworkUnreachable("openssl: no route to host");
      default:
        return new Error(`openssl: connect: errno ${number}`);
    }
    if (/Name or service not known|No address associated|Temporary failure in name/i.test(text)) {
      return new Error("failed to lookup address information: Name or service not known");
    }
    // "40F7...:error:0A000410:SSL routines:ssl3_read_bytes:sslv3 alert handshake failure:..."
    const error = /error:[0-9A-F]+:[^:]*:[^:]*:([^:\n]+)/.exec(text)?.[1];
    if (error === undefined || /unexpected eof/.test(error)) {
      return new Deno.errors.UnexpectedEof("closed during the TLS handshake");
    }
    return new HandshakeError(error);
  }
}
