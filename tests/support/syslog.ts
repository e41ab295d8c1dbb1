// What a system's log was told: a syslogd of the test's own, at a path of the test's own.

import { HeardProgram } from "./heard_program.ts";
import { waitFor } from "./wait_for.ts";

const PEER = new URL("../peers/syslogd.ts", import.meta.url).pathname;

export class SystemLog extends HeardProgram {
  static async start(path: string): Promise<SystemLog> {
    const log = new SystemLog([Deno.execPath(), "run", "-A", "--unstable-net", PEER, path]);
    await log.said("bound");
    return log;
  }

  get messages(): readonly string[] {
    const lines = this.stdout.split("\n").slice(1, -1);
    return lines.map((line) => String(JSON.parse(line)));
  }

  /** Waits for a message that has a text in it. */
  async told(text: string): Promise<string> {
    return await waitFor(
      `"${text}" in the system's log`,
      () => this.messages.find((message) => message.includes(text)),
    );
  }
}
