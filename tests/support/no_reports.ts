// What a balancer tells of itself and lets be ordered, for tests of the admin socket: nothing, unless the test
// says what.

import type { Balancer } from "../../lib/admin/routes.ts";

const unasked = () => {
  throw new Error("nobody asks");
};

export const NO_REPORTS: Balancer = {
  status: unasked,
  why: unasked,
  metrics: unasked,
  sessions: unasked,
  reloads: { reload: unasked, preview: unasked },
  orders: {
    backend: unasked,
    patchBackend: unasked,
    addBackend: unasked,
    removeBackend: unasked,
    kill: unasked,
    deny: unasked,
    undeny: unasked,
    frontendTag: () => undefined,
  },
};
