// `compute-lb simulate --replay`: what other strategies would have made of recorded sessions.

import { compareStrategies } from "../record/replay/compare.ts";
import { readRecording } from "../record/replay/recording.ts";
import { STRATEGY_NAMES, type StrategyName } from "../strategy/registry.ts";
import { messageOf } from "../core/values/errors.ts";
import { failure } from "../core/values/result.ts";
import { EXIT_CONFIG, EXIT_OK } from "./exit_code.ts";
import {
  colourful,
  complain,
  deepPrintable,
  print,
  printWrapped,
  terminalWidth,
} from "./output.ts";
import { renderReplay } from "./simulate_text.ts";

export interface SimulateCommand {
  readonly json: boolean;
  readonly replay: string;
  /** Absent: all of them. */
  readonly strategy?: StrategyName;
}

export async function simulate(command: SimulateCommand): Promise<number> {
  const { replay: file, strategy, json } = command;
  const read = await readFile(file);
  if (!read.ok) {
    const isOther = /^line 1: Cannot (read|begin|replay)/.test(read.message);
    complain(`${file}: ${isOther ? `it is no recording: ${read.message}` : read.message}`);
    return EXIT_CONFIG;
  }
  const strategies = strategy === undefined ? STRATEGY_NAMES : [strategy];
  const report = compareStrategies(file, read.value, strategies);
  // What a file says may be anything.
  if (json) print(JSON.stringify(deepPrintable(report), null, 2) + "\n");
  else printWrapped(renderReplay(report, colourful(), terminalWidth()));
  return EXIT_OK;
}

async function readFile(path: string): ReturnType<typeof readRecording> {
  try {
    // Its end, however it comes, closes the file.
    const { readable } = await Deno.open(path);
    return await readRecording(readable.pipeThrough(new TextDecoderStream()));
  } catch (error) {
    return failure(`Cannot read it: ${messageOf(error)}`);
  }
}
