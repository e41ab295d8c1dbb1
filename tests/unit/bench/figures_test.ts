// Which figures there are, what is aimed at, and how a ratio is judged.

import { assert, assertEquals } from "@std/assert";
import {
  COMPARED,
  describeTarget,
  type Figure,
  FIGURES,
  judge,
  Measurements,
} from "../../bench/data_plane/figures.ts";

function figure(id: string): Figure {
  const found = FIGURES.find((each) => each.id === id);
  assert(found !== undefined, `there is no figure ${id}`);
  return found;
}

/** Measurements of a figure in which we and HAProxy had these rounds. */
function rounds(id: string, ours: readonly number[], haproxy: readonly number[]): Measurements {
  const measured = new Measurements();
  for (const [round, value] of ours.entries()) measured.record(id, "splice", round, value);
  for (const [round, value] of haproxy.entries()) measured.record(id, "haproxy", round, value);
  return measured;
}

Deno.test("every figure has a name of its own and targets above 0", () => {
  assertEquals(new Set(FIGURES.map(({ id }) => id)).size, FIGURES.length);
  assertEquals(new Set(FIGURES.map(({ title }) => title)).size, FIGURES.length);
  for (const { id, targets } of FIGURES) {
    for (const target of Object.values(targets)) assert(target > 0, id);
  }
});

// What guards cost is only reported.
const RATED = COMPARED.filter((name) => name !== "guarded");

Deno.test("a figure with targets has one for every rival of the table's ratio columns", () => {
  // User time is aimed at whoever does the same work, log included.
  const userTime = /^connection_user/;
  for (const { id, targets } of FIGURES.filter(({ id }) => !userTime.test(id))) {
    const named = RATED.filter((rival) => targets[rival] !== undefined);
    assert(named.length === 0 || named.length === RATED.length, id);
  }
});

Deno.test("more is better for rates: a target is met from it on upwards", () => {
  const rate = figure("connections.64");
  const met = judge(rate, "splice", "haproxy", rounds(rate.id, [105, 210], [100, 200]));
  assertEquals(met, { ratio: 1.05, target: 1.05, met: true });
  const missed = judge(rate, "splice", "haproxy", rounds(rate.id, [104], [100]));
  assertEquals(missed, { ratio: 1.04, target: 1.05, met: false });
  assertEquals(describeTarget(rate, 1.05), ">= 1.05");
});

Deno.test("less is better for costs: a target is met from it on downwards", () => {
  const cost = figure("memory");
  const met = judge(cost, "splice", "haproxy", rounds(cost.id, [300], [1_000]));
  assertEquals(met, { ratio: 0.3, target: 0.3, met: true });
  const missed = judge(cost, "splice", "haproxy", rounds(cost.id, [301], [1_000]));
  assertEquals(missed?.met, false);
  assertEquals(describeTarget(cost, 0.3), "<= 0.3");
});

Deno.test("a figure without a target is told, not judged", () => {
  const startup = figure("startup");
  const judged = judge(startup, "splice", "haproxy", rounds("startup", [80], [40]));
  assertEquals(judged, { ratio: 2 });
});

Deno.test("what was not measured, and ourselves, have no ratio", () => {
  const rate = figure("connections.1");
  const measured = rounds(rate.id, [1], [1]);
  assertEquals(judge(rate, "splice", "go", measured), undefined);
  assertEquals(judge(rate, "portable", "portable", measured), undefined);
  assertEquals(judge(figure("memory"), "splice", "haproxy", measured), undefined);
});

Deno.test("a round that failed leaves a gap and does not move the others", () => {
  const measured = new Measurements();
  measured.record("startup", "go", 2, 5);
  measured.record("startup", "go", 0, 3);
  assertEquals(measured.rounds("startup", "go"), [3, undefined, 5]);
  assertEquals(measured.spread("startup", "go"), { median: 4, min: 3, max: 5 });
  assertEquals(measured.rounds("startup", "nginx"), []);
});
