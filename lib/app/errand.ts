// Runs commands of the site's that are to do something: each within its time, none while an earlier one that
// could not be killed goes on.

import { describeUnkillable, runCommand, type Told } from "../asking/run_command.ts";
import type { Clock } from "../core/timing/clock.ts";
import { withDeadline } from "../core/timing/with_deadline.ts";
import { formatDuration } from "../core/values/duration.ts";
import { failure, type Result } from "../core/values/result.ts";

export class Errand {
  readonly #clock: Clock;
  readonly #stop: AbortSignal;
  /** One that goes on although it was killed. */
  #unkillable: number | undefined;

  /** @param stop ends a command that runs. */
  constructor(clock: Clock, stop: AbortSignal) {
    this.#clock = clock;
    this.#stop = stop;
  }

  /** Runs a command to its end; the reason of a failure is for an administrator. */
  async run(command: readonly string[], told: Told, timeoutMs: number): Promise<Result<string>> {
    if (this.#unkillable !== undefined) return failure(describeUnkillable(this.#unkillable));
    const goesOn = (pid: number, ended: Promise<unknown>) => {
      this.#unkillable = pid;
      ended.finally(() => this.#unkillable = undefined);
    };
    return await withDeadline(
      this.#clock,
      timeoutMs,
      (signal) => runCommand(command, signal, this.#clock, goesOn, { ...told, isErrand: true }),
      this.#stop,
      () => new Error(`it took more than ${formatDuration(timeoutMs)} and was killed`),
    );
  }
}
