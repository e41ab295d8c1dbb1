// `compute-lb echo`: a service to test a balancer with.

import { success } from "../../core/values/result.ts";
import { command, DETACH_FLAGS, splitList } from "../command.ts";

export const echo = command({
  name: "echo",
  summary: "a test service that sends back what it gets",
  usage: "echo [flags] ADDR...",
  text: "Listens on every address and sends back what it gets: a backend to test with.\n",
  flags: DETACH_FLAGS,
  positionals: () => [],
  examples: ["echo :7001 :7002", "echo 127.0.0.1:0"],
  read: ({ positionals, switches }) => {
    const addresses = positionals.flatMap(splitList);
    if (addresses.length > 0) return success({ addresses, detach: switches.has("detach") });
    const message = 'Cannot echo nowhere: expected an address, such as ":7000"';
    return { ok: false, message };
  },
  run: async ({ addresses, detach }) => {
    const { runOrDetach } = await import("../background.ts");
    return await runOrDetach(detach, async () => (await import("../echo.ts")).echo(addresses));
  },
});
