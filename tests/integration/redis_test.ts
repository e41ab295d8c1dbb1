// The program with its pool in Redis, as l4loadbalancer's README has people use it.

import { assertEquals } from "@std/assert";
import { RedisServer } from "../peers/redis.ts";
import { Balancer } from "../support/balancer.ts";
import { Chance } from "../support/chance.ts";
import { greeter, landings } from "../support/greeters.ts";
import { requirePeer } from "../support/require_peer.ts";
import { waitFor } from "../support/wait_for.ts";

const REDIS = requirePeer("redis-server", "redis-cli");

async function holds(redis: RedisServer, key: string, ...addresses: readonly string[]) {
  const text = addresses.length === 0 ? "" : JSON.stringify(addresses);
  await waitFor(`${key} to be ${text}`, async () => await redis.cli("get", key) === text);
}

/** The addresses of a balancer's pool, in order of the alphabet. */
async function poolOf(balancer: Balancer): Promise<string> {
  const { pools } = await balancer.status();
  return (pools[0]?.backends ?? []).filter(({ state }) => state !== "leaving")
    .map(({ id }) => id).sort().join(" ");
}

Deno.test({
  ...REDIS,
  name: "l4loadbalancer's README, step by step, with redis-cli and with telnet",
  fn: async () => {
    await using redis = await RedisServer.start();
    await using first = greeter(1);
    await using second = greeter(2);
    await using third = greeter(3);
    assertEquals(
      await redis.cli("set", "serverPool", `["${first.address}","${second.address}"]`),
      "OK",
    );
    await using balancer = await Balancer.start({
      flags: ["--listen", "127.0.0.1:0", "--discover", redis.url],
    });
    const port = await balancer.port("main");
    assertEquals(await landings(port, 20), new Set(["1", "2"]));
    // A telnet sends lines as they are typed.
    assertEquals(
      await redis.pipe([`publish addServer ${third.address}`, "get nothing"]),
      ":1\r\n$-1\r\n+OK\r\n",
    );
    await holds(redis, "serverPool", first.address, second.address, third.address);
    await waitFor("sessions to go there", async () => (await landings(port, 9)).has("3"));
    await redis.pipe([`publish removeServer ${first.address}`]);
    await holds(redis, "serverPool", second.address, third.address);
    await waitFor("no session to go there", async () => !(await landings(port, 9)).has("1"));
    balancer.signal("SIGTERM");
    assertEquals(await balancer.end(), 0);
    assertEquals(await redis.cli("exists", "serverPool:lease"), "0");
  },
});

Deno.test({
  ...REDIS,
  name: "a backend that dies is retired, through a restart of the balancer too, and comes back",
  fn: async () => {
    await using redis = await RedisServer.start();
    await using first = greeter(1);
    const second = greeter(2);
    const address = second.address;
    await redis.cli("set", "serverPool", JSON.stringify([first.address, address]));
    const options = {
      config: `frontends: { main: { listen: "127.0.0.1:0", pool: main } }
pools:
  main:
    discovery: { source: redis, url: "${redis.url}", interval: 300ms }
    load: { source: none }
    health: { interval: 100ms }
`,
    };
    {
      await using balancer = await Balancer.start(options);
      await balancer.until("both to be up", ({ pools }) => pools[0]?.backends.length === 2);
      await second[Symbol.asyncDispose]();
      await holds(redis, "serverPool", first.address);
      await holds(redis, "serverPool:retired", address);
    }
    await using balancer = await Balancer.start(options);
    await waitFor("the pool to have both", async () => (await poolOf(balancer)).includes(address));
    await using _ = greeter(2, Number(address.slice(address.lastIndexOf(":") + 1)));
    await holds(redis, "serverPool", first.address, address);
    await holds(redis, "serverPool:retired");
    // Sessions go on while Redis is away, and the pool stays.
    await redis.kill();
    await balancer.until(
      "Redis to be missed",
      ({ pools }) => pools[0]?.discovery[0]?.failure?.startsWith("connection") === true,
    );
    assertEquals(await landings(await balancer.port("main"), 20), new Set(["1", "2"]));
    await redis.restart(false);
    await holds(redis, "serverPool", first.address, address);
  },
});

Deno.test({
  ...REDIS,
  name: "three balancers on one Redis agree through 500 changes, and agree with the key",
  fn: async () => {
    await using redis = await RedisServer.start();
    // They take connections, and nobody reads them.
    const listeners = Array.from(
      { length: 30 },
      () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
    );
    await using _ = new AsyncDisposableStack();
    for (const listener of listeners) _.defer(() => listener.close());
    const addresses = listeners.map(({ addr }) => `127.0.0.1:${addr.port}`);
    const start = () =>
      Balancer.start({ flags: ["--listen", "127.0.0.1:0", "--discover", redis.url] });
    const balancers = await Promise.all([start(), start(), start()]);
    for (const balancer of balancers) _.use(balancer);
    const seed = Math.floor(Math.random() * 2 ** 32);
    console.log(`seed ${seed}`);
    const chance = new Chance(seed);
    const wanted = new Set<string>();
    for (let burst = 0; burst < 20; burst++) {
      const commands: string[] = [];
      for (let count = 0; count < 25; count++) {
        const address = addresses[chance.below(addresses.length)] ?? "";
        const joins = chance.next() < 0.55;
        if (joins) wanted.add(address);
        else wanted.delete(address);
        commands.push(`publish ${joins ? "addServer" : "removeServer"} ${address}`);
      }
      await redis.pipe(commands);
    }
    const all = [...wanted].sort();
    for (const balancer of balancers) {
      await waitFor("a pool to be as wanted", async () => await poolOf(balancer) === all.join(" "));
    }
    await waitFor(
      "the key to be as wanted",
      async () =>
        JSON.stringify(JSON.parse(await redis.cli("get", "serverPool")).sort()) ===
          JSON.stringify(all),
    );
  },
});
