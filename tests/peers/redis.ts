// A real redis-server of this machine on a loopback port, with its data in a temporary folder. It can be stopped,
// killed and started again, with or without what it held.
//
//   await using redis = await RedisServer.start();
//   await redis.cli("set", "serverPool", "[]");

import { endTree, freePort, signal } from "../support/processes.ts";
import { peerProgram } from "../support/require_peer.ts";
import { mustRun, TemporaryDirectory } from "../support/run_program.ts";
import { waitFor } from "../support/wait_for.ts";

export class RedisServer implements AsyncDisposable {
  readonly #folder: TemporaryDirectory;
  readonly #arguments: readonly string[];
  #process: Deno.ChildProcess | undefined;
  #port = 0;

  private constructor(folder: TemporaryDirectory, more: readonly string[]) {
    this.#folder = folder;
    this.#arguments = more;
  }

  /** Starts one that keeps each change on its disk, and waits until it answers. @param more arguments. */
  static async start(more: readonly string[] = []): Promise<RedisServer> {
    const redis = new RedisServer(new TemporaryDirectory(), more);
    try {
      for (let attempt = 1;; attempt++) {
        redis.#port = freePort();
        // Another process may have taken the port in the meantime.
        if (await redis.#listens()) return redis;
        if (attempt === 5) throw new Error("redis-server does not start");
      }
    } catch (error) {
      await redis[Symbol.asyncDispose]();
      throw error;
    }
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.#port}`;
  }

  /** Runs redis-cli with these arguments. @returns what it printed. */
  async cli(...args: readonly string[]): Promise<string> {
    const cli = peerProgram("redis-cli");
    return (await mustRun(cli, "-p", String(this.#port), ...args)).trimEnd();
  }

  /** Sends all these inline commands at once, and waits for the answers. */
  async pipe(commands: readonly string[]): Promise<string> {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: this.#port });
    await connection.write(new TextEncoder().encode([...commands, "quit\r\n"].join("\r\n")));
    return await new Response(connection.readable).text();
  }

  /** Sends its process a signal: SIGSTOP, SIGCONT. */
  signal(name: Deno.Signal): void {
    if (this.#process !== undefined) signal(this.#process.pid, name);
  }

  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#process?.status;
    this.#process = undefined;
  }

  /** Starts it again on its port. @param keepsData whether it still has what it held. */
  async restart(keepsData: boolean): Promise<void> {
    await this.kill();
    if (!keepsData) await Deno.remove(`${this.#folder.path}/appendonlydir`, { recursive: true });
    if (!await this.#listens()) throw new Error("redis-server does not start again");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGCONT");
    if (this.#process !== undefined) await endTree(this.#process);
    await this.#folder[Symbol.asyncDispose]();
  }

  async #listens(): Promise<boolean> {
    const process = new Deno.Command(peerProgram("redis-server"), {
      args: [
        ...["--bind", "127.0.0.1", "--port", String(this.#port), "--dir", this.#folder.path],
        ...["--save", "", "--appendonly", "yes", "--appendfsync", "no", ...this.#arguments],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    let ended = false;
    process.status.then(() => ended = true);
    const state = await waitFor("redis-server to answer", async () => {
      if (ended) return "ended";
      // With a password, the answer is that one is needed.
      return /PONG|NOAUTH/.test(await this.cli("ping")) && "answers";
    });
    if (state === "ended") return false;
    this.#process = process;
    return true;
  }
}
