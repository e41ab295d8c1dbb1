// Builds ./compute-lb, one file: `deno task compile`. With denort at hand it is what `deno compile`
// makes, else a self-extracting file of the same program. Nothing is put in place that has not
// answered --version.

import { messageOf } from "../core/values/errors.ts";
import { VERSION } from "../version.ts";
import { findDenort } from "./denort.ts";
import { bundle, packSelfExtracting } from "./self_extracting.ts";
import { V8_FLAGS } from "./v8_flags.ts";

const ROOT = new URL("../../", import.meta.url);

const USAGE = `usage: deno task compile [--output PATH] [--mode auto|elf|self-extracting]

  --output PATH   where to write the program (./compute-lb)
  --mode MODE     elf: by deno compile, which needs denort
                  self-extracting: a shell header, this deno and the bundled program
                  auto: elf if denort is at hand, else self-extracting`;

type Mode = "auto" | "elf" | "self-extracting";

interface Options {
  readonly output: string;
  readonly mode: Mode;
}

function parseOptions(args: readonly string[]): Options | string {
  let output = decodeURIComponent(new URL("compute-lb", ROOT).pathname);
  let mode: Mode = "auto";
  const rest = args.flatMap((arg) => /^--[a-z]+=/.test(arg) ? splitOnce(arg) : [arg]);
  for (let index = 0; index < rest.length; index += 2) {
    const name = rest[index] ?? "";
    const value = rest[index + 1];
    if (name !== "--output" && name !== "--mode") return `Unknown option "${name}"`;
    if (value === undefined || value === "") return `Option ${name} needs a value`;
    if (name === "--output") output = value;
    else if (value === "auto" || value === "elf" || value === "self-extracting") mode = value;
    else return `Cannot read "${value}" as a mode: expected auto, elf or self-extracting`;
  }
  return { output, mode };
}

function splitOnce(arg: string): [string, string] {
  const at = arg.indexOf("=");
  return [arg.slice(0, at), arg.slice(at + 1)];
}

/** Runs a built file and throws unless it is our program in this version. */
async function verify(path: string): Promise<void> {
  // Beside the file rather than in /tmp, where programs may not be run (noexec).
  const runtime = await Deno.makeTempDir({ dir: parentOf(path), prefix: ".compute-lb-verify-" });
  try {
    const { stdout } = await new Deno.Command(path, {
      args: ["--version"],
      env: { CLB_RUNTIME_DIR: runtime },
      stdin: "null",
      stderr: "inherit",
      signal: AbortSignal.timeout(60_000),
    }).output();
    const answer = new TextDecoder().decode(stdout).split("\n")[0] ?? "";
    if (answer !== `compute-lb ${VERSION}`) {
      throw new Error(
        `Cannot use the file that was built: --version says "${answer}", ` +
          `expected "compute-lb ${VERSION}"`,
      );
    }
  } finally {
    await Deno.remove(runtime, { recursive: true });
  }
}

async function buildElf(path: string): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    cwd: ROOT,
    // main.ts is its own worker, so nothing is included besides its imports.
    // No code cache: it would lie in /tmp, where another user could have put it for root to run.
    args: ["compile", "--quiet", "--allow-all", "--no-check", "--exclude-unused-npm"]
      .concat("--no-code-cache")
      .concat(`--v8-flags=${V8_FLAGS}`, "--output", path, "main.ts"),
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error('Cannot compile "main.ts": deno compile failed');
}

async function buildSelfExtracting(path: string): Promise<void> {
  const script = await bundle(ROOT);
  const deno = await Deno.readFile(Deno.execPath());
  await Deno.writeFile(path, await packSelfExtracting(script, deno));
  await Deno.chmod(path, 0o755);
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(USAGE);
    return 0;
  }
  const options = parseOptions(args);
  if (typeof options === "string") {
    console.error(`${options}\n\n${USAGE}`);
    return 64;
  }
  const parent = await Deno.realPath(parentOf(options.output)).catch(() => undefined);
  const name = options.output.slice(options.output.lastIndexOf("/") + 1);
  if (parent === undefined || name === "") {
    throw new Error(`Cannot write "${options.output}": expected a file in a directory that exists`);
  }
  const output = `${parent}/${name}`;
  // In the same directory, for the rename; verified there, then put in place in one step.
  const draft = `${output}.${Deno.pid}.new`;
  try {
    const form = await build(draft, options.mode);
    await Deno.rename(draft, output);
    const { size } = await Deno.stat(output);
    console.error(`wrote ${output} (${form}, ${(size / 1e6).toFixed(1)} MB)`);
    return 0;
  } finally {
    await Deno.remove(draft).catch(() => {});
  }
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash === -1 ? "." : path.slice(0, slash + 1);
}

async function build(draft: string, mode: Mode): Promise<"elf" | "self-extracting"> {
  if (mode !== "self-extracting") {
    const denort = await findDenort();
    if (denort.found || mode === "elf") {
      console.error(`elf: ${denort.found ? `denort is at hand: ${denort.where}` : denort.reason}`);
      try {
        await buildElf(draft);
        await verify(draft);
        return "elf";
      } catch (error) {
        if (mode === "elf") throw error;
        console.error(`${messageOf(error)}; building a self-extracting file instead`);
      }
    } else {
      console.error(`self-extracting: ${denort.reason}`);
    }
  }
  await buildSelfExtracting(draft);
  await verify(draft);
  return "self-extracting";
}

try {
  Deno.exit(await main(Deno.args));
} catch (error) {
  console.error(messageOf(error));
  Deno.exit(1);
}
