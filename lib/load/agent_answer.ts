// Reads what an agent answers in HAProxy's agent-check protocol (configuration.txt, "agent-check"), as
// HAProxy 2.6 was seen to take it, and the load that compute-lb's own agent puts behind the sharp, where
// HAProxy looks for nothing. Pure.
//
//   75% ready maxconn:30
//   down #disk full
//   87% ready #load1=1.04 cores=8 idle=0.873 memory_available_bytes=7516192768

import { type AgentAdvice, MAX_SHARE } from "../core/pool/agent_advice.ts";
import { FIGURES, type FoundFigures, type LoadSample } from "../core/pool/load.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { oneLine } from "../asking/reason.ts";

/** What one line says. */
export interface AgentAnswer {
  readonly advice: AgentAdvice;
  /** Present when the line carries a load average. */
  readonly load?: Omit<LoadSample, "takenAtMs">;
}

const ADMIN_WORDS = ["ready", "drain", "maint"] as const;
const HEALTH_WORDS = ["up", "down", "fail", "stopped"] as const;
/** What the table of a pool can hold. */
const MOST_CONNECTIONS = 0x7fff_ffff;
const LONGEST_DESCRIPTION = 120;

/**
 * Reads one answer, without the CR or LF that ends it: words between spaces, tabs and commas, in any
 * case and order, the last one of a category counting, up to a sharp with a description. A percentage
 * has whole numbers only and may be above 100; "maxconn:0" is no limit. Words that mean nothing are
 * passed over, but a line of nothing else is rejected. Unlike HAProxy, a sharp may stand right behind
 * a word.
 */
export function parseAgentAnswer(line: string): Result<AgentAnswer> {
  const sharp = line.indexOf("#");
  const words = (sharp === -1 ? line : line.slice(0, sharp)).split(/[ \t,]+/)
    .filter((word) => word !== "");
  let advice: AgentAdvice = {};
  let unknown: string | undefined;
  for (const word of words) {
    const said = readWord(word.toLowerCase());
    if (said === undefined) unknown ??= oneLine(word, 40);
    else advice = { ...advice, ...said };
  }
  if (unknown !== undefined && Object.keys(advice).length === 0) {
    return failure(
      `Cannot read "${oneLine(line, 60)}": expected words such as 75%, ready, drain, up or down`,
    );
  }
  const { load, description } = readBehindSharp(sharp === -1 ? "" : line.slice(sharp + 1));
  return success({
    advice: {
      ...advice,
      ...(description === "" ? {} : { description }),
      ...(unknown === undefined ? {} : { unknown }),
    },
    ...(load === undefined ? {} : { load }),
  });
}

function readWord(word: string): AgentAdvice | undefined {
  const percentage = /^(\d+)%$/.exec(word)?.[1];
  if (percentage !== undefined) return { share: Math.min(MAX_SHARE, Number(percentage) / 100) };
  const limit = /^maxconn:(\d+)$/.exec(word)?.[1];
  if (limit !== undefined) return { maxConnections: Math.min(MOST_CONNECTIONS, Number(limit)) };
  const admin = ADMIN_WORDS.find((known) => known === word);
  if (admin !== undefined) return { admin };
  const health = HEALTH_WORDS.find((known) => known === word);
  return health === undefined ? undefined : { health };
}

/** Figures by name, and what is left for people: figures count only before the first other word. */
function readBehindSharp(
  text: string,
): { load: Omit<LoadSample, "takenAtMs"> | undefined; description: string } {
  const figures = new Map<string, number>();
  let rest = text.trim();
  for (;;) {
    const match = /^([a-z][a-z0-9_]*)=(\d{1,15}(?:\.\d{1,9})?)(?=\s|$)\s*/.exec(rest);
    if (match === null) break;
    figures.set(match[1] ?? "", Number(match[2]));
    rest = rest.slice(match[0].length);
  }
  return { load: loadIn(figures), description: oneLine(rest, LONGEST_DESCRIPTION) };
}

function loadIn(figures: ReadonlyMap<string, number>): Omit<LoadSample, "takenAtMs"> | undefined {
  const found: FoundFigures = {};
  for (const { name, as, lowest, highest } of FIGURES) {
    const value = figures.get(name);
    if (value !== undefined && value >= lowest && value <= highest) found[as] = value;
  }
  const { load1 } = found;
  return load1 === undefined ? undefined : { ...found, load1 };
}
