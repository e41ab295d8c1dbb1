// What people were told and was not so: a warning for each backend where one was promised, "1 cores", a
// backend that is held back for having less than a limit that it is above, "load by nrpe" for a pool whose
// backends are asked otherwise, nothing when a load grew too old, sessions of backends that held none.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { requestAdmin } from "../../lib/admin/client.ts";
import { describeSources } from "../../lib/app/load_sources.ts";
import { Shortages } from "../../lib/core/watch/shortages.ts";
import { parseCommand } from "../../lib/cli/arguments.ts";
import { COMMANDS } from "../../lib/cli/commands.ts";
import { MAX_BACKENDS } from "../../lib/core/pool/backend.ts";
import { Balancer } from "../support/balancer.ts";
import { poolConfig } from "../support/pool_config.ts";
import { runningPool, texts } from "../support/pools.ts";
import { configOf } from "../support/running_config.ts";

const GIB = 2 ** 30;

function sampleAt(takenAtMs: number, memoryAvailableBytes?: number) {
  const memory = memoryAvailableBytes === undefined ? {} : { memoryAvailableBytes };
  return { kind: "sample", sample: { load1: 1, takenAtMs, ...memory } } as const;
}

Deno.test("assumed cores and what is not told are said once for all backends", () => {
  const pool = runningPool(["a", "b", "c"]);
  for (const id of ["a", "b", "c"]) pool.observeLoad(id, sampleAt(0), 0);
  assertEquals(texts(pool.tellAssumedCores()), [
    "a (and b, c) has 1 core by assumption, for its load source does not say how many: " +
    "write a=CORES in lb.conf, or for nrpe let the command be check_load -r",
  ]);
  assertEquals(pool.tellAssumedCores(), []);
  const shortages = new Shortages({ memory: { minAvailable: { bytes: GIB } }, pressure: {} });
  assertEquals(texts(shortages.judge(pool, 0)), [
    "a is not held back by its free memory: its load source does not tell that " +
    "(nor may those of others: said once)",
  ]);
});

Deno.test("a backend that is held back between two limits is said to be below the upper", () => {
  const pool = runningPool(["a", "b"]);
  const limits = { memory: { minAvailable: { bytes: 2 * GIB } }, pressure: { maxCpu: 0.6 } };
  const shortages = new Shortages(limits);
  const judged = (id: string, gib: number, cpuPressure: number) => {
    const { kind, sample } = sampleAt(0, gib * GIB);
    pool.observeLoad(id, { kind, sample: { ...sample, cpuPressure } }, 0);
    shortages.judge(pool, 0);
    return [...pool.member(id)?.holds.values() ?? []].map(({ reason }) => reason);
  };
  judged("b", 8, 0);
  assertEquals(judged("a", 1.5, 0.7), [
    "1.5GiB of memory is available, less than 2.0GiB (back at 2.2GiB)",
    "tasks wait for a CPU 70% of the time, more than 60% (back at 45%)",
  ]);
  assertEquals(judged("a", 2.1, 0.5), [
    "2.1GiB of memory is available, less than the 2.2GiB at which it comes back",
    "tasks wait for a CPU 50% of the time, more than the 45% at which it comes back",
  ]);
  assertEquals(judged("a", 1.99, 0), [
    "2037MiB of memory is available, less than 2.0GiB (back at 2.2GiB)",
  ]);
});

Deno.test("a load that has grown older than max_age is told, and that there is one again", () => {
  const pool = runningPool(["a"]);
  pool.observeLoad("a", sampleAt(0), 0);
  assertEquals(pool.tick(60_000), []);
  assertEquals(texts(pool.tick(60_001)), [
    "a has no load any more: the last one is older than max_age, 1m",
  ]);
  assertEquals(pool.tick(61_000), []);
  // An old one, as a gmond repeats it, is none.
  assertEquals(pool.observeLoad("a", sampleAt(0), 62_000), []);
  assertEquals(texts(pool.observeLoad("a", sampleAt(62_000), 62_000)), [
    "a reports its load: 1.00",
  ]);
});

Deno.test("a pool is said to be asked as its backends are", () => {
  const sources = (source: string, ...others: readonly string[]) =>
    describeSources(poolConfig({
      load: { source },
      backends: [
        ...others.map((other, index) => ({ address: `h${index}`, load: { source: other } })),
        ...(others.length === 5 ? [] : ["last"]),
      ],
    }));
  assertEquals(sources("nrpe"), "nrpe");
  assertEquals(sources("nrpe", "nrpe"), "nrpe");
  assertEquals(sources("nrpe", "ssh"), "nrpe (h0:22 by ssh)");
  assertEquals(sources("nrpe", "ssh", "none", "ssh"), "nrpe (h0:22, h2:22 by ssh, h1:22 by none)");
  assertEquals(sources("none", "ssh", "ssh", "ssh", "ssh"), "none (4 backends by ssh)");
  assertEquals(sources("nrpe", "ssh", "ssh", "ssh", "ssh", "ssh"), "ssh");
});

Deno.test("status says it in the same words", async () => {
  await using balancer = await Balancer.start({
    config: configOf(["127.0.0.1:1"]).replace(
      'backends: ["127.0.0.1:1"]',
      'backends: ["127.0.0.1:1", { address: "127.0.0.1:2", load: { source: agent } }]',
    ),
  });
  const [pool] = (await balancer.status()).pools;
  assertEquals(pool?.loadSource, "none (127.0.0.1:2 by agent)");
});

Deno.test("two commas with nothing between are no list", () => {
  for (const text of ["a,,b", ",a", "a, ,b"]) {
    const read = parseCommand(["--listen", ":22", "--backends", text], COMMANDS);
    assertEquals(
      read.ok || read.message.split("\n")[0],
      `Cannot read --backends "${text}": nothing stands before a comma`,
    );
  }
  assertEquals(parseCommand(["--listen", ":22", "--backends", "a,b,"], COMMANDS).ok, true);
});

Deno.test("a pool without room for new backends is not said to hold sessions that none has", async () => {
  const backends = (first: number) =>
    Array.from({ length: MAX_BACKENDS }, (_, index) => `127.0.0.1:${first + index}`);
  const config = (first: number) => configOf(backends(first), { health: "{ probe: none }" });
  await using balancer = await Balancer.start({ config: config(1) });
  await balancer.reload(config(1001));
  const full = "pool main has no room for so many new backends so soon after others have left: " +
    "try again in some seconds";
  assertStringIncludes(String((await balancer.reload(config(2001))).message), full);
  // Nor by an order: of those that the configuration names one leaves, and another comes.
  const order = async (method: string, backend: string) => {
    const resource = `/v1/pools/main/backends/${backend}`;
    const answer = await requestAdmin(balancer.adminSocket, { method, resource });
    return answer.ok ? answer.body : answer.message;
  };
  await order("DELETE", "127.0.0.1:1001");
  assertEquals(await order("PUT", "127.0.0.1:3001"), { error: full });
});
