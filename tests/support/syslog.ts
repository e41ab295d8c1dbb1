// What a system's log was told: a syslogd of the test's own, at a path of the test's own.

import { waitFor } from "./wait_for.ts";

const PEER = new URL("../peers/syslogd.ts", import.meta.url).pathname;

export class SystemLog implements AsyncDisposable {
  readonly messages: string[] = [];
  readonly #process: Deno.ChildProcess;
  readonly #reading: Promise<void>;

  private constructor(path: string) {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--unstable-net", PEER, path],
      stdout: "piped",
    }).spawn();
    this.#reading = this.#read();
  }

  static async start(path: string): Promise<SystemLog> {
    const log = new SystemLog(path);
    await log.told("bound");
    log.messages.shift();
    return log;
  }

  /** Waits for a message that has a text in it. */
  async told(text: string): Promise<string> {
    return await waitFor(
      `"${text}" in the system's log`,
      () => this.messages.find((message) => message.includes(text)),
    );
  }

  signal(name: Deno.Signal): void {
    this.#process.kill(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.status;
    await this.#reading;
  }

  async #read(): Promise<void> {
    let rest = "";
    const stream = this.#process.stdout.pipeThrough(new TextDecoderStream());
    for await (const text of stream) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.messages.push(String(JSON.parse(line)));
    }
  }
}
