// Finds denort, the runtime that `deno compile` puts in front of a program. Deno downloads it for
// itself; a build machine without internet has it only if somebody has put it there.

/** What was found, in words for the person who builds. */
export type Denort =
  | { readonly found: true; readonly where: string }
  | { readonly found: false; readonly reason: string };

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

/**
 * Tells whether `deno compile` can work without a download: DENORT_BIN names a denort, or Deno's
 * cache holds the one for this version.
 */
export async function findDenort(): Promise<Denort> {
  const named = Deno.env.get("DENORT_BIN");
  if (named !== undefined && named !== "") {
    if (!await isFile(named)) return { found: false, reason: `DENORT_BIN is no file: ${named}` };
    // deno takes any binary and builds a file with it; built with a deno, the file is a deno.
    if (await answersAsDeno(named)) {
      return { found: false, reason: `DENORT_BIN is deno itself, not denort: ${named}` };
    }
    return { found: true, where: named };
  }
  const cache = await denoDir();
  const path = `${cache}/dl/release/v${Deno.version.deno}/denort-${Deno.build.target}.zip`;
  if (await isFile(path)) return { found: true, where: path };
  return { found: false, reason: "DENORT_BIN is not set and Deno's cache has no denort" };
}

async function answersAsDeno(program: string): Promise<boolean> {
  try {
    const { stdout } = await new Deno.Command(program, {
      args: ["--version"],
      stdin: "null",
      stderr: "null",
      signal: AbortSignal.timeout(10_000),
    }).output();
    return new TextDecoder().decode(stdout).startsWith("deno ");
  } catch {
    return false;
  }
}

async function denoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json"],
    stdin: "null",
    stderr: "null",
  }).output();
  const answer: unknown = JSON.parse(new TextDecoder().decode(stdout));
  const known = typeof answer === "object" && answer !== null && "denoDir" in answer &&
    typeof answer.denoDir === "string";
  return known ? String(answer.denoDir) : "";
}
