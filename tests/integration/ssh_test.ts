// The acceptance test on the program as it stands in the source tree, on each engine.

import { sshAcceptance } from "./ssh_acceptance.ts";

for (const engine of ["splice", "portable"]) {
  const options = () => Promise.resolve({ flags: ["--engine", engine] });
  sshAcceptance({ name: `from source, ${engine} engine`, options });
}
