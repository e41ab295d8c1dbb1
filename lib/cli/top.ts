// `compute-lb top`: asks the running balancer again and again and shows its backends, sorted.

import { isStatusReport, type StatusReport } from "../admin/report.ts";
import { SYSTEM_CLOCK } from "../host/clock.ts";
import { drawReport, findAnswer, NO_STATUS_REPORT } from "./ask_balancer.ts";
import { EXIT_FAILURE, EXIT_OK } from "./exit_code.ts";
import { type ScreenSize, showLive } from "./live_screen.ts";
import { colourful, complain, print } from "./output.ts";
import type { PlacesCommand } from "./status_places.ts";
import { drawTop, TopChoice } from "./top_view.ts";

export interface TopCommand extends PlacesCommand {
  readonly intervalMs: number;
  /** How many pictures are printed where stdout is no terminal; absent: no end. */
  readonly count?: number;
}

export async function top(command: TopCommand): Promise<number> {
  const view = new TopPictures(command);
  // A balancer that is not there is said on the terminal as it was.
  const first = await view.ask();
  if (first !== undefined) {
    complain(first);
    return EXIT_FAILURE;
  }
  if (Deno.stdout.isTerminal()) {
    const stop = new AbortController();
    const picture = {
      draw: (size: ScreenSize) => view.next(size),
      pressed: (key: string) => view.choice.pressed(key),
    };
    await showLive(picture, command.intervalMs, stop.signal);
    return EXIT_OK;
  }
  const never = new AbortController().signal;
  for (let left = command.count ?? Infinity; left > 0; left--) {
    print(`${(await view.next()).join("\n")}\n\n`);
    if (left > 1) await SYSTEM_CLOCK.sleep(command.intervalMs, never);
  }
  return EXIT_OK;
}

/** The reports as they come, and the pictures of them. */
class TopPictures {
  readonly choice = new TopChoice();
  readonly #command: TopCommand;
  #report: StatusReport | undefined;
  #before: StatusReport | undefined;

  constructor(command: TopCommand) {
    this.#command = command;
  }

  /** Asks for the next report. @returns why there is none. */
  async ask(): Promise<string | undefined> {
    const answer = await findAnswer(this.#command, "top", "/v1/status");
    if (!answer.ok) return answer.message;
    const { report } = answer;
    if (!isStatusReport(report)) return NO_STATUS_REPORT;
    const isFirst = this.#report === undefined;
    // A key draws anew, too: too soon after the last report to tell what comes in a second.
    const isSoon = !isFirst &&
      Date.parse(report.now) - Date.parse(this.#report?.now ?? "") < SOON_MS;
    if (!isSoon) this.#before = this.#report;
    this.#report = report;
    return undefined;
  }

  /** The next picture. */
  async next(size?: ScreenSize): Promise<readonly string[]> {
    const trouble = await this.ask();
    const report = this.#report;
    if (trouble !== undefined || report === undefined) {
      return (trouble ?? NO_STATUS_REPORT).split("\n");
    }
    const draw = () => drawTop(report, this.#before, this.choice, colourful(), size);
    return drawReport(draw) ?? [NO_STATUS_REPORT];
  }
}

/** Nothing can be said of a second by so short a time. */
const SOON_MS = 500;
