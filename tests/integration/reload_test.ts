// `reload` and `check --diff`: what a new file changes, and the orders that stand beside it.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { Balancer, type Finished, runProgram } from "../support/balancer.ts";

const config = (pool: object) =>
  JSON.stringify({
    frontends: { f: { listen: "127.0.0.1:0" } },
    pools: { p: { load: { source: "none" }, health: { probe: "none" }, ...pool } },
  });

const HOSTS = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"];

Deno.test("reload and check --diff say what changes, and which orders stand against it", async () => {
  await using balancer = await Balancer.start({ config: config({ backends: HOSTS }) });
  const file = balancer.configFile;
  const run = (...args: readonly string[]): Promise<Finished> =>
    runProgram([...args, "--admin-socket", balancer.adminSocket]);
  const diff = () => run("check", "--diff", "--config", file);

  assertEquals((await diff()).stdout, `a reload of ${file} would change nothing\n`);
  await run("weight", "127.0.0.1:1", "2", "--reason", "slow disk");
  await run("backend", "remove", "127.0.0.1:2");
  await run("drain", "127.0.0.1:3");
  const changed = config({
    backends: [
      { address: HOSTS[0], weight: 4 },
      HOSTS[1],
      "127.0.0.1:4",
    ],
  });
  await Deno.writeTextFile(file, changed);
  const changes = "pool p: +127.0.0.1:4, -127.0.0.1:3, 127.0.0.1:1 (weight unset -> 4)";
  const plain = (text: string) =>
    text.replace(/: \S+, \d{4}-\S+Z/g, ": SOMEBODY, TIME").trimEnd().split("\n");
  const against = "p: 127.0.0.1:1 has weight 2, the configuration says 4 (1 before): " +
    "SOMEBODY, TIME (slow disk)";
  const { code, stdout } = await diff();
  assertEquals([code, ...plain(stdout)], [
    0,
    `a reload of ${file} would change: ${changes}`,
    `order that stands against it: ${against}`,
    "order that stands: p: 127.0.0.1:2 is out of the pool, though the configuration names it: " +
    "SOMEBODY, TIME",
    "order that stands: p: 127.0.0.1:3 is draining, and the configuration names it no more: " +
    "SOMEBODY, TIME",
  ]);
  // Nothing has changed by asking.
  assertEquals((await balancer.status()).reload.count, 0);

  const reloaded = await run("reload");
  assertEquals([reloaded.code, ...plain(reloaded.stdout)], [
    0,
    `reloaded ${file}: ${changes}`,
    `order that stands against it: ${against}`,
  ]);
  await balancer.logged("an order stands against what");
  const { pools: [pool], reload } = await balancer.status();
  assertEquals(reload.count, 1);
  assertEquals(
    pool?.backends.map(({ id, weight, configuredWeight }) => [id, weight, configuredWeight]),
    [
      ["127.0.0.1:1", 2, 4],
      ["127.0.0.1:4", 1, 1],
    ],
  );
  assertEquals(pool?.removed.map(({ id }) => id), ["127.0.0.1:2"]);

  // The drain of one that comes back meets the change.
  await Deno.writeTextFile(file, config({ backends: HOSTS }));
  assertStringIncludes(
    (await diff()).stdout,
    "order that stands against it: p: 127.0.0.1:3 is draining: ",
  );

  await Deno.writeTextFile(file, "pools: { p: 1 }");
  const refused = await run("reload");
  assertEquals([refused.code, refused.stdout], [2, ""]);
  assertStringIncludes(refused.stderr, `${file}:1:13: pools.p: Cannot read "1" here`);
  assertEquals((await diff()).code, 2);
  const { reload: last } = await balancer.status();
  assertEquals(last.count, 1);
  assertStringIncludes(last.error ?? "", "pools.p");
});

Deno.test("reload says that flags alone cannot be read again, and who orders", async () => {
  await using balancer = await Balancer.start({
    flags: ["--listen", "127.0.0.1:0", "--backends", "127.0.0.1:1", "--load", "none"],
  });
  const { code, stderr } = await runProgram(["reload", "--admin-socket", balancer.adminSocket]);
  assertEquals([code, stderr], [1, "nothing to reload: the configuration came from flags alone\n"]);
  await balancer.logged("orders a reload");
  await using other = await Balancer.start({ config: config({ backends: HOSTS }) });
  const wrong = await runProgram([
    ...["check", "--diff", "--config", other.configFile],
    ...["--admin-socket", balancer.adminSocket],
  ]);
  assertEquals([wrong.code, wrong.stderr], [
    1,
    `${balancer.adminSocket} answers: nothing to reload: the configuration came from flags alone\n`,
  ]);
});
