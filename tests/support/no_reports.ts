// What a balancer tells of itself, for tests of the admin socket: nothing, unless the test says what.

import type { Reports } from "../../lib/admin/routes.ts";

const unasked = () => {
  throw new Error("nobody asks");
};

export const NO_REPORTS: Reports = { status: unasked, why: unasked, metrics: unasked };
