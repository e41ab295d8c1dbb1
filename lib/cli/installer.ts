// Runs the installer that the program carries: the very install.sh of the sources, from a private folder.

import installScript from "../../install.sh" with { type: "text" };
import exampleConfig from "../../lb.conf.example" with { type: "text" };
import { EXIT_FAILURE } from "./exit_code.ts";
import { complain } from "./output.ts";

/**
 * Installs the file that this program is.
 * @param argv flags of install.sh.
 * @param program the packed file; undefined: this program runs from its sources.
 */
export async function runInstaller(
  argv: readonly string[],
  program: string | undefined = packedFile(),
): Promise<number> {
  if (program === undefined) {
    complain(
      "Cannot install from the sources: expected the packed file. Build it (deno task compile), " +
        "then: sudo ./compute-lb install",
    );
    return EXIT_FAILURE;
  }
  // Only this user can look into it, whatever the umask.
  const folder = await Deno.makeTempDir({ prefix: "compute-lb-install-" });
  // INT is for the script too, which tidies up; the folder goes afterwards.
  const ignore = () => {};
  Deno.addSignalListener("SIGINT", ignore);
  try {
    const script = `${folder}/install.sh`;
    await Deno.writeTextFile(script, installScript, { mode: 0o700 });
    await Deno.writeTextFile(`${folder}/lb.conf.example`, exampleConfig);
    const { code } = await new Deno.Command("/bin/sh", {
      args: [script, "--program", program, ...argv],
    }).spawn().status;
    return code;
  } finally {
    Deno.removeSignalListener("SIGINT", ignore);
    await Deno.remove(folder, { recursive: true });
  }
}

/** The file that was started: the header of a packed file says so, an ELF is its own runtime. */
function packedFile(): string | undefined {
  return Deno.env.get("COMPUTE_LB_SELF") ?? (Deno.build.standalone ? Deno.execPath() : undefined);
}
