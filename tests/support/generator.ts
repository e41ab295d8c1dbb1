// `compute-lb gen` as a child process, with its lists in the test's hand.

import type { Address } from "../../lib/core/values/address.ts";
import { parseEndpoint } from "../../lib/sp/endpoint.ts";
import { programCommand } from "./balancer.ts";
import { endNow } from "./run_program.ts";
import { waitFor, within } from "./wait_for.ts";

export class Generator implements AsyncDisposable {
  /** All that it has logged, as text. */
  log = "";
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#stdin = child.stdin.getWriter();
    this.#reading = this.#read(child.stderr);
  }

  /** Starts it and waits until it listens everywhere. */
  static async start(
    args: readonly string[],
    endpoints = ["tcp://127.0.0.1:0"],
  ): Promise<Generator> {
    const [program = "", ...first] = programCommand();
    const child = new Deno.Command(program, {
      args: [...first, "gen", ...args, ...endpoints],
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const generator = new Generator(child);
    const listening = () => generator.log.match(/listens on/g)?.length === endpoints.length;
    await waitFor("the generator to listen", listening);
    return generator;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Where it listens, as its log says. */
  get endpoints(): string[] {
    return [...this.log.matchAll(/listens on (\S+)/g)].map((match) => match[1] ?? "");
  }

  /** The first of its addresses. */
  get address(): Address {
    const [text = ""] = this.endpoints;
    const read = parseEndpoint(text, "dial");
    if (!read.ok) throw new Error(read.message);
    return read.value;
  }

  async list(...lines: readonly string[]): Promise<void> {
    await this.write([...lines, ""].map((line) => `${line}\n`).join(""));
  }

  async write(text: string): Promise<void> {
    await this.#stdin.write(new TextEncoder().encode(text));
  }

  /** Its stdin ends. */
  async endInput(): Promise<void> {
    await this.#stdin.close();
  }

  async logged(text: string): Promise<void> {
    await waitFor(`"${text}" in the log:\n${this.log}`, () => this.log.includes(text));
  }

  signal(name: Deno.Signal): void {
    this.#child.kill(name);
  }

  async ended(): Promise<number> {
    return (await within("its end", this.#child.status)).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endNow(this.#child);
    await this.#stdin.abort().catch(() => {});
    await this.#reading;
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) this.log += text;
  }
}
