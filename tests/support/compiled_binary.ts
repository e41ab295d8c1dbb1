// The self-extracting program, built once per state of the sources and kept on disk, so that every
// test (and every later run) starts from the same file.

import { VERSION } from "../../lib/version.ts";
import { type Outcome, runProgram } from "./run_program.ts";

/** What `--version` prints. */
export const ANSWER = `compute-lb ${VERSION}\n`;

const ROOT = new URL("../../", import.meta.url);
const KEEP_MS = 24 * 3_600_000;

let built: Promise<string> | undefined;

/** The path of a self-extracting program made of the sources as they are. */
export function compiledBinary(): Promise<string> {
  return built ??= build();
}

/** Starts the program (or another copy of it) with --version, its cache in `base`. */
export async function answerVersion(base: string, program?: string): Promise<Outcome> {
  const path = program ?? await compiledBinary();
  return await runProgram([path, "--version"], { env: { CLB_RUNTIME_DIR: base } });
}

/** Where builds are kept: only we can write there. */
function cacheDirectory(): string {
  const home = Deno.env.get("HOME");
  return Deno.env.get("XDG_CACHE_HOME") ??
    (home === undefined ? Deno.makeTempDirSync() : `${home}/.cache`);
}

async function build(): Promise<string> {
  const kept = `${cacheDirectory()}/compute-lb-tests`;
  const directory = `${kept}/${await hashOfSources()}`;
  const path = `${directory}/compute-lb`;
  await Deno.mkdir(directory, { recursive: true, mode: 0o755 });
  // Tests run in several processes: one builds, the others wait for it.
  using lock = await Deno.open(`${directory}/lock`, { create: true, write: true });
  await lock.lock(true);
  if (await isFile(path)) return path;
  await removeOld(kept, directory);
  const { code, stderr } = await runProgram(buildCommand(`${path}.new`));
  if (code !== 0) throw new Error(`Cannot build ${path}: ${stderr}`);
  await Deno.rename(`${path}.new`, path);
  return path;
}

/** What builds a self-extracting program at `output`. */
export function buildCommand(output: string): string[] {
  const script = new URL("lib/packing/compile.ts", ROOT).pathname;
  const command = [Deno.execPath(), "run", "-A", script];
  return [...command, "--mode", "self-extracting", "--output", output];
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((found) => found.isFile, () => false);
}

async function removeOld(kept: string, except: string): Promise<void> {
  for await (const { name } of Deno.readDir(kept)) {
    const path = `${kept}/${name}`;
    const { mtime } = await Deno.stat(path).catch(() => ({ mtime: null }));
    if (path === except || mtime === null || Date.now() - mtime.getTime() < KEEP_MS) continue;
    await Deno.remove(path, { recursive: true }).catch(() => {});
  }
}

async function hashOfSources(): Promise<string> {
  const paths = ["deno.json", "deno.lock", "main.ts"];
  const visit = async (folder: string) => {
    for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
      if (isDirectory) await visit(`${folder}${name}/`);
      else paths.push(folder + name);
    }
  };
  await visit("lib/");
  let text = Deno.version.deno;
  for (const path of paths.sort()) {
    const content = await Deno.readFile(new URL(path, ROOT));
    const digest = await crypto.subtle.digest("SHA-256", content);
    text += `\n${path} ${new Uint8Array(digest).toHex()}`;
  }
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex().slice(0, 16);
}
