// The acceptance test on the program as it stands in the source tree.

import { sshAcceptance } from "./ssh_acceptance.ts";

sshAcceptance({ name: "from source" });
