// The real program as a child process: $COMPUTE_LB_BIN when set (the packed file), else main.ts by this
// Deno. Its logs are collected, its status asked over its admin socket.

import type { StatusReport } from "../../lib/admin/report.ts";
import { isStatusReport } from "../../lib/admin/report.ts";
import { askAdmin } from "../../lib/admin/client.ts";
import { DEADLINE_MS, waitFor, within } from "./wait_for.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** Program and first arguments that start compute-lb. */
export function programCommand(): string[] {
  const packed = Deno.env.get("COMPUTE_LB_BIN");
  return packed === undefined ? [Deno.execPath(), "run", "-A", MAIN] : [packed];
}

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program to its end. */
export async function runProgram(args: readonly string[], stdin?: string): Promise<Finished> {
  const [program = "", ...first] = programCommand();
  const child = new Deno.Command(program, {
    args: [...first, ...args],
    env: { NO_COLOR: "1" },
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(stdin));
    await writer.close();
  }
  const { code, stdout, stderr } = await within(`the end of ${args.join(" ")}`, child.output());
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

export interface BalancerOptions {
  /** The text of lb.conf; absent: flags alone. */
  readonly config?: string;
  /** The command, with its arguments. @default ["run"] */
  readonly command?: readonly string[];
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Put before the program, such as ["prlimit", …]. */
  readonly prefix?: readonly string[];
  /** Another program and its first arguments. */
  readonly program?: readonly string[];
  /** Where it is started, and what is removed at its end. */
  readonly workingFolder?: string;
}

type LogLine = Readonly<Record<string, unknown>>;

/** A running balancer. Disposing of it kills it if it still runs. */
export class Balancer implements AsyncDisposable {
  readonly folder: string;
  readonly configFile: string;
  readonly adminSocket: string;
  /** Lines of the service log (stderr), parsed. */
  readonly log: LogLine[] = [];
  /** Lines of the access log (stdout), parsed. */
  readonly access: LogLine[] = [];
  /** Lines that are not JSON. */
  readonly noise: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #readers: Promise<unknown>;
  #ended = false;

  private constructor(
    folder: string,
    child: Deno.ChildProcess,
    readonly workingFolder: string | undefined,
  ) {
    this.folder = folder;
    this.configFile = `${folder}/lb.conf`;
    this.adminSocket = `${folder}/admin.sock`;
    this.#child = child;
    this.#readers = Promise.all([
      this.#collect(child.stderr, this.log),
      this.#collect(child.stdout, this.access),
    ]);
  }

  /** Starts it and waits until it says that it is ready. */
  static async start(options: BalancerOptions): Promise<Balancer> {
    const balancer = await Balancer.spawn(options);
    try {
      await waitFor("the balancer to be ready", () => {
        if (balancer.#ended) throw new Error(`it has ended: ${balancer.describe()}`);
        return balancer.log.find((line) => line.event === "ready");
      });
      return balancer;
    } catch (error) {
      await balancer[Symbol.asyncDispose]();
      throw new Error(`${error}\n${balancer.describe()}`);
    }
  }

  /** Starts it without waiting. */
  static async spawn(options: BalancerOptions): Promise<Balancer> {
    const folder = await Deno.makeTempDir({ prefix: "compute-lb-test-" });
    await Deno.chmod(folder, 0o777);
    const configFile = `${folder}/lb.conf`;
    const flags = [
      ...(options.config === undefined ? [] : ["--config", configFile]),
      ...(options.flags ?? []),
      "--admin-socket",
      `${folder}/admin.sock`,
      "--log-format",
      "json",
    ];
    if (options.config !== undefined) await Deno.writeTextFile(configFile, options.config);
    const command = [...options.prefix ?? [], ...options.program ?? programCommand()];
    const [program = "", ...first] = command;
    const child = new Deno.Command(program, {
      args: [...first, ...options.command ?? ["run"], ...flags],
      ...(options.workingFolder === undefined ? {} : { cwd: options.workingFolder }),
      env: { NO_COLOR: "1", ...options.env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const balancer = new Balancer(folder, child, options.workingFolder);
    child.status.then(() => balancer.#ended = true);
    return balancer;
  }

  get pid(): number {
    return this.#child.pid;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Where a frontend listens, from the status report. */
  async port(frontend: string): Promise<number> {
    const report = await this.status();
    const listen = report.frontends.find(({ name }) => name === frontend)?.listen[0] ?? "";
    return Number(listen.slice(listen.lastIndexOf(":") + 1));
  }

  async status(): Promise<StatusReport> {
    const answer = await askAdmin(this.adminSocket, "/v1/status");
    if (!answer.ok) throw new Error(`${answer.message}\n${this.describe()}`);
    if (!isStatusReport(answer.value)) throw new Error("The answer is not a status report");
    return answer.value;
  }

  /** Waits until the status report is as wanted. */
  async until(what: string, wanted: (report: StatusReport) => boolean): Promise<StatusReport> {
    try {
      return await waitFor(what, async () => {
        const report = await this.status();
        return wanted(report) ? report : undefined;
      });
    } catch (error) {
      throw new Error(`${error}\n${this.describe()}`);
    }
  }

  /** Waits for a line of the service log whose message contains the text. */
  async logged(text: string, after = 0): Promise<LogLine> {
    return await waitFor(
      `"${text}" in the log`,
      () => this.log.slice(after).find((line) => String(line.message).includes(text)),
    );
  }

  /** Access records of an event so far. */
  records(event: "opened" | "closed"): LogLine[] {
    return this.access.filter((line) => line.event === event);
  }

  signal(name: Deno.Signal): void {
    this.#child.kill(name);
  }

  /** Writes a new lb.conf and sends HUP; resolves when the log says what came of it. */
  async reload(config: string): Promise<LogLine> {
    const before = this.log.length;
    await Deno.writeTextFile(this.configFile, config);
    this.signal("SIGHUP");
    return await waitFor(
      "the outcome of the reload",
      () =>
        this.log.slice(before).find((line) =>
          line.event === "reloaded" || line.event === "reload_refused"
        ),
    );
  }

  /** Waits for its end and returns the exit status. */
  async end(deadlineMs: number = DEADLINE_MS): Promise<number> {
    const { code } = await within("the balancer's end", this.#child.status, deadlineMs);
    await this.#readers;
    return code;
  }

  describe(): string {
    return [...this.noise, ...this.log.map((line) => JSON.stringify(line))].join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    await this.#readers;
    for (const folder of [this.folder, this.workingFolder]) {
      if (folder !== undefined) await Deno.remove(folder, { recursive: true }).catch(() => {});
    }
  }

  async #collect(stream: ReadableStream<Uint8Array>, into: LogLine[]): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        try {
          const parsed: unknown = JSON.parse(line);
          if (typeof parsed === "object" && parsed !== null) into.push({ ...parsed });
        } catch {
          this.noise.push(line);
        }
      }
    }
    if (rest !== "") this.noise.push(rest);
  }
}
