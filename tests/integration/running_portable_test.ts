import { orderCases } from "./order_cases.ts";
import { runningCases } from "./running_cases.ts";

runningCases("portable");
orderCases("portable");
