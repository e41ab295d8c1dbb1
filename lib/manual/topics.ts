// The manual, by topics: plain text of at most 80 columns that the program carries. To add a topic, write
// its file and add its lines. The first line of a file is "name: summary"; a line in capitals is a heading;
// a term stands behind two spaces, its definition below it behind six; what stands behind four is shown as
// it is.

import { REMOTE_COMMAND } from "../load/ssh_remote.ts";
import administration from "./administration.txt" with { type: "text" };
import agent from "./agent.txt" with { type: "text" };
import api from "./api.txt" with { type: "text" };
import chain from "./chain.txt" with { type: "text" };
import config from "./config.txt" with { type: "text" };
import discovery from "./discovery.txt" with { type: "text" };
import engines from "./engines.txt" with { type: "text" };
import health from "./health.txt" with { type: "text" };
import install from "./install.txt" with { type: "text" };
import limits from "./limits.txt" with { type: "text" };
import lbtk from "./lbtk.txt" with { type: "text" };
import load from "./load.txt" with { type: "text" };
import location from "./location.txt" with { type: "text" };
import logs from "./logs.txt" with { type: "text" };
import metrics from "./metrics.txt" with { type: "text" };
import placement from "./placement.txt" with { type: "text" };
import proxyProtocol from "./proxy-protocol.txt" with { type: "text" };
import quickstart from "./quickstart.txt" with { type: "text" };
import recording from "./recording.txt" with { type: "text" };
import redis from "./redis.txt" with { type: "text" };
import scale from "./scale.txt" with { type: "text" };
import sshd from "./sshd.txt" with { type: "text" };
import status from "./status.txt" with { type: "text" };
import strategies from "./strategies.txt" with { type: "text" };

export interface Topic {
  readonly name: string;
  /** One line for lists of topics. */
  readonly summary: string;
  /** All of the file, with the first line. */
  readonly text: string;
}

/** In authorized_keys(5) only the quote needs a backslash. */
const FORCED_COMMAND = REMOTE_COMMAND.replaceAll('"', '\\"');

/** The topics, in the order in which help lists them. */
export const TOPICS: readonly Topic[] = [
  quickstart,
  install,
  config,
  strategies,
  placement,
  load.replace("@forced_command@", () => FORCED_COMMAND),
  discovery,
  agent,
  sshd,
  health,
  location,
  proxyProtocol,
  chain,
  status,
  administration,
  scale,
  logs,
  metrics,
  api,
  recording,
  redis,
  lbtk,
  engines,
  limits,
].map((text) => {
  const [, name = "", summary = ""] = /^([a-z-]+): (.*)\n/.exec(text) ?? [];
  return { name, summary, text };
});
