// `compute-lb man`: the manual page.

import { success } from "../../core/values/result.ts";
import { command } from "../command.ts";
import { EXIT_OK } from "../exit_code.ts";
import { wholeManual } from "../manual.ts";
import { manualPage } from "../manual_page.ts";
import { print } from "../output.ts";

export const man = command({
  name: "man",
  summary: "print the manual page, for man(1)",
  usage: "man",
  text: `\
Prints all of this manual as one page for man(1): every command and every topic.
install.sh installs it.
`,
  flags: [],
  examples: ["man"],
  read: () => success({}),
  run: async (_, { commands }) => {
    print(await manualPage(commands, await wholeManual()));
    return EXIT_OK;
  },
});
