// `compute-lb completion`: what a shell completes.

import { success } from "../../core/values/result.ts";
import { command, LIVE, shown } from "../command.ts";
import { completionScript, SHELLS } from "../completion.ts";
import { EXIT_OK } from "../exit_code.ts";
import { print } from "../output.ts";

export const completion = command({
  name: "completion",
  summary: "print a completion script for bash, zsh or fish",
  usage: "completion SHELL|NAMES",
  text: `\
Prints a script that lets the shell complete commands, flags and topics.
install.sh installs it for all three shells. For one session of bash:
  eval "$(compute-lb completion bash)"
The script asks the running balancer for names: "completion backends" prints
them, one a line, or nothing when no balancer runs.
`,
  flags: [],
  positionals: () => SHELLS,
  examples: SHELLS.map((shell) => `completion ${shell}`),
  read: ({ positionals: [name = "", ...rest] }) => {
    const what = [...SHELLS, ...LIVE].find((known) => known === name);
    if (what !== undefined && rest.length === 0) return success({ what });
    const found = name === "" ? "nothing" : `"${shown([name, ...rest].join(" "))}"`;
    const message = `Cannot complete for ${found}: expected one of ${SHELLS.join(", ")}`;
    return { ok: false, message };
  },
  run: async ({ what }, { commands }) => {
    const live = LIVE.find((known) => known === what);
    const shell = SHELLS.find((known) => known === what);
    if (shell !== undefined) print(completionScript(shell, commands));
    else if (live !== undefined) await (await import("../live_names.ts")).printLiveNames(live);
    return EXIT_OK;
  },
});
