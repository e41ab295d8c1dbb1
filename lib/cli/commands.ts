// The commands, in the order in which help lists them. To add one, write its file and add its line.

import type { Command } from "./command.ts";
import { agent } from "./commands/agent.ts";
import { backend } from "./commands/backend.ts";
import { check } from "./commands/check.ts";
import { completion } from "./commands/completion.ts";
import { demo } from "./commands/demo.ts";
import { deny } from "./commands/deny.ts";
import { disable } from "./commands/disable.ts";
import { drain } from "./commands/drain.ts";
import { echo } from "./commands/echo.ts";
import { enable } from "./commands/enable.ts";
import { gen } from "./commands/gen.ts";
import { grafana } from "./commands/grafana.ts";
import { help } from "./commands/help.ts";
import { install } from "./commands/install.ts";
import { kill } from "./commands/kill.ts";
import { man } from "./commands/man.ts";
import { proxy } from "./commands/proxy.ts";
import { refresh } from "./commands/refresh.ts";
import { reload } from "./commands/reload.ts";
import { run } from "./commands/run.ts";
import { sessions } from "./commands/sessions.ts";
import { simulate } from "./commands/simulate.ts";
import { status } from "./commands/status.ts";
import { top } from "./commands/top.ts";
import { undeny } from "./commands/undeny.ts";
import { version } from "./commands/version.ts";
import { weight } from "./commands/weight.ts";
import { why } from "./commands/why.ts";

/** The first is meant by a command line that names none. */
export const COMMANDS: readonly [Command, ...Command[]] = [
  run,
  check,
  demo,
  status,
  top,
  why,
  sessions,
  kill,
  drain,
  enable,
  disable,
  weight,
  backend,
  deny,
  undeny,
  reload,
  agent,
  simulate,
  gen,
  proxy,
  grafana,
  refresh,
  echo,
  install,
  help,
  man,
  completion,
  version,
];
