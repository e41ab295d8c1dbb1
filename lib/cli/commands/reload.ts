// `compute-lb reload`: has the running balancer read its configuration again.

import { command } from "../command.ts";
import { JSON_FLAG, SOCKET_FLAGS } from "../command.ts";
import { readOrder } from "../order_flags.ts";

export const reload = command({
  name: "reload",
  summary: "have the running balancer read its configuration again",
  usage: "reload [flags]",
  text: `\
As a HUP does, and says what came of it: what has changed, and which orders of
administrators stand beside it. A file with errors changes nothing. Ends with 0
when the configuration was taken in, with 2 when it has errors, with 1 when it
was refused for another reason. "check --diff" says what would change.
`,
  flags: [...SOCKET_FLAGS, JSON_FLAG],
  examples: ["reload"],
  read: (given) => readOrder(given),
  run: async (options) => await (await import("../reload.ts")).reload(options),
});
