// Reads what the plugin check_load prints (monitoring-plugins 2.x, with and without -r), and learns the
// core count from the scaled load that -r adds. Pure.
//
//   LOAD OK - total load average: 0.34, 0.72, 0.53|load1=0.340;15.000;30.000;0; load5=...
//   LOAD OK - scaled load average: 0.17, ... - total load average: 0.34, ...|load1=0.340;;;0;
//     scaled_load1=0.170;0.150;0.300;0; ...

import { MAX_CORES } from "../core/pool/backend.ts";
import { MOST_LOAD } from "../core/pool/load.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { oneLine } from "../asking/reason.ts";

export interface CheckLoadReading {
  /** The load average of the last minute, over all cores. */
  readonly load1: number;
  /** What the core count can be, when the plugin printed the scaled load too. */
  readonly cores?: CoresRange;
}

/** The core counts that fit what was printed, both ends included. */
export interface CoresRange {
  readonly lowest: number;
  readonly highest: number;
}

// A decimal comma cannot be mistaken in these forms: fields end with ";" or white space, and in the
// sentence a space follows the comma that separates.
const NUMBER = String.raw`(\d{1,9}(?:[.,]\d{1,9})?)`;
const PERFORMANCE_LOAD1 = new RegExp(String.raw`(?:^|[|\s])'?load1'?=${NUMBER}(?=[;\s]|$)`);
const PERFORMANCE_SCALED = new RegExp(String.raw`(?:^|[|\s])'?scaled_load1'?=${NUMBER}(?=[;\s]|$)`);
const SENTENCE = new RegExp(
  String.raw`(?<!scaled )load average: ${NUMBER}, +${NUMBER}, +${NUMBER}(?![\d.,]*\d)`,
);

/**
 * Finds the load, whatever state the check is in: a CRITICAL check carries it as well. Takes the
 * performance data, else the sentence. Rejects a load per CPU, as nagios-plugins' own -r prints: it
 * says nothing of the total.
 */
export function parseCheckLoad(text: string): Result<CheckLoadReading> {
  const reading = readCheckLoad(text);
  return reading.ok && reading.value.load1 > MOST_LOAD
    ? failure(`Cannot use ${reading.value.load1} as a load: expected up to ${MOST_LOAD}`)
    : reading;
}

function readCheckLoad(text: string): Result<CheckLoadReading> {
  if (/load average per CPU/i.test(text)) {
    return failure("check_load gives the load per CPU: take -r out of its command line");
  }
  const load1 = PERFORMANCE_LOAD1.exec(text)?.[1];
  if (load1 !== undefined) {
    const scaled = PERFORMANCE_SCALED.exec(text)?.[1];
    const cores = scaled === undefined ? undefined : coresFromScaled(toNumber(load1), scaled);
    return success({ load1: toNumber(load1), ...(cores === undefined ? {} : { cores }) });
  }
  const sentence = SENTENCE.exec(text)?.[1];
  if (sentence !== undefined) return success({ load1: toNumber(sentence) });
  return failure(`Cannot find a load in "${oneLine(text, 120)}": expected "load1=..."`);
}

function toNumber(text: string): number {
  return Number(text.replace(",", "."));
}

/**
 * Tells which core counts fit a load and the load per core as printed, which is rounded to its last
 * digit; undefined when none does.
 */
export function coresFromScaled(load1: number, scaledText: string): CoresRange | undefined {
  const decimals = /[.,](\d+)$/.exec(scaledText)?.[1]?.length ?? 0;
  const scaled = toNumber(scaledText);
  // The last term makes room for what binary fractions lose at the edges.
  const half = 0.5 * 10 ** -decimals + 1e-9;
  const lowest = Math.max(1, Math.ceil(load1 / (scaled + half)));
  const highest = scaled > half ? Math.floor(load1 / (scaled - half)) : MAX_CORES;
  return lowest <= Math.min(highest, MAX_CORES)
    ? { lowest, highest: Math.min(highest, MAX_CORES) }
    : undefined;
}

/** Narrows the core count of one backend down over its samples; low loads leave it open for a while. */
export class CoresEstimate {
  #range: CoresRange | undefined;

  /** The core count, once only one fits. */
  get cores(): number | undefined {
    const range = this.#range;
    return range !== undefined && range.lowest === range.highest ? range.lowest : undefined;
  }

  /** Takes one more observation in. One that contradicts those before it replaces them. */
  observe(range: CoresRange): void {
    const lowest = Math.max(this.#range?.lowest ?? 1, range.lowest);
    const highest = Math.min(this.#range?.highest ?? MAX_CORES, range.highest);
    this.#range = lowest <= highest ? { lowest, highest } : range;
  }
}
