// What runs on the backend for the load source "ssh", and how its answers are read. Pure.

import { MAX_CORES } from "../core/pool/backend.ts";
import type { LoadSample } from "../core/pool/load.ts";
import { present } from "../core/values/present.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { parseLoadavg } from "./loadavg.ts";

/** Starts every answer, so that whatever else the login shell prints is told apart. */
const MARK = "compute-lb-load";

/** Every how many samples people are counted: it reads a small file for each of them. */
const COUNT_EVERY = 3;

/**
 * Answers each line of its stdin, a number, with one line:
 *
 *     MARK number cores MemAvailable loadavg... total=MemTotal cpu=avg10 mem=avg10 people=count nologin=1
 *
 * Memory is in KiB; 0 or nothing stands for what the backend does not know. Only builtins in the loop:
 * no process per sample. Ends with its stdin.
 *
 * Cores by getconf rather than nproc, which takes OMP_NUM_THREADS for the truth. Pressure is missing
 * before Linux 4.20 and where it is switched off (some kernels show the files and refuse to read them).
 * People are sessions of logind of class user that are not closing, without the one that this runs in;
 * without logind, what who says. They are counted at every third sample. While nologin(5) keeps people out,
 * the answer says so.
 */
const SCRIPT = [
  "n=$(getconf _NPROCESSORS_ONLN 2>/dev/null || OMP_NUM_THREADS= OMP_THREAD_LIMIT= nproc)",
  "i=0; s=; while read -r t",
  "do l=; read -r l </proc/loadavg",
  "m=; a=; while read -r k v u",
  "do case $k in MemTotal:) a=$v;; MemAvailable:) m=$v; break;; esac",
  "done </proc/meminfo",
  "c=; p=; { read -r k c u </proc/pressure/cpu; read -r k p u </proc/pressure/memory; } 2>/dev/null",
  "if [ $i = 0 ]",
  "then if [ -d /run/systemd/sessions ]",
  "then s=0; for f in /run/systemd/sessions/*",
  "do case $f in */$XDG_SESSION_ID) continue;; esac",
  // Beside each session's file stands a FIFO.
  "if [ -f $f ]",
  "then { while read -r k",
  "do case $k in STATE=closing) break;; CLASS=user*) s=$((s+1)); break;; esac",
  "done <$f; } 2>/dev/null",
  "fi",
  "done",
  "elif [ -r /var/run/utmp ]",
  "then s=$(who 2>/dev/null | grep -c .)",
  "fi",
  "fi",
  `i=$(((i+1)%${COUNT_EVERY}))`,
  "x=; if [ -e /etc/nologin ] || [ -e /run/nologin ]; then x=1; fi",
  `echo "${MARK} $t \${n:-0} \${m:-0} $l total=$a cpu=\${c#avg10=} mem=\${p#avg10=} people=$s nologin=$x"`,
  "done",
].join("; ");

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
  /** Whether nologin(5) keeps people out. */
  readonly isClosed: boolean;
}

export type RemoteReading = Omit<LoadSample, "takenAtMs" | "instant">;

const ANSWER = new RegExp(
  `${MARK} (\\d{1,15}) (\\d{1,6}) (\\d{1,15})(?: (.*?))??` +
    "(?: total=(\\S*) cpu=(\\S*) mem=(\\S*) people=(\\S*)(?: nologin=(\\S*))?)?$",
);

/** Reads a line of ssh's stdout; undefined when it is no answer but noise of the login shell. */
export function parseRemoteLine(line: string): RemoteAnswer | undefined {
  // A greeting without a newline may stand before it.
  const match = ANSWER.exec(line.trimEnd());
  if (match === null) return undefined;
  const [, probe, cores, available, loadavg = "", total, cpu, memory, people, closed] = match;
  const isClosed = closed === "1";
  const load1 = parseLoadavg(loadavg);
  if (!load1.ok) {
    const reading = loadavg === ""
      ? failure<RemoteReading>("the backend has no /proc/loadavg")
      : failure<RemoteReading>(load1.message);
    return { probe: Number(probe), reading, isClosed };
  }
  const known = {
    cores: positive(cores, MAX_CORES),
    memoryAvailableBytes: kibibytes(available),
    memoryTotalBytes: kibibytes(total),
    cpuPressure: share(cpu),
    memoryPressure: share(memory),
    loginSessions: count(people),
  };
  const reading = success({ load1: load1.value, ...present(known) });
  return { probe: Number(probe), reading, isClosed };
}

function positive(text: string | undefined, most: number): number | undefined {
  const value = count(text);
  return value !== undefined && value > 0 && value <= most ? value : undefined;
}

function kibibytes(text: string | undefined): number | undefined {
  const value = positive(text, Number.MAX_SAFE_INTEGER / 1024);
  return value === undefined ? undefined : value * 1024;
}

function count(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** A percentage as /proc/pressure has it, "12.34", as a share. */
function share(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,3}\.\d{2}$/.test(text)) return undefined;
  return Math.min(1, Math.round(Number(text) * 100) / 10_000);
}
