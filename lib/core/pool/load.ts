// What a load source says of a backend, as values.

import type { AgentAdvice } from "./agent_advice.ts";
import { MAX_CORES } from "./backend.ts";

/** One reading of a backend's load. */
export interface LoadSample {
  /** The one-minute load average: mean number of running and waiting tasks, 0 or more. */
  readonly load1: number;
  /** CPU cores, when the source knows. */
  readonly cores?: number;
  /**
   * Whether load1 is no load average but a mean over the last seconds, as an agent's idle CPU is: then
   * nothing is to be rid of a lag.
   */
  readonly instant?: boolean;
  /** MemAvailable in bytes, when the source knows. */
  readonly memoryAvailableBytes?: number;
  /** MemTotal in bytes, when the source knows. */
  readonly memoryTotalBytes?: number;
  /** Share of the last 10 s in which some task waited, 0 to 1 (/proc/pressure, "some avg10"). */
  readonly cpuPressure?: number;
  readonly memoryPressure?: number;
  /** People logged in, when the source knows. */
  readonly loginSessions?: number;
  /** Cores that one more session is expected to take there, when the source says so. */
  readonly sessionCost?: number;
  /** When the reading was taken, by our Clock's now(). */
  readonly takenAtMs: number;
}

/** The highest load average that is taken for one: no Linux has more tasks than 4 million. */
export const MOST_LOAD = 1e7;
const MOST_COUNT = Number.MAX_SAFE_INTEGER;

/** What came of asking: a backend that does not answer is a value, not a throw. */
export type LoadResult =
  /** A load. */
  | { readonly kind: "sample"; readonly sample: LoadSample }
  /** The source vouches for the backend but has no number (exec: ONLINE). */
  | { readonly kind: "online" }
  /** The source says that no session must be sent there (exec: OFFLINE, ssh: nologin). */
  | {
    readonly kind: "offline";
    /** Why; absent: it does not say. */
    readonly reason?: string;
    readonly sample?: LoadSample;
  }
  /** Its agent answered; the sample is absent when the answer has no load of its own. */
  | { readonly kind: "advice"; readonly advice: AgentAdvice; readonly sample?: LoadSample }
  /** The source did not answer, or not in its protocol. */
  | { readonly kind: "failed"; readonly reason: string };

/** What a source tells that got no answer, or none in its protocol. */
export function failed(reason: string): LoadResult & { readonly kind: "failed" } {
  return { kind: "failed", reason };
}

/** The load that a share of idle CPU means, which is what agents give as a percentage most often. */
function loadOfIdleShare(share: number, cores: number, takenAtMs: number): LoadSample {
  return { load1: cores * (1 - Math.min(1, Math.max(0, share))), instant: true, takenAtMs };
}

/** The load that a result carries: a percentage stands for idle CPU where nothing better is said. */
export function sampleIn(
  result: LoadResult,
  cores: number,
  nowMs: number,
): LoadSample | undefined {
  if (result.kind === "sample" || result.kind === "offline") return result.sample;
  if (result.kind !== "advice") return undefined;
  if (result.sample !== undefined) return result.sample;
  // What it said before holds as a weight, but is no load of now.
  const { share } = result.advice;
  return share === undefined ? undefined : loadOfIdleShare(share, cores, nowMs);
}

type Figure = Exclude<keyof LoadSample, "takenAtMs" | "instant" | "sessionCost">;

/** What a sample can tell, by the names that JSON, an agent's line and lb.conf have for it, and how much. */
export const FIGURES = [
  { name: "load1", as: "load1", lowest: 0, highest: MOST_LOAD },
  // The least that can be configured.
  { name: "cores", as: "cores", lowest: 0.001, highest: MAX_CORES },
  { name: "memory_available_bytes", as: "memoryAvailableBytes", lowest: 0, highest: MOST_COUNT },
  { name: "memory_total_bytes", as: "memoryTotalBytes", lowest: 0, highest: MOST_COUNT },
  { name: "cpu_pressure", as: "cpuPressure", lowest: 0, highest: 1 },
  { name: "memory_pressure", as: "memoryPressure", lowest: 0, highest: 1 },
  { name: "sessions", as: "loginSessions", lowest: 0, highest: MOST_COUNT },
] as const satisfies readonly {
  readonly name: string;
  readonly as: Figure;
  readonly lowest: number;
  readonly highest: number;
}[];

export type FigureName = typeof FIGURES[number]["name"];

/** A sample as far as it is known. */
export type FoundFigures = { -readonly [K in Figure]?: LoadSample[K] };
