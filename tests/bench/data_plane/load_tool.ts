// The Go load generator and its backend, as functions. Every call runs one process to its end.

import { Child, run } from "./children.ts";
import { waitFor } from "../../support/wait_for.ts";

type Fields = Readonly<Record<string, unknown>>;

/** What a run of short connections, or the opening of held sessions, came to. */
export interface ConnsReport {
  readonly done: number;
  readonly failed: number;
  readonly reason: string;
  readonly seconds: number;
  /** The generator's own. */
  readonly cpuSeconds: number;
}

export interface BulkReport {
  readonly bytes: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

export interface PingReport {
  readonly count: number;
  /** Turns that found the generator late or the connection's last message still under way. */
  readonly skipped: number;
  /** Microseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Whether the generator was allowed to run ahead of all else. */
  readonly realtime: boolean;
}

export class LoadTool {
  constructor(
    readonly path: string,
    /** How many client addresses are used by turns; 0 where ports cannot run out. */
    readonly sources: number,
  ) {}

  async conns(port: number, connections: number, seconds: number): Promise<ConnsReport> {
    return connsReport(await this.#run("conns", { port, connections, seconds }));
  }

  /** Copies as fast as it goes, or at most so many bytes a second. */
  async bulk(port: number, streams: number, seconds: number, rate = 0): Promise<BulkReport> {
    const fields = await this.#run("bulk", { port, connections: streams, seconds, rate });
    return {
      bytes: numberOf(fields, "bytes"),
      seconds: numberOf(fields, "seconds"),
      cpuSeconds: numberOf(fields, "cpuSeconds"),
    };
  }

  /** Messages by turns, one each interval; without an interval, one under way on every connection. */
  async ping(
    port: number,
    connections: number,
    seconds: number,
    intervalUs?: number,
  ): Promise<PingReport> {
    const paced = intervalUs === undefined ? {} : { interval: `${intervalUs}us`, realtime: true };
    const fields = await this.#run("ping", { port, connections, seconds, ...paced });
    return {
      count: numberOf(fields, "count"),
      skipped: numberOf(fields, "skipped"),
      p50: numberOf(fields, "p50"),
      p99: numberOf(fields, "p99"),
      max: numberOf(fields, "max"),
      realtime: fields.realtime === true,
    };
  }

  /** Opens sessions, proves each by an exchange, and holds them until disposed of. */
  async hold(port: number, connections: number): Promise<Held> {
    const child = new Child(
      this.#command("hold", { port, connections }),
      { stdin: "piped", stdout: "piped" },
    );
    try {
      return new Held(child, connsReport(parse(await child.line())));
    } catch (error) {
      await child[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #run(command: string, flags: Fields): Promise<Fields> {
    return parse(await run(this.#command(command, flags)));
  }

  #command(command: string, flags: Fields): string[] {
    const all = { ...flags, sources: this.sources };
    return [this.path, command, ...Object.entries(all).map(([key, value]) => `-${key}=${value}`)];
  }
}

/** Sessions that stand until this is disposed of. */
export class Held implements AsyncDisposable {
  constructor(readonly child: Child, readonly report: ConnsReport) {}

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.code === undefined) await this.child.closeStdin();
    await this.child.ended();
  }
}

/** The backend process, and a connection on which it is asked about itself. */
export class Backend implements AsyncDisposable {
  readonly #buffer = new Uint8Array(256);

  private constructor(
    readonly child: Child,
    readonly port: number,
    readonly control: Deno.TcpConn,
  ) {}

  static async start(path: string): Promise<Backend> {
    const child = new Child([path, "backend"], { stdout: "piped" });
    try {
      const port = numberOf(parse(await child.line()), "port");
      return new Backend(child, port, await Deno.connect({ hostname: "127.0.0.1", port }));
    } catch (error) {
      await child[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Sessions that stand, probes not counted. */
  async sessions(): Promise<number> {
    return numberOf(await this.#ask("Q"), "sessions");
  }

  /** Waits until so many sessions stand. */
  async untilSessions(count: number): Promise<void> {
    await waitFor(
      `${count} sessions at the backend`,
      async () => await this.sessions() === count,
    );
  }

  /** Lets its echo thread run ahead of all else, or no longer; says whether that was allowed. */
  async runAhead(on: boolean): Promise<boolean> {
    return (await this.#ask(on ? "R" : "N")).done === true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.control.close();
    await this.child[Symbol.asyncDispose]();
  }

  async #ask(command: string): Promise<Fields> {
    await this.control.write(new TextEncoder().encode(command));
    const n = await this.control.read(this.#buffer);
    if (n === null) throw new Error(`The backend has ended: ${this.child.stderr.trim()}`);
    return parse(new TextDecoder().decode(this.#buffer.subarray(0, n)));
  }
}

function connsReport(fields: Fields): ConnsReport {
  return {
    done: numberOf(fields, "done"),
    failed: numberOf(fields, "failed"),
    reason: String(fields.reason ?? ""),
    seconds: numberOf(fields, "seconds"),
    cpuSeconds: numberOf(fields, "cpuSeconds"),
  };
}

function parse(line: string): Fields {
  const value: unknown = JSON.parse(line);
  if (typeof value === "object" && value !== null) return { ...value };
  throw new Error(`Cannot read "${line}": expected an object of JSON`);
}

function numberOf(fields: Fields, key: string): number {
  const value = fields[key];
  if (typeof value === "number") return value;
  throw new Error(`Cannot read "${key}" in ${JSON.stringify(fields)}: expected a number`);
}
