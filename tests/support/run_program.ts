// Runs programs to their end, and directories that vanish with the test.

import { DEADLINE_MS } from "./wait_for.ts";

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, killed at the deadline of all tests. */
export async function runProgram(
  command: readonly string[],
  options: { env?: Record<string, string>; clearEnv?: boolean; cwd?: string } = {},
): Promise<Outcome> {
  const { code, stdout, stderr } = await new Deno.Command(command[0] ?? "", {
    ...options,
    args: command.slice(1),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(DEADLINE_MS * 3),
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/**
 * Runs a program that must succeed.
 * @returns what it wrote to stdout.
 * @throws with its stderr when it fails.
 */
export async function mustRun(...command: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(command);
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${stderr.trim()}`);
  return stdout;
}

/** Kills a child unless it has ended, and waits for its end. */
export async function endNow(child: Deno.ChildProcess): Promise<void> {
  try {
    child.kill("SIGKILL");
  } catch {
    // It has ended by itself.
  }
  await child.status;
}

/** The names in a directory, in order. */
export async function entries(directory: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name).sort();
}

/** A directory that is removed with all it holds. */
export class TemporaryDirectory implements AsyncDisposable {
  readonly path = Deno.makeTempDirSync({ prefix: "compute-lb-test-" });

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}
