// Runs commands of the site's that are to do something, each within its time.

import { CommandRunner, type Told } from "../asking/run_command.ts";
import type { Clock } from "../core/timing/clock.ts";
import { withDeadline } from "../core/timing/with_deadline.ts";
import { formatDuration } from "../core/values/duration.ts";
import type { Result } from "../core/values/result.ts";

export class Errand {
  readonly #clock: Clock;
  readonly #stop: AbortSignal;
  readonly #runner: CommandRunner;

  /** @param stop ends a command that runs. */
  constructor(clock: Clock, stop: AbortSignal) {
    this.#clock = clock;
    this.#stop = stop;
    this.#runner = new CommandRunner(clock);
  }

  /** Runs a command to its end; the reason of a failure is for an administrator. */
  async run(command: readonly string[], told: Told, timeoutMs: number): Promise<Result<string>> {
    return await withDeadline(
      this.#clock,
      timeoutMs,
      (signal) => this.#runner.run(command, signal, { ...told, isErrand: true }),
      this.#stop,
      () => new Error(`it took more than ${formatDuration(timeoutMs)} and was killed`),
    );
  }
}
