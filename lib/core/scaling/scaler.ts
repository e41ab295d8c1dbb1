// When a pool is scaled, and which way: conditions that have held for long enough, one command at a time, a
// rest behind each, between a least and a most number of backends. Pure: it is told figures and times.

import { type Condition, holds, type ScaleFigures } from "./condition.ts";

export type Direction = "up" | "down";
const DIRECTIONS = ["up", "down"] as const;

export interface ScaleRules {
  /** Absent: never. */
  readonly upWhen?: Condition;
  readonly downWhen?: Condition;
  /** With so many backends there is no command to have fewer, or more. */
  readonly min: number;
  readonly max: number;
  /** How long a condition must have held. */
  readonly forMs: number;
  /** From the end of a command to the next, and the time doubles with each that has had no effect. */
  readonly cooldownMs: number;
}

/** The longest rest, unless the cooldown itself is longer. */
const LONGEST_REST_MS = 3_600_000;

/** A command that has been ordered. */
export interface LastRun {
  readonly direction: Direction;
  readonly startedMs: number;
  /** Backends that there were. */
  readonly backends: number;
}

export class Scaler {
  #rules: ScaleRules;
  /** Since when each condition holds; absent: it does not. */
  readonly #since = new Map<Direction, number>();
  #running: Direction | undefined;
  #last: LastRun | undefined;
  #restsUntilMs = -Infinity;
  /** Commands in one direction since the number of backends last went that way. */
  #fruitless = 0;

  constructor(rules: ScaleRules) {
    this.#rules = rules;
  }

  /** What is under way, and how long a condition has held, goes on. */
  setRules(rules: ScaleRules): void {
    this.#rules = rules;
  }

  get running(): Direction | undefined {
    return this.#running;
  }

  get last(): LastRun | undefined {
    return this.#last;
  }

  /** When the rest behind the last command ends. */
  get restsUntilMs(): number {
    return this.#restsUntilMs;
  }

  /** Since when the condition of a direction holds; undefined: it does not, or nobody knows. */
  sinceMs(direction: Direction): number | undefined {
    return this.#since.get(direction);
  }

  /**
   * Takes in how the pool is. Wants a call every second or so.
   * @returns which way a command is to scale now; it counts as running then, until `ended`.
   */
  observe(figures: ScaleFigures, nowMs: number): Direction | undefined {
    const { upWhen, downWhen, min, max, forMs } = this.#rules;
    const { backends } = figures;
    const last = this.#last;
    if (last !== undefined) {
      const gained = backends - last.backends;
      if (last.direction === "up" ? gained > 0 : gained < 0) this.#fruitless = 0;
    }
    const up = upWhen === undefined ? false : holds(upWhen, figures);
    const down = downWhen === undefined ? false : holds(downWhen, figures);
    this.#note("up", up === true, nowMs);
    // Where both hold, or it cannot be told that more are not needed, there are not to be fewer.
    this.#note("down", down === true && up === false, nowMs);
    if (this.#running !== undefined || nowMs < this.#restsUntilMs) return undefined;
    const due = DIRECTIONS.find((direction) => {
      const since = this.#since.get(direction);
      const isAllowed = direction === "up" ? backends < max : backends > min;
      return isAllowed && since !== undefined && nowMs - since >= forMs;
    });
    if (due === undefined) return undefined;
    this.#fruitless = due === last?.direction ? this.#fruitless + 1 : 1;
    this.#running = due;
    this.#last = { direction: due, startedMs: nowMs, backends };
    return due;
  }

  /** The command has ended, well or not: what it has done shows in the number of backends. */
  ended(nowMs: number): void {
    const { cooldownMs } = this.#rules;
    const doubled = cooldownMs * 2 ** Math.min(20, Math.max(0, this.#fruitless - 1));
    this.#running = undefined;
    this.#restsUntilMs = nowMs + Math.min(doubled, Math.max(cooldownMs, LONGEST_REST_MS));
    // What the pool is like from now on counts.
    this.#since.clear();
  }

  #note(direction: Direction, isTrue: boolean, nowMs: number): void {
    if (!isTrue) this.#since.delete(direction);
    else if (!this.#since.has(direction)) this.#since.set(direction, nowMs);
  }
}
