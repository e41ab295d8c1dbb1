// A real redis-server of this machine on a loopback port, with its data in a temporary folder. It can be stopped,
// killed and started again, with or without what it held.
//
//   await using redis = await RedisServer.start();
//   await redis.cli("set", "serverPool", "[]");

import { peerProgram } from "../support/require_peer.ts";
import { mustRun } from "../support/run_program.ts";
import { KeptServer } from "./kept_server.ts";

export class RedisServer extends KeptServer {
  private constructor(more: readonly string[]) {
    super({
      name: "redis-server",
      command: (folder, host, port) => {
        Deno.mkdirSync(`${folder}/data`, { recursive: true });
        return [
          peerProgram("redis-server"),
          ...["--bind", host, "--port", String(port), "--dir", `${folder}/data`],
          ...["--save", "", "--appendonly", "yes", "--appendfsync", "no", ...more],
        ];
      },
      // With a password, the answer is that one is needed.
      isReady: async () => /PONG|NOAUTH/.test(await this.cli("ping")),
    });
  }

  /** Starts one that keeps each change on its disk, and waits until it answers. @param more arguments. */
  static async start(more: readonly string[] = []): Promise<RedisServer> {
    return await KeptServer.started(() => new RedisServer(more));
  }

  get url(): string {
    return `redis://${this.address}`;
  }

  /** Runs redis-cli with these arguments. @returns what it printed. */
  async cli(...args: readonly string[]): Promise<string> {
    const cli = peerProgram("redis-cli");
    return (await mustRun(cli, "-p", String(this.port), ...args)).trimEnd();
  }

  /** Sends all these inline commands at once, and waits for the answers. */
  async pipe(commands: readonly string[]): Promise<string> {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: this.port });
    await connection.write(new TextEncoder().encode([...commands, "quit\r\n"].join("\r\n")));
    return await new Response(connection.readable).text();
  }

  /** Starts it again on its port. @param keepsData whether it still has what it held. */
  async restart(keepsData: boolean): Promise<void> {
    await this.kill();
    if (!keepsData) await this.forget();
    await this.start();
  }
}
