import { PortableEngine } from "../../lib/engine/portable/portable_engine.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { engineConformance } from "./engine_cases.ts";

engineConformance(
  "portable",
  () => new PortableEngine({ clock: SYSTEM_CLOCK, random: Math.random, bufferBytes: 65_536 }),
);
