// Memory and pressure, from a load source to placement, with the real program.

import { assertEquals } from "@std/assert";
import { Balancer, runProgram } from "../support/balancer.ts";
import { waitFor } from "../support/wait_for.ts";

const GIB = 2 ** 30;

/** What a compute server says of itself over HTTP, as the test sets it. */
class Figures implements AsyncDisposable {
  figures: Readonly<Record<string, number>>;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(figures: Readonly<Record<string, number>>) {
    this.figures = figures;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      () => Response.json(this.figures),
    );
  }

  get port(): number {
    return this.#server.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

function figures(gib: number, pressure = 0) {
  return {
    load1: 1,
    cores: 8,
    memory_available_bytes: gib * GIB,
    memory_total_bytes: 16 * GIB,
    cpu_pressure: pressure,
    sessions: 3,
  };
}

function configOf(ports: readonly number[]): string {
  return JSON.stringify({
    frontends: { main: { listen: "127.0.0.1:0" } },
    pools: {
      main: {
        backends: ports.map((port) => `127.0.0.1:${port}`),
        load: { source: "http", interval: "100ms", http: { url: "http://{host}:{port}/" } },
        health: { probe: "none" },
        memory: { min_available: "12.5%" },
        pressure: { max_cpu: "60%" },
      },
    },
  });
}

Deno.test("a backend short of memory or under pressure is out, and back when it is not", async () => {
  await using one = new Figures(figures(1));
  await using two = new Figures(figures(8));
  await using balancer = await Balancer.start({ config: configOf([one.port, two.port]) });
  const [first, second] = [`127.0.0.1:${one.port}`, `127.0.0.1:${two.port}`];
  const standing = async (usable: readonly boolean[]) =>
    await waitFor(`${usable} to be usable`, async () => {
      const backends = (await balancer.status()).pools[0]?.backends ?? [];
      return backends.every((backend, index) => backend.usable === usable[index]) && backends;
    });
  const [held] = await standing([false, true]);
  const reason = "1.0GiB of 16GiB memory is available, less than 12.5% (back at 13.8%)";
  assertEquals(held?.reason, reason);
  assertEquals(held?.memoryTotalBytes, 16 * GIB);
  assertEquals(held?.loginSessions, 3);
  await balancer.logged(`main: ${first} is held back: ${reason}`);
  // Nobody is left: the better one serves.
  two.figures = figures(1.5);
  await balancer.logged(`main: ${second} is used although`);
  await standing([false, true]);
  one.figures = figures(4);
  await standing([true, false]);
  two.figures = figures(4, 0.9);
  const pressed = "tasks wait for a CPU 90% of the time, more than 60% (back at 45%)";
  await balancer.until(
    "pressure to count",
    ({ pools }) =>
      pools[0]?.backends[1]?.usable === false && pools[0].backends[1].reason === pressed,
  );
  two.figures = figures(4, 0.3);
  await standing([true, true]);
});

for (const engine of ["splice", "portable"] as const) {
  Deno.test(`${engine}: where the one with enough memory is full, one that is short serves`, async () => {
    await using one = new Figures(figures(1));
    await using two = new Figures(figures(8));
    const config = configOf([one.port, two.port])
      .replace(
        `"127.0.0.1:${two.port}"`,
        `{"address":"127.0.0.1:${two.port}","max_connections":1}`,
      );
    await using balancer = await Balancer.start({ config, flags: ["--engine", engine] });
    await balancer.logged(`main: 127.0.0.1:${one.port} is held back`);
    const port = await balancer.port("main");
    const served = async (count: number) =>
      (await waitFor(`${count} sessions`, () => {
        const opened = balancer.records("opened");
        return opened.length === count && opened;
      })).map(({ backend, why }) => [backend, why]);
    using _first = await Deno.connect({ hostname: "127.0.0.1", port });
    assertEquals(await served(1), [[`127.0.0.1:${two.port}`, "only_one"]]);
    using _second = await Deno.connect({ hostname: "127.0.0.1", port });
    assertEquals((await served(2))[1], [`127.0.0.1:${one.port}`, "backup"]);
    await balancer.logged(`main: 127.0.0.1:${one.port} is given sessions although 1.0GiB`);
    const [held, full] = (await balancer.status()).pools[0]?.backends ?? [];
    assertEquals([held?.usable, full?.usable], [false, true]);
    assertEquals([held?.backup, full?.backup], [true, false]);
  });
}

Deno.test("check --probe tells memory, pressure and people", async () => {
  await using one = new Figures(figures(1, 0.125));
  const config = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(config, configOf([one.port]));
    const { code, stdout } = await runProgram(["check", "-c", config, "--probe"]);
    assertEquals([code, stdout.split("\n")[3]], [
      0,
      `  ok   127.0.0.1:${one.port}: load 1.00 of 8 cores, 7.00 free; ` +
      "1.0GiB of 16GiB memory available; waiting for a CPU 12.5% of the time; 3 people logged in",
    ]);
  } finally {
    await Deno.remove(config);
  }
});
