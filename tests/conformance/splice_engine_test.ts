import { SpliceEngine } from "../../lib/engine/splice/splice_engine.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { engineConformance } from "./engine_cases.ts";

engineConformance(
  "splice",
  () =>
    new SpliceEngine({
      workerUrl: new URL("../../lib/engine/splice/worker.ts", import.meta.url),
      workers: 2,
      capacity: 4096,
      clock: SYSTEM_CLOCK,
      keepalive: { idleSeconds: 110, intervalSeconds: 30, count: 3, userTimeoutMs: 0 },
      onWorkerLost: (loss) => {
        throw new Error(`Worker ${loss.worker} died: ${loss.message}`);
      },
      onFatal: (message) => {
        throw new Error(message);
      },
    }),
);
