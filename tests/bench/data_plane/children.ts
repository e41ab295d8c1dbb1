// Child processes of a bench: each has an owner, keeps the end of what it says, and none outlives the
// bench, however that ends.

import { descendantsOf, signal } from "../../support/processes.ts";

/** As much of a child's stderr as a message about its end may need, in characters. */
const TAIL = 4_000;

/** How long a child may take to end before it is killed. */
const GRACE_MS = 2_000;

const running = new Set<Child>();
/** Set once everything is to end: nothing starts any more. */
let ending = false;

export interface ChildOptions {
  readonly stdin?: "piped" | "null";
  readonly stdout?: "piped" | "null";
  readonly env?: Readonly<Record<string, string>>;
}

/** A running program. Disposing of it ends it: TERM, then KILL. */
export class Child implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #reader: Promise<void>;
  #stderr = "";
  #code: number | undefined;

  constructor(command: readonly string[], options: ChildOptions = {}) {
    if (ending) throw new Error("Cannot start a program: the bench is being ended");
    const [program = "", ...args] = command;
    this.#child = new Deno.Command(program, {
      args,
      env: { NO_COLOR: "1", ...options.env },
      stdin: options.stdin ?? "null",
      stdout: options.stdout ?? "null",
      stderr: "piped",
    }).spawn();
    running.add(this);
    this.#reader = this.#read();
    this.#child.status.then(({ code }) => {
      this.#code = code;
      running.delete(this);
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The exit code once it has ended. */
  get code(): number | undefined {
    return this.#code;
  }

  /** The last that it wrote to stderr. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Waits for its end. */
  async ended(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#reader;
    return code;
  }

  /** The next line of its stdout. */
  async line(): Promise<string> {
    const reader = this.#child.stdout.getReader();
    const decoder = new TextDecoder();
    let text = "";
    while (!text.includes("\n")) {
      const { value, done } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
    }
    reader.releaseLock();
    if (!text.includes("\n")) throw new Error(`It has ended: ${this.stderr.trim()}`);
    return text.slice(0, text.indexOf("\n"));
  }

  async closeStdin(): Promise<void> {
    await this.#child.stdin.close();
  }

  kill(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // nginx's workers would outlive a master that is killed.
    const below = await descendantsOf(this.pid);
    this.kill("SIGTERM");
    const timer = setTimeout(() => {
      this.kill("SIGKILL");
      for (const pid of below) signal(pid, "SIGKILL");
    }, GRACE_MS);
    await this.ended();
    clearTimeout(timer);
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#child.stderr) {
      this.#stderr = (this.#stderr + decoder.decode(chunk, { stream: true })).slice(-TAIL);
    }
  }
}

/** Ends every child that still runs, for good. */
export async function endAll(): Promise<void> {
  ending = true;
  await Promise.all([...running].map((child) => child[Symbol.asyncDispose]()));
}

/** Runs a program to its end and returns its stdout; throws with its stderr when it fails. */
export async function run(
  command: readonly string[],
  options: { readonly env?: Record<string, string>; readonly cwd?: string } = {},
): Promise<string> {
  const [program = "", ...args] = command;
  const { code, stdout, stderr } = await new Deno.Command(program, {
    ...options,
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  if (code !== 0) {
    throw new Error(`${command.join(" ")} ended with ${code}: ${decoder.decode(stderr).trim()}`);
  }
  return decoder.decode(stdout);
}
