// What every engine must do, as cases that run on each. A skip needs a reason.

import type { Engine } from "../../lib/engine/engine.ts";
import { ADMISSION_CASES } from "./admission_cases.ts";
import { BURST_CASES } from "./burst_cases.ts";
import { DECISION_CASES } from "./decision_cases.ts";
import { EngineFixture } from "./engine_fixture.ts";
import { LOCATION_CASES } from "./location_cases.ts";
import { PLACING_CASES } from "./placing_cases.ts";
import { PROXY_PROTOCOL_CASES } from "./proxy_protocol_cases.ts";
import { QUEUE_CASES } from "./queue_cases.ts";
import { REFUSAL_CASES } from "./refusal_cases.ts";
import { RELAY_CASES } from "./relay_cases.ts";
import { RUNNING_CASES } from "./running_cases.ts";
import { SESSION_CASES } from "./session_cases.ts";
import { STRATEGY_CASES } from "./strategy_cases.ts";
import { TOKEN_CASES } from "./token_cases.ts";
import { URGENT_CASES } from "./urgent_cases.ts";

export interface EngineCase {
  readonly name: string;
  run(fixture: EngineFixture): Promise<void>;
}

/** Registers every case for one kind of engine. */
export function engineConformance(
  engineName: string,
  makeEngine: () => Engine | Promise<Engine>,
): void {
  const cases = [
    ...RELAY_CASES,
    ...URGENT_CASES,
    ...PLACING_CASES,
    ...DECISION_CASES,
    ...STRATEGY_CASES,
    ...BURST_CASES,
    ...LOCATION_CASES,
    ...PROXY_PROTOCOL_CASES,
    ...REFUSAL_CASES,
    ...ADMISSION_CASES,
    ...RUNNING_CASES,
    ...SESSION_CASES,
    ...QUEUE_CASES,
    ...TOKEN_CASES,
  ];
  for (const { name, run } of cases) {
    Deno.test(`${engineName} engine: ${name}`, async () => {
      await using fixture = new EngineFixture(await makeEngine());
      await run(fixture);
    });
  }
}
