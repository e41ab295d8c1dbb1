import { assert, assertEquals } from "@std/assert";
import {
  type Condition,
  parseCondition,
  type ScaleFigures,
} from "../../../../lib/core/scaling/condition.ts";
import { type Direction, Scaler, type ScaleRules } from "../../../../lib/core/scaling/scaler.ts";
import { Chance } from "../../../support/chance.ts";

function when(text: string): Condition {
  const read = parseCondition(text);
  assert(read.ok);
  return read.value;
}

const RULES: ScaleRules = {
  upWhen: when("free < 4"),
  downWhen: when("free > 20"),
  min: 1,
  max: 10,
  forMs: 60_000,
  cooldownMs: 300_000,
};

/** A pool at a number of seconds, observed each second. */
class Site {
  readonly runs: string[] = [];
  seconds = 0;
  figures: ScaleFigures = {
    backends: 4,
    usable: 4,
    cores: 64,
    free: [10, 10],
    sessions: 0,
    usableSessions: 0,
    queued: 0,
  };

  constructor(readonly scaler: Scaler, readonly ran: (direction: Direction) => void = () => {}) {}

  /** Lets time pass; a command ends at once. */
  pass(seconds: number, figures: Partial<ScaleFigures> = {}): this {
    this.figures = { ...this.figures, ...figures };
    for (let left = seconds; left > 0; left--) {
      this.seconds++;
      const direction = this.scaler.observe(this.figures, this.seconds * 1000);
      if (direction === undefined) continue;
      this.runs.push(`${direction} at ${this.seconds}`);
      this.ran(direction);
      this.scaler.ended(this.seconds * 1000);
    }
    return this;
  }
}

Deno.test("a condition must have held all the time", () => {
  const site = new Site(new Scaler(RULES));
  site.pass(59, { free: [3, 3] }).pass(1, { free: [4, 4] }).pass(60, { free: [3, 3] });
  assertEquals(site.runs, []);
  assertEquals(site.pass(1).runs, ["up at 121"]);
});

Deno.test("behind a command is a rest, and the condition must hold anew", () => {
  const site = new Site(new Scaler(RULES), () => {
    site.figures = { ...site.figures, backends: site.figures.backends + 1 };
  });
  // While it rests, the condition may begin to hold.
  site.pass(61 + 1000, { free: [0, 0] });
  assertEquals(site.runs, ["up at 61", "up at 361", "up at 661", "up at 961"]);
});

Deno.test("while a command runs, there is no other", () => {
  const scaler = new Scaler(RULES);
  const free = [0, 0] as const;
  const { figures } = new Site(scaler);
  const observed = Array.from(
    { length: 1000 },
    (_, at) => scaler.observe({ ...figures, free }, at * 1000),
  );
  assertEquals(observed.filter((direction) => direction !== undefined), ["up"]);
  assertEquals([scaler.running, scaler.last?.startedMs], ["up", 60_000]);
});

Deno.test("the rest doubles up to an hour while commands have no effect", () => {
  const site = new Site(new Scaler(RULES));
  site.pass(15_000, { free: [0, 0] });
  const times = site.runs.map((run) => Number(run.split(" ").at(-1)));
  const rests = times.slice(1).map((at, index) => at - (times[index] ?? 0));
  assertEquals(rests, [300, 600, 1200, 2400, 3600, 3600]);
  // The last has one, late: the rest that has begun goes on, the one behind it is short again.
  site.pass(3600, { backends: 5, free: [10, 10] }).pass(61 + 300, { free: [0, 0] });
  assertEquals(site.runs.slice(7).map((run) => Number(run.split(" ").at(-1)) - 18_600), [61, 361]);
});

Deno.test("nothing is run while it is unknown whether it should", () => {
  const site = new Site(new Scaler({ ...RULES, downWhen: when("sessions < 5") }));
  const { free: _, ...unknown } = site.figures;
  site.figures = unknown;
  assertEquals(site.pass(1000).runs, []);
  // That more are not needed must be known.
  assertEquals(site.pass(61, { free: [10, 10] }).runs, ["down at 1061"]);
});

Deno.test("where both hold, there are not to be fewer", () => {
  const rules = { ...RULES, downWhen: when("free < 4"), max: 4 };
  assertEquals(new Site(new Scaler(rules)).pass(1000, { free: [0, 0] }).runs, []);
});

Deno.test("there are never more than max commands up, nor fewer backends than min", () => {
  const up = new Site(new Scaler(RULES));
  assertEquals(up.pass(1000, { backends: 10, free: [0, 0] }).runs, []);
  const down = new Site(new Scaler(RULES));
  assertEquals(down.pass(1000, { backends: 1, free: [30, 30] }).runs, []);
});

Deno.test("100 cycles of a site's load keep the bounds, the rests and the direction", () => {
  const chance = new Chance(7);
  const commands: { readonly direction: Direction; readonly at: number }[] = [];
  const site = new Site(new Scaler(RULES), (direction) => {
    const { backends } = site.figures;
    commands.push({ direction, at: site.seconds });
    // One command in four fails.
    if (chance.next() < 0.25) return;
    const now = backends + (direction === "up" ? 1 : -1);
    site.figures = { ...site.figures, backends: now, usable: now, cores: 16 * now };
  });
  let most = 0;
  let least = Infinity;
  for (let cycle = 0; cycle < 100; cycle++) {
    for (const demand of [20, 150]) {
      // Hours of little and of much work, with noise from second to second.
      for (let second = 0; second < 9000; second++) {
        const free = Math.max(0, site.figures.cores - demand - 6 * chance.next());
        site.pass(1, { free: [free, free] });
        most = Math.max(most, site.figures.backends);
        least = Math.min(least, site.figures.backends);
      }
    }
  }
  assertEquals([least, most], [2, 10]);
  for (const [index, { at }] of commands.entries()) {
    const before = commands[index - 1];
    if (before !== undefined) assert(at - before.at >= 300, `${at} follows ${before.at}`);
  }
  // Up and down in turn: each cycle turns twice, however the load is in between.
  const turns = commands.filter(({ direction }, at) => direction !== commands[at - 1]?.direction);
  assertEquals(turns.length, 200);
});
