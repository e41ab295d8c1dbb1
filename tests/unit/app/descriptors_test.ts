import { assert, assertEquals } from "@std/assert";
import { descriptorNeed } from "../../../lib/app/descriptors.ts";
import { readConfig } from "../../../lib/config/read_config.ts";

Deno.test("descriptorNeed() counts sockets of sessions, pipes of stalled ones, and the rest", () => {
  const text = `
    frontends:
      a: { listen: ["127.0.0.1:1", "127.0.0.1:2"], max_connections: 1000 }
      b: { listen: "127.0.0.1:3", max_connections: 500 }
      unlimited: { listen: "127.0.0.1:4", max_connections: 0 }
    pools:
      p: { backends: ["h1:22", "h2:22"] }
  `;
  const read = readConfig({ file: { path: "lb.conf", text } });
  assert(read.ok);
  const rest = 4 + 2 * 6 + 100;
  assertEquals(descriptorNeed(read.config, "portable", 4), {
    sessions: 1500,
    least: 3000 + rest,
    most: 3000 + rest,
  });
  assertEquals(descriptorNeed(read.config, "splice", 4), {
    sessions: 1500,
    least: 3000 + rest + 4 * 8,
    most: 9000 + rest + 4 * 8,
  });
});
