// `compute-lb completion`: what a shell completes.

import { success } from "../../core/values/result.ts";
import { command, shown } from "../command.ts";
import { completionScript, SHELLS } from "../completion.ts";
import { EXIT_OK } from "../exit_code.ts";
import { print } from "../output.ts";

export const completion = command({
  name: "completion",
  summary: "print a completion script for bash, zsh or fish",
  usage: "completion SHELL",
  text: `\
Prints a script that lets the shell complete commands, flags and topics.
install.sh installs it for all three shells. For one session of bash:
  eval "$(compute-lb completion bash)"
`,
  flags: [],
  positionals: () => SHELLS,
  examples: SHELLS.map((shell) => `completion ${shell}`),
  read: ({ positionals: [name = "", ...rest] }) => {
    const shell = SHELLS.find((known) => known === name);
    if (shell !== undefined && rest.length === 0) return success({ shell });
    const found = name === "" ? "nothing" : `"${shown([name, ...rest].join(" "))}"`;
    const message = `Cannot complete for ${found}: expected one of ${SHELLS.join(", ")}`;
    return { ok: false, message };
  },
  run: ({ shell }, { commands }) => {
    print(completionScript(shell, commands));
    return EXIT_OK;
  },
});
