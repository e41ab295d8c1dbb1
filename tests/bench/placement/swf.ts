// Reads logs of parallel machines in the Standard Workload Format, version 2 (Feitelson, Parallel
// Workloads Archive): lines of 18 numbers, one a job, -1 where something is unknown; `;` begins comments.

import { failure, type Result, success } from "../../../lib/core/values/result.ts";

/** The fields of a line by their order. */
const FIELDS = [
  "job number",
  "submit time",
  "wait time",
  "run time",
  "allocated processors",
  "average CPU time",
  "used memory",
  "requested processors",
  "requested time",
  "requested memory",
  "status",
  "user",
  "group",
  "executable",
  "queue",
  "partition",
  "preceding job",
  "think time",
] as const;

export interface LoggedJob {
  /** Seconds from the log's start. */
  readonly submitted: number;
  /** How long it ran; above 0. */
  readonly seconds: number;
  /** Above 0. */
  readonly processors: number;
  /** Undefined: unknown. */
  readonly user: number | undefined;
}

export interface Log {
  /** In the order in which they were submitted. */
  readonly jobs: readonly LoggedJob[];
  /** Jobs left out because this is unknown or 0 of them; of two the first counts. */
  readonly without: {
    readonly submitTime: number;
    readonly runTime: number;
    readonly processors: number;
  };
}

/** Reads a log from a file, as it is or compressed by gzip. */
export async function readSwf(path: string): Promise<Result<Log>> {
  try {
    const bytes = await Deno.readFile(path);
    const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
    const stream = new Blob([bytes]).stream();
    const plain = isGzip ? stream.pipeThrough(new DecompressionStream("gzip")) : stream;
    return parseSwf(await new Response(plain).text(), path);
  } catch (error) {
    return failure(`Cannot read ${path}: ${error instanceof Error ? error.message : error}`);
  }
}

/**
 * Reads a log.
 * @param name what messages call it.
 * @returns the jobs, or the first thing that is wrong: where, what was found, what was expected.
 */
export function parseSwf(text: string, name: string): Result<Log> {
  const jobs: LoggedJob[] = [];
  const without = { submitTime: 0, runTime: 0, processors: 0 };
  for (const [index, line] of text.split("\n").entries()) {
    const words = line.trim();
    if (words === "" || words.startsWith(";")) continue;
    const at = `${name}:${index + 1}`;
    const found = words.split(/\s+/);
    if (found.length !== FIELDS.length) {
      return failure(
        `${at}: found ${found.length} fields, expected the ${FIELDS.length} of the Standard Workload Format`,
      );
    }
    const numbers = found.map(Number);
    const wrong = numbers.findIndex((value, field) =>
      !Number.isFinite(value) || value < -1 || (isWhole(field) && !Number.isInteger(value))
    );
    if (wrong >= 0) {
      return failure(
        `${at}: field ${wrong + 1} (${FIELDS[wrong]}): found ${JSON.stringify(found[wrong])}, ` +
          `expected a ${
            isWhole(wrong) ? "whole " : ""
          }number, 0 or more, or -1 where it is unknown`,
      );
    }
    const [, submitted = -1, , seconds = -1, processors = -1] = numbers;
    const user = numbers[FIELDS.indexOf("user")] ?? -1;
    if (submitted < 0) without.submitTime++;
    else if (seconds <= 0) without.runTime++;
    else if (processors <= 0) without.processors++;
    else jobs.push({ submitted, seconds, processors, user: user < 0 ? undefined : user });
  }
  if (jobs.length === 0) {
    return failure(`${name}: found no job that ran, expected a log in Standard Workload Format`);
  }
  return success({ jobs: jobs.sort((a, b) => a.submitted - b.submitted), without });
}

function isWhole(field: number): boolean {
  return FIELDS[field] === "allocated processors" || FIELDS[field] === "user";
}
