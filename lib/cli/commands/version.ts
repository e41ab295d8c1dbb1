// `compute-lb version`.

import { success } from "../../core/values/result.ts";
import { VERSION } from "../../version.ts";
import { command } from "../command.ts";
import { EXIT_OK } from "../exit_code.ts";
import { print } from "../output.ts";

export const version = command({
  name: "version",
  summary: "print the version",
  usage: "version",
  text: "Prints the name and the version of the program.\n",
  flags: [],
  examples: ["version", "--version"],
  read: () => success({}),
  run: () => {
    print(`compute-lb ${VERSION}\n`);
    return EXIT_OK;
  },
});
