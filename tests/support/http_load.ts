// The load source `http`, for tests that look at nothing but the load average.

import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { type HttpOptions, HttpSource } from "../../lib/load/http_json.ts";

/** Asks each backend's root document for its "load1" alone. */
export function httpLoad(more: Partial<HttpOptions> = {}): HttpSource {
  return new HttpSource({
    url: "http://{host}:{port}/",
    fields: {
      load1: "load1",
      cores: "off",
      memory_available_bytes: "off",
      memory_total_bytes: "off",
      cpu_pressure: "off",
      memory_pressure: "off",
      sessions: "off",
    },
    headers: {},
    clock: SYSTEM_CLOCK,
    ...more,
  });
}
