import { runningCases } from "./running_cases.ts";

runningCases("portable");
