// Runs a real log through the simulator: sessions come and work as the log's jobs did, one session a job,
// processors as threads. The pool is made to fit the log, never the log's times to the pool.

import { Chance } from "../../support/chance.ts";
import type { Recorded } from "../../support/simulation/arrivals.ts";
import type { Scenario } from "../../support/simulation/scenario.ts";
import { estimateMean } from "../../support/simulation/statistics.ts";
import { recordedJobs } from "../../support/simulation/workload.ts";
import { excess, OURS, ratio, rivals, ROWS, runScenarios, show, values } from "./compare.ts";
import { pollsEvery } from "./scenarios.ts";
import { line, type Run } from "./sections.ts";
import type { Log, LoggedJob } from "./swf.ts";

export const TRACE_UTILISATIONS = [0.5, 0.7, 0.85] as const;
const HIGHEST_UTILISATION = 0.85;
const POLL_SECONDS = 10;
const DAY_SECONDS = 86_400;

/** A log as a pool's work. */
export interface Trace {
  /** Those that fit on the pool's widest server. */
  readonly jobs: readonly LoggedJob[];
  readonly tooWide: number;
  /** From the first job's arrival to the last one's end. */
  readonly spanSeconds: number;
  /** How many copies of the log come beside each other, each at days of its own. */
  readonly copies: number;
  /** Threads that all copies together keep busy in the mean. */
  readonly meanThreads: number;
}

/**
 * Makes a log the work of a pool like this one. A log that does not keep the pool busy comes several
 * times at once.
 * @param pool cores by server; jobs wider than the widest are left out.
 * @param copies absent: as many as it takes to fill the pool at the highest utilisation.
 * @returns undefined when no job is left.
 */
export function traceOf(
  log: Log,
  pool: readonly number[],
  copies?: number,
): Trace | undefined {
  const widest = Math.max(...pool);
  const jobs = log.jobs.filter(({ processors }) => processors <= widest);
  const [first] = jobs;
  if (first === undefined) return undefined;
  const begin = first.submitted;
  const end = jobs.reduce((last, { submitted, seconds }) => Math.max(last, submitted + seconds), 0);
  const spanSeconds = end - begin;
  const work = jobs.reduce((sum, { processors, seconds }) => sum + processors * seconds, 0);
  const one = work / spanSeconds;
  const total = pool.reduce((sum, cores) => sum + cores, 0);
  const count = copies ?? Math.max(1, Math.ceil(HIGHEST_UTILISATION * total / one));
  return {
    jobs: jobs.map((job) => ({ ...job, submitted: job.submitted - begin })),
    tooWide: log.jobs.length - jobs.length,
    spanSeconds,
    copies: count,
    meanThreads: count * one,
  };
}

/**
 * Servers that a trace keeps busy to this share: those of the pool, the widest first, again and again;
 * the last one only as far as needed.
 */
export function serversFor(
  { meanThreads }: Trace,
  pool: readonly number[],
  utilisation: number,
): number[] {
  const widestFirst = [...pool].sort((a, b) => b - a);
  const servers: number[] = [];
  let left = Math.round(meanThreads / utilisation);
  for (let next = 0; left > 0; next++) {
    const cores = Math.min(left, widestFirst[next % widestFirst.length] ?? left);
    servers.push(cores);
    left -= cores;
  }
  return servers.sort((a, b) => a - b);
}

/** All arrivals of one replication: each copy but the first turned by whole days, differently by seed. */
export function sessionsOf({ jobs, copies, spanSeconds }: Trace, seed: number): {
  readonly recorded: Recorded;
  readonly threads: Int32Array;
  readonly seconds: Float64Array;
} {
  const chance = new Chance(seed, 901);
  const step = spanSeconds > 2 * DAY_SECONDS ? DAY_SECONDS : 1;
  const clients = new Map<string, number>();
  const all = Array.from({ length: copies }, (_, copy) => {
    const turn = copy === 0 ? 0 : step * chance.below(Math.floor(spanSeconds / step));
    return jobs.map(({ submitted, seconds, processors, user }, job) => {
      // Who is not named is somebody else each time.
      const person = `${copy}/${user ?? `job ${job}`}`;
      const client = clients.get(person) ?? clients.size;
      clients.set(person, client);
      return { at: (submitted + turn) % spanSeconds, seconds, processors, client };
    });
  }).flat().sort((a, b) => a.at - b.at);
  return {
    recorded: {
      at: Float64Array.from(all, ({ at }) => at),
      clients: Int32Array.from(all, ({ client }) => client),
    },
    threads: Int32Array.from(all, ({ processors }) => processors),
    seconds: Float64Array.from(all, ({ seconds }) => seconds),
  };
}

/** @param hours what is measured at most, after a first day that is not. */
export function traceScenario(
  trace: Trace,
  cores: readonly number[],
  seed: number,
  hours = Infinity,
): Scenario {
  const { recorded, threads, seconds } = sessionsOf(trace, seed);
  const warmUpSeconds = Math.min(DAY_SECONDS, trace.spanSeconds / 10);
  return {
    cores,
    streams: [{ behaviour: recordedJobs(threads, seconds), rate: 0, recorded }],
    polls: pollsEvery(POLL_SECONDS),
    balancers: 1,
    warmUpSeconds,
    measureSeconds: Math.min(hours * 3600, trace.spanSeconds - warmUpSeconds),
  };
}

/**
 * Prints one table for each utilisation: every strategy's slowdowns, and ours beside it.
 * @param run its cores are those of which pools of any size are made.
 * @param copies absent: as many as fill the pool.
 */
export function printTrace(run: Run, name: string, log: Log, copies?: number): void {
  const { effort, cores: pool, account } = run;
  const { without } = log;
  const trace = traceOf(log, pool, copies);
  const widest = Math.max(...pool);
  console.log(
    `\n${name}: left out: ${without.runTime} jobs without a run time, ${without.processors} without ` +
      `processors, ${without.submitTime} without a submit time, ${
        trace?.tooWide ?? log.jobs.length
      } wider than ${widest} cores`,
  );
  if (trace === undefined) return;
  const days = trace.spanSeconds / DAY_SECONDS;
  console.log(
    `${trace.jobs.length} jobs in ${days.toFixed(1)} days keep ${
      (trace.meanThreads / trace.copies).toFixed(1)
    } cores busy; ${
      trace.copies === 1
        ? "they come once"
        : `they come ${trace.copies} times at once, turned by whole days against each other`
    }`,
  );
  for (const utilisation of TRACE_UTILISATIONS) {
    const cores = serversFor(trace, pool, utilisation);
    const title = `${name}, utilisation ${utilisation}`;
    console.log(`\n${title}, polls every ${POLL_SECONDS} s, servers: ${cores.join(", ")} cores`);
    if (cores.length === 1) {
      console.log("  one server, no choice: lay more copies of the log beside each other");
      continue;
    }
    const outcomes = runScenarios(
      { utilisation, cores },
      (seed) => traceScenario(trace, cores, seed, effort.hours),
      ROWS,
      effort,
    );
    console.log(line(["", "excess slowdown", "p99", "avoidable overload", "ours / theirs"], 20));
    for (const { name: row, label } of ROWS) {
      console.log(line([
        label,
        show(estimateMean(values(outcomes, row, excess)), 3),
        show(estimateMean(values(outcomes, row, ({ p99Slowdown }) => p99Slowdown)), 2),
        show(estimateMean(values(outcomes, row, (one) => one.avoidableOverload)), 4),
        show(ratio(outcomes, OURS.name, row), 3),
      ], 20));
    }
    for (const { name: rival, difference } of rivals(outcomes)) {
      account.note(
        "trace: at or ahead of every rule that a program can follow",
        difference.mean <= 0,
        `${title}: ${rival}: ours less theirs ${show(difference, 4)}` +
          (difference.mean - difference.halfWidth > 0 ? "" : " (not beyond chance)"),
      );
    }
  }
}
