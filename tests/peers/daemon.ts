// A real daemon of this machine in the foreground, on a loopback address and port of its own, with what it
// needs in a temporary directory; its log says when it listens.

import { endTree, freePort } from "../support/processes.ts";
import { peerProgram } from "../support/require_peer.ts";
import { waitFor } from "../support/wait_for.ts";

export interface DaemonOptions {
  readonly program: "nrpe" | "sshd";
  readonly address: string;
  /** @default one that is free */
  readonly port: number | undefined;
  readonly logFile: string;
  /** What it logs once it listens. */
  readonly listening: string;
  /** Its arguments for a port, after whatever has to be written for that. */
  readonly arguments: (port: number) => Promise<readonly string[]>;
}

export abstract class Daemon implements AsyncDisposable {
  readonly address: string;
  readonly #options: DaemonOptions;
  #port: number;
  #process: Deno.ChildProcess | undefined;

  /** @param directory temporary, removed with the daemon; tests may put files there. */
  protected constructor(readonly directory: string, options: DaemonOptions) {
    this.address = options.address;
    this.#options = options;
    this.#port = options.port ?? 0;
  }

  /** Makes a daemon in a temporary directory and waits until it listens. */
  protected static async startIn<D extends Daemon>(
    prefix: string,
    make: (directory: string) => Promise<D>,
  ): Promise<D> {
    const directory = await Deno.makeTempDir({ prefix });
    try {
      const daemon = await make(directory);
      await daemon.#startListening(daemon.#options.port !== undefined);
      return daemon;
    } catch (error) {
      await Deno.remove(directory, { recursive: true });
      throw error;
    }
  }

  get port(): number {
    return this.#port;
  }

  /** Its process id, undefined while it is stopped. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** What it has logged so far. */
  async log(): Promise<string> {
    return await Deno.readTextFile(this.#options.logFile).catch(() => "");
  }

  /** Ends it with all its children; the port stays known for `restart`. */
  async stop(): Promise<void> {
    if (this.#process === undefined) return;
    await endTree(this.#process);
    this.#process = undefined;
  }

  /** Listens again on the same address and port. */
  async restart(): Promise<void> {
    await this.stop();
    await this.#startListening(true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await Deno.remove(this.directory, { recursive: true });
  }

  async #startListening(portIsFixed: boolean): Promise<void> {
    const { program, address } = this.#options;
    const attempts = portIsFixed ? 1 : 5;
    for (let attempt = 1;; attempt++) {
      if (!portIsFixed) this.#port = freePort(address);
      const complaint = await this.#tryToListen();
      if (complaint === undefined) return;
      if (attempt >= attempts) throw new Error(`${program} does not start: ${complaint}`);
    }
  }

  /** Why it does not listen, undefined when it does. */
  async #tryToListen(): Promise<string | undefined> {
    const { program, listening } = this.#options;
    const args = [...await this.#options.arguments(this.#port)];
    const before = (await this.log()).length;
    const process = new Deno.Command(peerProgram(program), {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    let ended = false;
    process.status.then(() => ended = true);
    try {
      const ready = await waitFor(`${program} to listen`, async () => {
        const text = (await this.log()).slice(before);
        if (text.includes(listening)) return "listening";
        return ended ? text.trim() || "it ended without a word" : undefined;
      });
      if (ready === "listening") {
        this.#process = process;
        return undefined;
      }
      return ready;
    } catch (error) {
      await endTree(process);
      throw error;
    }
  }
}
