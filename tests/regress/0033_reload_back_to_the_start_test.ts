// A reload that took a change of the engine back warned that the engine "has changed" and wants a restart;
// and the faults of a refused file were logged with their carets, all on one line.

import { assertEquals } from "@std/assert";
import { Balancer } from "../support/balancer.ts";

Deno.test("a reload warns of what the process does not run with, and of nothing else", async () => {
  const config = (rest: object) =>
    JSON.stringify({
      frontends: { f: { listen: "127.0.0.1:0" } },
      pools: { p: { backends: ["127.0.0.1:1"], load: { source: "none" } } },
      ...rest,
    });
  await using balancer = await Balancer.start({ config: config({}) });
  const messages = () => balancer.log.map(({ message }) => String(message));
  const warnings = () => messages().filter((text) => text.includes("takes effect at the next"));
  await balancer.reload(config({ engine: { workers: 1 } }));
  await balancer.reload(config({ engine: { workers: 1 } }));
  // The first one tells it with what it has changed.
  assertEquals(warnings().length, 1, messages().join("\n"));
  await balancer.reload(config({}));
  assertEquals(warnings().length, 1, messages().join("\n"));
  const refused = await balancer.reload('{ "frontend": {}, "pools": 1 }');
  assertEquals(
    String(refused.message).replaceAll(balancer.configFile, "F"),
    'reload refused, nothing has changed: F:1:3: Unknown key "frontend": did you mean ' +
      '"frontends"?; F:1:28: pools: Cannot read "1" here: expected names, each with its own keys',
  );
});
