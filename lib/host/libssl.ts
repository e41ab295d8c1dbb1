// TLS without certificates (anonymous Diffie-Hellman), which Deno's own TLS leaves out and the stock
// NRPE daemon speaks: through the system's libssl on memory BIOs, where Deno keeps the socket. Opened at
// the first connection; without libssl, the program openssl does it (openssl_client.ts).
//
//   socket --read--> receive BIO --> SSL --> plain text
//   socket <-write-- send BIO    <-- SSL <-- plain text

import type { TcpAddress } from "../core/values/address.ts";
import {
  type AnonymousTls,
  type ByteChannel,
  HandshakeError,
} from "../core/serving/byte_channel.ts";
import { messageOf } from "../core/values/errors.ts";
import { shakenHands } from "./handshake.ts";
import { connectByOpenssl } from "./openssl_client.ts";

/** Every anonymous suite with encryption, the strongest first. Level 0 is what allows them. */
const ANONYMOUS_CIPHERS = "aNULL:!eNULL:@STRENGTH:@SECLEVEL=0";

const LIBRARIES = ["libssl.so.3", "libssl.so.1.1"];

// Constants from OpenSSL's ssl.h.
const SSL_CTRL_SET_MIN_PROTO_VERSION = 123;
const SSL_CTRL_SET_MAX_PROTO_VERSION = 124;
// Old daemons have nothing later than 1.0, and 1.3 knows no anonymous suites.
const TLS1_VERSION = 0x0301;
const TLS1_2_VERSION = 0x0303;
const SSL_ERROR_WANT_READ = 2;
const SSL_ERROR_SYSCALL = 5;
const SSL_ERROR_ZERO_RETURN = 6;

/** A TLS record with its header and the most that a cipher may add (RFC 5246 section 6.2.3). */
const RECORD_BYTES = 5 + 16_384 + 2_048;

const SYMBOLS = {
  TLS_client_method: { parameters: [], result: "pointer" },
  SSL_CTX_new: { parameters: ["pointer"], result: "pointer" },
  SSL_CTX_free: { parameters: ["pointer"], result: "void" },
  SSL_CTX_ctrl: { parameters: ["pointer", "i32", "isize", "pointer"], result: "isize" },
  SSL_CTX_set_cipher_list: { parameters: ["pointer", "buffer"], result: "i32" },
  SSL_new: { parameters: ["pointer"], result: "pointer" },
  SSL_free: { parameters: ["pointer"], result: "void" },
  SSL_set_bio: { parameters: ["pointer", "pointer", "pointer"], result: "void" },
  SSL_set_connect_state: { parameters: ["pointer"], result: "void" },
  SSL_do_handshake: { parameters: ["pointer"], result: "i32" },
  SSL_read: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  SSL_write: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  SSL_get_error: { parameters: ["pointer", "i32"], result: "i32" },
  // These are libcrypto's; the loader finds them, because libssl depends on it.
  BIO_s_mem: { parameters: [], result: "pointer" },
  BIO_new: { parameters: ["pointer"], result: "pointer" },
  BIO_free: { parameters: ["pointer"], result: "i32" },
  BIO_read: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  BIO_write: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  ERR_clear_error: { parameters: [], result: "void" },
  ERR_get_error: { parameters: [], result: "u64" },
  ERR_error_string_n: { parameters: ["u64", "buffer", "usize"], result: "void" },
} as const;

type Library = Deno.DynamicLibrary<typeof SYMBOLS>;

export interface AnonymousTlsOptions {
  /**
   * `auto`: libssl if there is one, else the program openssl.
   * @default "auto"
   */
  readonly use?: "auto" | "libssl" | "openssl";
  /** @default "openssl", looked for in PATH */
  readonly opensslProgram?: string;
}

/** Anonymous TLS by what this machine has. Dispose it after the last channel is closed. */
export class AnonymousTlsClient implements Disposable {
  readonly #options: AnonymousTlsOptions;
  /** Undefined until it was looked for; a text says why there is none. */
  #libssl: Libssl | string | undefined;

  constructor(options: AnonymousTlsOptions = {}) {
    this.#options = options;
  }

  /** Connects and shakes hands. */
  readonly connect: AnonymousTls = async (address, signal) => {
    const { use = "auto", opensslProgram = "openssl" } = this.#options;
    if (use !== "openssl") {
      this.#libssl ??= Libssl.open();
      if (typeof this.#libssl !== "string") return await this.#libssl.connect(address, signal);
      if (use === "libssl") throw new Error(this.#libssl);
    }
    try {
      return await connectByOpenssl(opensslProgram, ANONYMOUS_CIPHERS, address, signal);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      const libssl = typeof this.#libssl === "string" ? `${this.#libssl}; ` : "";
      throw new Error(
        `Cannot speak anonymous TLS: ${libssl}program "${opensslProgram}" is not installed`,
      );
    }
  };

  [Symbol.dispose](): void {
    if (typeof this.#libssl === "object") this.#libssl.close();
    this.#libssl = undefined;
  }
}

/** The loaded library and the one context that all its connections share. */
class Libssl {
  readonly #library: Library;
  readonly #context: Deno.PointerValue;

  private constructor(library: Library, context: Deno.PointerValue) {
    this.#library = library;
    this.#context = context;
  }

  /** Loads the library, or says why that cannot be. */
  static open(): Libssl | string {
    const complaints: string[] = [];
    for (const name of LIBRARIES) {
      let library: Library;
      try {
        library = Deno.dlopen(name, SYMBOLS);
      } catch (error) {
        complaints.push(messageOf(error));
        continue;
      }
      const ssl = library.symbols;
      const context = ssl.SSL_CTX_new(ssl.TLS_client_method());
      const ciphers = new TextEncoder().encode(`${ANONYMOUS_CIPHERS}\0`);
      if (context !== null && ssl.SSL_CTX_set_cipher_list(context, ciphers) === 1) {
        ssl.SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, BigInt(TLS1_VERSION), null);
        ssl.SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, BigInt(TLS1_2_VERSION), null);
        return new Libssl(library, context);
      }
      if (context !== null) ssl.SSL_CTX_free(context);
      library.close();
      complaints.push(`${name} has no anonymous cipher suites`);
    }
    return `libssl is not usable (${complaints.join("; ")})`;
  }

  async connect(address: TcpAddress, signal: AbortSignal): Promise<ByteChannel> {
    const socket = await Deno.connect({ hostname: address.host, port: address.port, signal });
    let channel: LibsslChannel;
    try {
      channel = new LibsslChannel(this.#library, this.#context, socket);
    } catch (error) {
      socket.close();
      throw error;
    }
    return await shakenHands(channel, () => channel.shakeHands(), signal);
  }

  close(): void {
    this.#library.symbols.SSL_CTX_free(this.#context);
    this.#library.close();
  }
}

/**
 * One connection. SSL calls are synchronous and on this thread, so the thread's error queue belongs to
 * the call just made; after each wait the connection may have been closed, and its SSL freed.
 */
class LibsslChannel implements ByteChannel {
  readonly #ssl: Library["symbols"];
  readonly #socket: Deno.Conn;
  /** Owns both BIOs. Null once freed. */
  #connection: Deno.PointerValue;
  readonly #receiveBio: Deno.PointerValue;
  readonly #sendBio: Deno.PointerValue;
  // One for each direction, as a read may be waiting while a write goes on.
  readonly #received = new Uint8Array(RECORD_BYTES);
  readonly #toSend = new Uint8Array(RECORD_BYTES);

  /** @throws when there is no memory; the socket then is still the caller's. */
  constructor(library: Library, context: Deno.PointerValue, socket: Deno.Conn) {
    const ssl = library.symbols;
    this.#ssl = ssl;
    this.#socket = socket;
    this.#connection = ssl.SSL_new(context);
    this.#receiveBio = ssl.BIO_new(ssl.BIO_s_mem());
    this.#sendBio = ssl.BIO_new(ssl.BIO_s_mem());
    if (this.#connection === null || this.#receiveBio === null || this.#sendBio === null) {
      // All three take a null and do nothing.
      ssl.BIO_free(this.#receiveBio);
      ssl.BIO_free(this.#sendBio);
      ssl.SSL_free(this.#connection);
      throw new Error("libssl has no memory left for a connection");
    }
    ssl.SSL_set_bio(this.#connection, this.#receiveBio, this.#sendBio);
    ssl.SSL_set_connect_state(this.#connection);
  }

  async shakeHands(): Promise<void> {
    while (true) {
      this.#ssl.ERR_clear_error();
      const result = this.#ssl.SSL_do_handshake(this.#open());
      const state = result === 1 ? 0 : this.#ssl.SSL_get_error(this.#open(), result);
      const complaint = state === 0 || state === SSL_ERROR_WANT_READ ? "" : this.#complaint();
      // Also an alert that tells the other side why there will be no connection.
      await this.#flush();
      if (complaint !== "") throw new HandshakeError(complaint);
      if (state === 0) return;
      if (!await this.#fill()) {
        throw new Deno.errors.UnexpectedEof("closed during the TLS handshake");
      }
    }
  }

  async read(buffer: Uint8Array<ArrayBuffer>): Promise<number | null> {
    if (buffer.length === 0) return 0;
    while (true) {
      this.#ssl.ERR_clear_error();
      const count = this.#ssl.SSL_read(this.#open(), buffer, buffer.length);
      if (count > 0) return count;
      switch (this.#ssl.SSL_get_error(this.#open(), count)) {
        case SSL_ERROR_WANT_READ:
          break;
        case SSL_ERROR_ZERO_RETURN:
        case SSL_ERROR_SYSCALL:
          return null;
        default:
          throw new Error(this.#complaint());
      }
      await this.#flush();
      // nrpe closes without close_notify; that all has come is told by the packet's own length.
      if (!await this.#fill()) return null;
    }
  }

  async write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      this.#ssl.ERR_clear_error();
      // A memory BIO takes everything, so this never waits for room.
      const count = this.#ssl.SSL_write(this.#open(), bytes.subarray(at), bytes.length - at);
      if (count <= 0) throw new Error(this.#complaint());
      at += count;
      await this.#flush();
    }
  }

  close(): void {
    if (this.#connection === null) return;
    this.#ssl.SSL_free(this.#connection);
    this.#connection = null;
    this.#socket.close();
  }

  #open(): Deno.PointerObject {
    if (this.#connection === null) throw new Deno.errors.Interrupted("the channel is closed");
    return this.#connection;
  }

  /** Sends what SSL has put into its BIO. */
  async #flush(): Promise<void> {
    while (true) {
      this.#open();
      const count = this.#ssl.BIO_read(this.#sendBio, this.#toSend, this.#toSend.length);
      if (count <= 0) return;
      for (let sent = 0; sent < count;) {
        sent += await this.#socket.write(this.#toSend.subarray(sent, count));
      }
    }
  }

  /** Waits for bytes from the socket; false at its end. */
  async #fill(): Promise<boolean> {
    const count = await this.#socket.read(this.#received);
    this.#open();
    if (count === null) return false;
    this.#ssl.BIO_write(this.#receiveBio, this.#received.subarray(0, count), count);
    return true;
  }

  /** The oldest entry of this thread's error queue, which names the cause. */
  #complaint(): string {
    const code = this.#ssl.ERR_get_error();
    if (code === 0n) return "libssl gives no reason";
    const text = new Uint8Array(256);
    this.#ssl.ERR_error_string_n(code, text, BigInt(text.length));
    // "error:0A000410:SSL routines::sslv3 alert handshake failure"
    const full = new TextDecoder().decode(text.subarray(0, text.indexOf(0)));
    return full.slice(full.lastIndexOf(":") + 1);
  }
}
