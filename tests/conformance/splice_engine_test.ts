import { makeSpliceEngine } from "../support/splice_engine.ts";
import { engineConformance } from "./engine_cases.ts";

engineConformance("splice", () => makeSpliceEngine());
