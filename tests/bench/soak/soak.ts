// Long runs through the real program: many sessions at once, very many short connections, much data through
// sessions of which some are reset. Bytes are compared, descriptors and memory watched; figures are printed.
//
//   deno task bench:soak [--sessions 9800] [--rounds 6] [--connections 1000000] [--gib 10] [--engine splice]

import { parseArgs } from "node:util";
import { Balancer, programCommand } from "../../support/balancer.ts";
import { pseudoRandomBytes, readExactly, writeAll } from "../../support/bytes.ts";
import { freePort } from "../../support/processes.ts";
import { connectResettable } from "../../support/reset.ts";
import { endNow } from "../../support/run_program.ts";
import { Sessions } from "../../support/sessions.ts";
import { waitFor } from "../../support/wait_for.ts";

const MIB = 1024 * 1024;
const QUIET_MS = 120_000;

const { values } = parseArgs({
  options: {
    sessions: { type: "string", default: "9800" },
    rounds: { type: "string", default: "6" },
    connections: { type: "string", default: "1000000" },
    gib: { type: "string", default: "10" },
    engine: { type: "string", default: "splice" },
  },
});

interface Footprint {
  readonly descriptors: number;
  readonly residentMib: number;
}

async function footprint(pid: number): Promise<Footprint> {
  const descriptors = (await Array.fromAsync(Deno.readDir(`/proc/${pid}/fd`))).length;
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const resident = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
  return { descriptors, residentMib: Math.round(resident / 102.4) / 10 };
}

async function tell(what: string, balancer: Balancer): Promise<void> {
  const { descriptors, residentMib } = await footprint(balancer.pid);
  console.log(`${what}: ${descriptors} descriptors, ${residentMib} MiB resident`);
}

async function quiet(balancer: Balancer): Promise<void> {
  await waitFor(
    "the last session's end",
    async () => (await balancer.status()).counters.active === 0,
    QUIET_MS,
  );
}

/**
 * Many sessions at once, each of which gets its own bytes back, twice. What the first round leaves is the
 * program warmed up; what later rounds add would be a leak.
 */
async function standing(balancer: Balancer, port: number, count: number): Promise<void> {
  const before = await footprint(balancer.pid);
  using sessions = await Sessions.open(port, count);
  await sessions.exchange("every byte of it ".repeat(16));
  const during = await footprint(balancer.pid);
  const each = (during.residentMib - before.residentMib) * 1024 / count;
  console.log(`${count} sessions at once, every byte right; ${each.toFixed(2)} KiB resident each`);
  sessions.close();
  await quiet(balancer);
  await tell("after them", balancer);
}

/** Short connections, one after the other in several lanes. */
async function short(balancer: Balancer, port: number, count: number): Promise<void> {
  const lanes = 32;
  const message = pseudoRandomBytes(64, 1);
  let done = 0;
  const started = performance.now();
  const tenth = Math.ceil(count / 10);
  let next = tenth;
  await Promise.all(Array.from({ length: lanes }, async () => {
    while (done < count) {
      done++;
      using conn = await Deno.connect({ hostname: "127.0.0.1", port });
      await conn.write(message);
      const back = await readExactly(conn, message.length);
      if (back.some((byte, index) => byte !== message[index])) throw new Error("A byte is wrong");
      if (done >= next) {
        next += tenth;
        await tell(`${done} short connections`, balancer);
      }
    }
  }));
  const seconds = (performance.now() - started) / 1000;
  await quiet(balancer);
  await tell(`all ${count} short connections, ${Math.round(count / seconds)}/s`, balancer);
}

/** Sessions of 1 MiB each way, of which one in a hundred is reset on its way. */
async function resets(balancer: Balancer, port: number, gib: number): Promise<void> {
  const total = gib * 1024;
  const payload = pseudoRandomBytes(MIB, 2);
  let begun = 0;
  let exact = 0;
  let reset = 0;
  await Promise.all(Array.from({ length: 8 }, async () => {
    while (begun < total) {
      const mine = begun++;
      if (mine % 100 === 99) {
        const client = await connectResettable(port);
        client.send("x".repeat(200_000));
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
        await client.reset();
        reset++;
        continue;
      }
      using conn = await Deno.connect({ hostname: "127.0.0.1", port });
      const reading = readExactly(conn, payload.length);
      await writeAll(conn, payload);
      const back = await reading;
      if (back.some((byte, index) => byte !== payload[index])) throw new Error("A byte is wrong");
      exact++;
    }
  }));
  await quiet(balancer);
  await tell(`${exact} sessions of 1 MiB byte-exact, ${reset} reset on their way`, balancer);
}

const echoPort = freePort();
const [program = "", ...first] = programCommand();
const server = new Deno.Command(program, {
  args: [...first, "echo", `127.0.0.1:${echoPort}`],
  stdout: "null",
}).spawn();
try {
  await using balancer = await Balancer.start({
    config: JSON.stringify({
      engine: { kind: values.engine },
      log: { access: false },
      frontends: { f: { listen: "127.0.0.1:0", max_connections: 0 } },
      pools: { p: { backends: [`127.0.0.1:${echoPort}`], load: { source: "none" } } },
    }),
  });
  const port = await balancer.port("f");
  {
    using _warm = await Sessions.open(port, 200);
  }
  await quiet(balancer);
  await tell("warmed up", balancer);
  for (let round = 0; round < Number(values.rounds); round++) {
    await standing(balancer, port, Number(values.sessions));
  }
  await short(balancer, port, Number(values.connections));
  await resets(balancer, port, Number(values.gib));
} finally {
  await endNow(server);
}
