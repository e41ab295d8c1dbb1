// What runs on the backend for the load source "ssh", and how its answers are read. Pure.

import { MAX_CORES } from "../core/backend.ts";
import { failure, type Result, success } from "../core/result.ts";
import { parseLoadavg } from "./loadavg.ts";

/** Starts every answer, so that whatever else the login shell prints is told apart. */
const MARK = "compute-lb-load";

/**
 * Answers each line of its stdin, a number, with a line of the same number, the core count, MemAvailable
 * in KiB and /proc/loadavg. Only builtins in the loop: no process per sample. Ends with its stdin.
 *
 * getconf rather than nproc, which takes OMP_NUM_THREADS for the truth.
 */
const SCRIPT = [
  "n=$(getconf _NPROCESSORS_ONLN 2>/dev/null || OMP_NUM_THREADS= OMP_THREAD_LIMIT= nproc)",
  "while read -r t",
  "do l=; read -r l </proc/loadavg",
  "m=; while read -r k v u",
  "do case $k in MemAvailable:) m=$v; break;; esac",
  "done </proc/meminfo",
  `echo "${MARK} $t \${n:-0} \${m:-0} $l"`,
  "done",
].join("; ").replaceAll("do; ", "do ");

/**
 * The command for ssh. The backend's login shell reads it first, and that may be csh or fish: single
 * quotes around a text without quotes, backslashes, "!" and newlines mean the same to all of them.
 */
export const REMOTE_COMMAND = `exec /bin/sh -c '${SCRIPT}'`;

/** One answer of the remote loop. */
export interface RemoteAnswer {
  /** The number of the probe that it answers. */
  readonly probe: number;
  /** What it says, or why that is of no use. */
  readonly reading: Result<RemoteReading>;
}

export interface RemoteReading {
  readonly load1: number;
  readonly cores?: number;
  readonly memoryAvailableBytes?: number;
}

/** Reads a line of ssh's stdout; undefined when it is no answer but noise of the login shell. */
export function parseRemoteLine(line: string): RemoteAnswer | undefined {
  // A greeting without a newline may stand before it.
  const match = /compute-lb-load (\d{1,15}) (\d{1,6}) (\d{1,15})(?: (.*))?$/.exec(line.trimEnd());
  if (match === null) return undefined;
  const [, probe, coresText, memoryText, loadavg = ""] = match;
  const load1 = parseLoadavg(loadavg);
  if (!load1.ok) {
    const reading = loadavg === ""
      ? failure<RemoteReading>("the backend has no /proc/loadavg")
      : failure<RemoteReading>(load1.message);
    return { probe: Number(probe), reading };
  }
  const [cores, memoryKiB] = [Number(coresText), Number(memoryText)];
  return {
    probe: Number(probe),
    reading: success({
      load1: load1.value,
      ...(cores >= 1 && cores <= MAX_CORES ? { cores } : {}),
      ...(memoryKiB > 0 ? { memoryAvailableBytes: memoryKiB * 1024 } : {}),
    }),
  };
}
