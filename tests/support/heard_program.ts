// A program that goes on while the test hears what it prints.

import { endNow } from "./run_program.ts";
import { waitFor, within } from "./wait_for.ts";

export class HeardProgram implements AsyncDisposable {
  /** What it has printed so far. */
  stdout = "";
  stderr = "";
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #deaf = new AbortController();
  readonly #hearing: Promise<unknown>;

  constructor([program = "", ...args]: readonly string[], env: Record<string, string> = {}) {
    this.#child = new Deno.Command(program, {
      args,
      env,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#stdin = this.#child.stdin.getWriter();
    this.#hearing = Promise.all([this.#hear("stdout"), this.#hear("stderr")]);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Waits until it has printed a text. */
  async said(text: string): Promise<void> {
    await waitFor(`"${text}"`, () => {
      if (this.stdout.includes(text) || this.stderr.includes(text)) return true;
      throw new Error(`${this.stdout}${this.stderr}`);
    });
  }

  async write(text: string): Promise<void> {
    await this.#stdin.write(new TextEncoder().encode(text));
  }

  /** Its stdin ends. */
  async endInput(): Promise<void> {
    await this.#stdin.close();
  }

  /** Nobody reads its stdout any more. */
  close(): void {
    this.#deaf.abort();
  }

  signal(name: Deno.Signal): void {
    this.#child.kill(name);
  }

  /** Waits for its end. @returns the exit status. */
  async ended(): Promise<number> {
    return (await within("its end", this.#child.status)).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endNow(this.#child);
    await this.#stdin.abort().catch(() => {});
    await this.#hearing;
  }

  async #hear(name: "stdout" | "stderr"): Promise<void> {
    const decoder = new TextDecoder();
    const reader = this.#child[name].getReader();
    const stop = () => void reader.cancel();
    if (name === "stdout") this.#deaf.signal.addEventListener("abort", stop, { once: true });
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      this[name] += decoder.decode(read.value, { stream: true });
    }
  }
}
