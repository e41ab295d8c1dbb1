// `compute-lb agent` as a child process.

import { programCommand } from "../support/balancer.ts";
import { readAll } from "../support/bytes.ts";
import { endNow } from "../support/run_program.ts";
import { within } from "../support/wait_for.ts";

export class AgentProcess implements AsyncDisposable {
  private constructor(readonly child: Deno.ChildProcess, readonly port: number) {}

  /**
   * Starts it on a free port of 127.0.0.1 and waits until it listens.
   * @param prefix put before the program, such as ["unshare", "--mount"]; it must become the program.
   * @param flags more of them.
   * @param command another program and its first arguments.
   */
  static async start(
    prefix: readonly string[] = [],
    flags: readonly string[] = [],
    command: readonly string[] = programCommand(),
  ): Promise<AgentProcess> {
    const [program = "", ...args] = [...prefix, ...command];
    const child = new Deno.Command(program, {
      args: [...args, "agent", "--listen", "127.0.0.1:0", ...flags],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    try {
      const line = await within("the agent's first line", firstLine(child.stdout));
      const port = /^agent listens on 127\.0\.0\.1:(\d+)$/.exec(line)?.[1];
      if (port === undefined) throw new Error(`It says "${line}"`);
      return new AgentProcess(child, Number(port));
    } catch (error) {
      await endNow(child);
      throw error;
    }
  }

  /** Connects, sends the text at once if there is any, and reads all that comes back. */
  async ask(text = ""): Promise<string> {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: this.port });
    if (text !== "") await conn.write(new TextEncoder().encode(text));
    return new TextDecoder().decode(await readAll(conn));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endNow(this.child);
  }
}

/** Reads the first line and lets go of the rest. */
async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (!text.includes("\n")) {
    const piece = await reader.read();
    if (piece.done) break;
    text += decoder.decode(piece.value, { stream: true });
  }
  await reader.cancel();
  return text.split("\n")[0] ?? "";
}
