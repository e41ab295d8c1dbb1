// A real server of this machine on a port of its own, with its data in a temporary folder, which a test may stop,
// kill, cut off, and start again on the same port.

import { endTree, freePort, signal } from "../support/processes.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { SeparateNetwork } from "../support/separate_network.ts";
import { waitFor } from "../support/wait_for.ts";

export interface Kept {
  readonly name: string;
  /** What runs it, after whatever has to be written for that. */
  readonly command: (folder: string, place: string, port: number) => readonly string[];
  /** Whether it answers; a throw is a no. */
  readonly isReady: (place: string, port: number) => Promise<boolean>;
  readonly env?: Readonly<Record<string, string>>;
}

export abstract class KeptServer implements AsyncDisposable {
  readonly #folder = new TemporaryDirectory();
  readonly #kept: Kept;
  #network: SeparateNetwork | undefined;
  #process: Deno.ChildProcess | undefined;

  /** @param port one that nothing listens on: it begins with `start`. */
  protected constructor(kept: Kept, readonly port = freePort()) {
    this.#kept = kept;
  }

  /** Starts one; on another port when somebody else has taken the port meanwhile. */
  protected static async started<S extends KeptServer>(make: () => S): Promise<S> {
    for (let attempt = 1;; attempt++) {
      const server = make();
      try {
        await server.start();
        return server;
      } catch (error) {
        await server[Symbol.asyncDispose]();
        if (attempt === 5) throw error;
      }
    }
  }

  /** What it keeps, and what is written for it. */
  get folder(): string {
    return this.#folder.path;
  }

  get host(): string {
    return this.#network?.address ?? "127.0.0.1";
  }

  get address(): string {
    return `${this.host}:${this.port}`;
  }

  /** Puts it into a network that can be cut off; before it starts. */
  async moveAway(): Promise<SeparateNetwork> {
    return this.#network = await SeparateNetwork.make();
  }

  /** Starts it, also again, and waits until it answers. */
  async start(): Promise<void> {
    await this.kill();
    const { name, command, isReady, env } = this.#kept;
    const own = command(this.#folder.path, this.host, this.port);
    const [program = "", ...args] = this.#network?.command(...own) ?? own;
    const process = new Deno.Command(program, {
      args,
      env: { ...env },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#process = process;
    let ended = false;
    process.status.then(() => ended = true);
    await waitFor(`${name} to answer`, async () => ended || await isReady(this.host, this.port));
    if (ended) throw new Error(`${name} does not start`);
  }

  /** It is there and says nothing more, until `go`. */
  stop(): void {
    this.#signal("SIGSTOP");
  }

  go(): void {
    this.#signal("SIGCONT");
  }

  async kill(): Promise<void> {
    this.#signal("SIGKILL");
    await this.#process?.status;
    this.#process = undefined;
  }

  /** Forgets what it holds; while it is killed. */
  async forget(): Promise<void> {
    await Deno.remove(`${this.#folder.path}/data`, { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.go();
    if (this.#process !== undefined) await endTree(this.#process);
    await this.#network?.[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }

  #signal(name: Deno.Signal): void {
    if (this.#process !== undefined) signal(this.#process.pid, name);
  }
}
