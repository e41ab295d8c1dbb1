// Splice engines for tests.

import { SpliceEngine, type SpliceEngineOptions } from "../../lib/engine/splice/splice_engine.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";

export const WORKER_URL = new URL("../../lib/engine/splice/worker.ts", import.meta.url);
export const FAULTY_WORKER_URL = new URL("./faulty_worker.ts", import.meta.url);
export const PIPELESS_WORKER_URL = new URL("./pipeless_worker.ts", import.meta.url);
export const KEEPALIVE = { idleSeconds: 110, intervalSeconds: 30, count: 3, userTimeoutMs: 0 };

/** Makes an engine of two workers; what should never happen throws. */
export function makeSpliceEngine(options: Partial<SpliceEngineOptions> = {}): SpliceEngine {
  return new SpliceEngine({
    workerUrl: WORKER_URL,
    workers: 2,
    capacity: 4096,
    clock: SYSTEM_CLOCK,
    keepalive: KEEPALIVE,
    onWorkerLost: (loss) => {
      throw new Error(`Worker ${loss.worker} died: ${loss.message}`);
    },
    onFatal: (message) => {
      throw new Error(message);
    },
    ...options,
  });
}
