// `compute-lb echo`: a service to test a balancer with.

import { success } from "../../core/values/result.ts";
import { command, splitList } from "../command.ts";

export const echo = command({
  name: "echo",
  summary: "a test service that sends back what it gets",
  usage: "echo ADDR...",
  text: "Listens on every address and sends back what it gets: a backend to test with.\n",
  flags: [],
  positionals: () => [],
  examples: ["echo :7001 :7002", "echo 127.0.0.1:0"],
  read: ({ positionals }) => {
    const addresses = positionals.flatMap(splitList);
    if (addresses.length > 0) return success({ addresses });
    const message = 'Cannot echo nowhere: expected an address, such as ":7000"';
    return { ok: false, message };
  },
  run: async ({ addresses }) => await (await import("../echo.ts")).echo(addresses),
});
