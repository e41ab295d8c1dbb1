import { assertEquals, assertRejects } from "@std/assert";
import { FiguresOfMachine, type Machine } from "../../../lib/agent/figures.ts";
import { ManualClock } from "../../support/manual_clock.ts";

/** A machine made of texts. A name that ends in "/" is a folder. */
class FakeMachine implements Machine {
  readonly files = new Map<string, string>([
    ["/proc/loadavg", "1.50 2.50 3.50 4/99 1234\n"],
    ["/proc/meminfo", "MemTotal: 2000 kB\nMemAvailable: 1000 kB\n"],
  ]);
  readonly arch = "x86_64";
  #busy = 0;
  #idle = 0;
  reads = 0;

  constructor() {
    this.work(0, 0);
  }

  /** Lets so many ticks pass. */
  work(busy: number, idle: number): void {
    this.#busy += busy;
    this.#idle += idle;
    const fields = `${this.#busy} 0 0 ${this.#idle} 0 0 0 0 0 0`;
    this.files.set("/proc/stat", `cpu  ${fields}\ncpu0 ${fields}\ncpu1 ${fields}\nintr 1\n`);
  }

  readText = (path: string): Promise<string | undefined> => {
    if (path === "/proc/loadavg") this.reads++;
    return Promise.resolve(this.files.get(path));
  };

  readBytes = (path: string): Promise<Uint8Array<ArrayBuffer> | undefined> => {
    const text = this.files.get(path);
    return Promise.resolve(
      text === undefined ? undefined : Uint8Array.from(text, (char) => char.charCodeAt(0)),
    );
  };

  list = (path: string): Promise<readonly string[] | undefined> => {
    const below = [...this.files.keys()].filter((name) => name.startsWith(`${path}/`));
    return Promise.resolve(
      below.length === 0
        ? undefined
        : below.map((name) => name.slice(path.length + 1)).filter((name) => name !== ""),
    );
  };

  exists = (path: string): Promise<boolean> =>
    Promise.resolve(this.files.has(path) || this.files.has(`${path}/`));
}

async function start(machine: Machine, clock: ManualClock): Promise<FiguresOfMachine> {
  const starting = FiguresOfMachine.start(machine, clock);
  await clock.advance(250);
  return await starting;
}

Deno.test("figures: idle CPU is a mean over the last six seconds", async () => {
  const machine = new FakeMachine();
  const clock = new ManualClock();
  await using figures = await start(machine, clock);
  const pass = async (busy: number, idle: number) => {
    machine.work(busy, idle);
    await clock.advance(2000);
    return (await figures.read()).idle;
  };
  // All of what was seen so far, while that is less.
  assertEquals(await pass(0, 100), 1);
  assertEquals(await pass(100, 0), 0.5);
  assertEquals(await pass(100, 0), 1 / 3);
  // One full second in between does not show as such.
  assertEquals(await pass(100, 0), 0);
  assertEquals(await pass(0, 100), 1 / 3);
  assertEquals(await pass(0, 100), 2 / 3);
  assertEquals((await figures.read()).cores, 2);
});

Deno.test("figures: counters that fail or stand still keep the last mean", async () => {
  const machine = new FakeMachine();
  const clock = new ManualClock();
  await using figures = await start(machine, clock);
  machine.work(50, 50);
  await clock.advance(2000);
  const stat = machine.files.get("/proc/stat") ?? "";
  machine.files.delete("/proc/stat");
  await clock.advance(60_000);
  assertEquals((await figures.read()).idle, 0.5);
  machine.files.set("/proc/stat", stat);
  await clock.advance(4000);
  assertEquals((await figures.read()).idle, 1);
});

Deno.test("figures: what the machine does not tell is left out", async () => {
  const machine = new FakeMachine();
  machine.files.delete("/proc/meminfo");
  const clock = new ManualClock();
  await using figures = await start(machine, clock);
  assertEquals(await figures.read(), {
    load1: 1.5,
    load5: 2.5,
    load15: 3.5,
    running: 4,
    cores: 2,
    idle: 1,
    nologin: false,
  });
});

Deno.test("figures: people are counted by systemd, else by utmp", async () => {
  const machine = new FakeMachine();
  const clock = new ManualClock();
  await using figures = await start(machine, clock);
  const read = async () => {
    await clock.advance(1000);
    return await figures.read();
  };
  const record = (pid: number) => {
    const bytes = new Uint8Array(384);
    bytes.set([7, 0, 0, 0, pid]);
    bytes[44] = 65;
    return String.fromCharCode(...bytes);
  };
  machine.files.set("/run/utmp", record(5) + record(6));
  machine.files.set("/proc/6/", "");
  assertEquals((await read()).sessions, 1);
  const folder = "/run/systemd/sessions";
  machine.files.set(`${folder}/`, "");
  assertEquals((await read()).sessions, 1);
  machine.files.set("/run/systemd/system/", "");
  assertEquals((await read()).sessions, 0);
  machine.files.set(`${folder}/c1`, "CLASS=user\nSTATE=active\n");
  machine.files.set(`${folder}/17`, "CLASS=user\nSTATE=closing\n");
  machine.files.set(`${folder}/17.ref`, "CLASS=user\nSTATE=active\n");
  assertEquals((await read()).sessions, 1);
});

Deno.test("figures: either nologin counts", async () => {
  for (const file of ["/etc/nologin", "/run/nologin"]) {
    const machine = new FakeMachine();
    machine.files.set(file, "");
    const clock = new ManualClock();
    await using figures = await start(machine, clock);
    assertEquals((await figures.read()).nologin, true);
  }
});

Deno.test("figures: many who ask within a second share one reading", async () => {
  const machine = new FakeMachine();
  const clock = new ManualClock();
  await using figures = await start(machine, clock);
  await Promise.all(Array.from({ length: 50 }, () => figures.read()));
  await clock.advance(999);
  await figures.read();
  assertEquals(machine.reads, 1);
  await clock.advance(1);
  machine.files.delete("/proc/loadavg");
  await assertRejects(() => figures.read(), Error, "Cannot read /proc/loadavg");
  // A failure is not kept.
  machine.files.set("/proc/loadavg", "9.00 1.00 1.00 1/1 1\n");
  assertEquals((await figures.read()).load1, 9);
});

Deno.test("figures: no Linux, no agent", async () => {
  const machine = new FakeMachine();
  machine.files.delete("/proc/stat");
  await assertRejects(
    () => FiguresOfMachine.start(machine, new ManualClock()),
    Error,
    "Cannot read /proc/stat",
  );
});
