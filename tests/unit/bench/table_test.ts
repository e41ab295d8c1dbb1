// The benches' report: the table's shape, the generator's check, the JSON.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { busyId } from "../../bench/data_plane/cells.ts";
import { Measurements } from "../../bench/data_plane/figures.ts";
import {
  generatorCheck,
  jsonReport,
  markdownTable,
  type Report,
  textTable,
} from "../../bench/data_plane/table.ts";

function sample(): Report {
  const measured = new Measurements();
  const rates = { direct: [30_000, 31_000], splice: [10_000, 12_000], haproxy: [10_000, 10_000] };
  for (const [round] of rates.direct.entries()) {
    measured.record("connections.64", "direct", round, rates.direct[round] ?? 0);
    measured.record("connections.64", "splice", round, rates.splice[round] ?? 0);
    measured.record("connections.64", "haproxy", round, rates.haproxy[round] ?? 0);
    measured.record("connection_cpu.64", "splice", round, 95);
    measured.record("connection_cpu.64", "haproxy", round, 100);
    for (const name of ["direct", "splice", "haproxy"] as const) {
      measured.record(busyId("connections.64", "proxy"), name, round, 1.1);
      measured.record(busyId("connections.64", "backend"), name, round, 0.2);
      const generator = name === "haproxy" ? 0.97 : name === "direct" ? 0.99 : 0.4;
      measured.record(busyId("connections.64", "generator"), name, round, generator);
    }
  }
  return {
    measured,
    groups: ["connections"],
    subjects: ["direct", "splice", "haproxy"],
    rivals: ["haproxy"],
    ours: "splice",
    about: ["a machine"],
    notes: ["a note"],
  };
}

Deno.test("the text table has two lines a figure, aligned under their heads", () => {
  const lines = textTable(sample()).split("\n");
  assertEquals(lines.map((line) => line.trim().split(/\s{2,}/)), [
    ["figure", "direct", "splice", "haproxy", "/ haproxy"],
    [lines[1] ?? ""],
    ["connections/s, 64 at a time", "30.5k", "11.0k", "10.0k", "1.10"],
    ["30.0k..31.0k", "10.0k..12.0k", "10.0k..10.0k", ">= 1.05 met"],
    ["CPU per connection, 64 at a time [us]", "-", "95.0", "100", "0.95"],
    ["95.0..95.0", "100..100", "<= 0.9 MISSED"],
  ]);
  const ends = lines.filter((_, index) => index > 1).map((line) => line.length);
  assertEquals(new Set(ends).size, 1, "the last column ends at one place");
});

Deno.test("the Markdown table has one line a figure and as many cells in each", () => {
  const lines = markdownTable(sample()).split("\n");
  assertEquals(lines, [
    "| figure | direct | splice | haproxy | / haproxy |",
    "| --- | ---: | ---: | ---: | ---: |",
    "| connections/s, 64 at a time | 30.5k (30.0k..31.0k) | 11.0k (10.0k..12.0k) | " +
    "10.0k (10.0k..10.0k) | 1.10 (>= 1.05 met) |",
    "| CPU per connection, 64 at a time [us] | - | 95.0 (95.0..95.0) | 100 (100..100) | " +
    "0.95 (<= 0.9 MISSED) |",
  ]);
});

Deno.test("the check compares the direct connection with the fastest proxy", () => {
  const [first, ...rest] = generatorCheck(sample());
  assertEquals(
    first,
    "connections/s, 64 at a time: without a proxy 30.5k, 2.77 times the fastest proxy's 11.0k (splice)",
  );
  assertEquals(rest.length, 3);
});

Deno.test("a generator at its limit is told of, but not where it is meant to be the limit", () => {
  const lines = generatorCheck(sample());
  const marked = lines.filter((line) => line.includes("at its limit"));
  assertEquals(marked.length, 1);
  assertStringIncludes(marked[0] ?? "", "haproxy");
});

Deno.test("the JSON has every round and every ratio", () => {
  const report: unknown = JSON.parse(jsonReport(sample()));
  assert(typeof report === "object" && report !== null && "figures" in report);
  assert(Array.isArray(report.figures));
  assertEquals(report.figures[0], {
    id: "connections.64",
    title: "connections/s, 64 at a time",
    moreIsBetter: true,
    values: {
      direct: { median: 30_500, min: 30_000, max: 31_000, rounds: [30_000, 31_000] },
      splice: { median: 11_000, min: 10_000, max: 12_000, rounds: [10_000, 12_000] },
      haproxy: { median: 10_000, min: 10_000, max: 10_000, rounds: [10_000, 10_000] },
    },
    ratios: { haproxy: { ratio: 1.1, target: 1.05, met: true } },
  });
});
