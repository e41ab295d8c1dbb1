// What a recording says of the servers, told to a Measure: it happens whatever the placement.

import { isUsable, type PoolLine } from "../record_format.ts";
import { Measure, type Measures } from "./measure.ts";
import type { LearntLoad } from "./outside_load.ts";
import type { RecordedPool, ReplayEvent } from "./recording.ts";

/** Measures the course that was recorded. */
export function measureRecorded(pool: RecordedPool, learnt: LearntLoad): Measures {
  const measure = new Measure(learnt.sessionCost);
  const course = new Course(measure, learnt);
  for (const event of pool.events) {
    course.take(event);
    if (event.kind === "arrival") measure.place(event.session.backend);
    else if (event.kind === "end") measure.hold(event.session.backend, -1);
  }
  return measure.finish();
}

/** Tells a measure everything but where sessions are. */
export class Course {
  #next = 0;

  constructor(readonly measure: Measure, readonly learnt: LearntLoad) {}

  take(event: ReplayEvent): void {
    const { measure } = this;
    const { outside } = this.learnt;
    if (event.kind === "reset") measure.reset(event.t, event.line.interval);
    if (event.kind === "reset" || event.kind === "pool") {
      measure.advance(event.t);
      this.#servers(event.line, event.kind === "reset");
    }
    for (let span = outside[this.#next]; span && span.t <= event.t; span = outside[this.#next]) {
      measure.advance(span.t);
      measure.setOutside(span.backend, span.tasks);
      this.#next++;
    }
    measure.advance(event.t);
    if (event.kind === "backend") {
      measure.setServer(event.line.backend, event.line.cores, isUsable(event.line));
    } else if (event.kind === "old_end") measure.hold(event.backend, -1);
  }

  #servers(line: PoolLine, isReset: boolean): void {
    this.measure.retireOthers(new Set(line.backends.map(({ backend }) => backend)));
    for (const state of line.backends) {
      this.measure.setServer(state.backend, state.cores, isUsable(state));
      if (isReset) this.measure.hold(state.backend, state.active);
    }
  }
}
