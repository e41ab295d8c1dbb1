// `compute-lb gen` as a child process, with its lists in the test's hand.

import type { Address } from "../../lib/core/values/address.ts";
import { parseEndpoint } from "../../lib/sp/endpoint.ts";
import { programCommand } from "./balancer.ts";
import { HeardProgram } from "./heard_program.ts";
import { waitFor } from "./wait_for.ts";

export class Generator extends HeardProgram {
  /** Starts it and waits until it listens everywhere. */
  static async start(
    args: readonly string[],
    endpoints = ["tcp://127.0.0.1:0"],
  ): Promise<Generator> {
    const generator = new Generator([...programCommand(), "gen", ...args, ...endpoints]);
    const listening = () => generator.stderr.match(/listens on/g)?.length === endpoints.length;
    await waitFor("the generator to listen", listening);
    return generator;
  }

  /** Where it listens, as its log says. */
  get endpoints(): string[] {
    return [...this.stderr.matchAll(/listens on (\S+)/g)].map((match) => match[1] ?? "");
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
}
