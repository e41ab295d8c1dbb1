// The packed program alone: copied by itself into an empty directory, started by another user with an
// empty environment, held to the same acceptance test.

import { needs } from "../support/needs.ts";
import { compiledBinary } from "../support/compiled_binary.ts";
import { NOBODY } from "../support/site.ts";
import { sshAcceptance } from "./ssh_acceptance.ts";

const { ignore } = needs("root", "setpriv");

sshAcceptance({
  name: "packed, alone, as nobody with an empty environment",
  ignore,
  forNobody: true,
  options: async () => {
    const folder = await Deno.makeTempDir({ prefix: "compute-lb-alone-" });
    await Deno.chmod(folder, 0o755);
    const program = `${folder}/compute-lb`;
    await Deno.copyFile(await compiledBinary(), program);
    await Deno.chmod(program, 0o755);
    // Its cache must go with the folder.
    await Deno.mkdir(`${folder}/tmp`);
    await Deno.chmod(`${folder}/tmp`, 0o1777);
    const user = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
    return {
      program: ["setpriv", ...user, "env", "-i", `TMPDIR=${folder}/tmp`, program],
      workingFolder: folder,
    };
  },
});
