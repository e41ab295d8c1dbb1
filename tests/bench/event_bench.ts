// What a connection costs the control plane: reading its three records (picked, opened, closed), the access
// log, the journal for `why`, the watches over backends. Aim: 3 µs with the default access log.

import { DecisionJournal } from "../../lib/app/decision_journal.ts";
import { EventLog } from "../../lib/app/event_log.ts";
import { Resilience } from "../../lib/app/resilience.ts";
import { readConfig } from "../../lib/config/read_config.ts";
import { SNAPSHOT_WORDS, takeSnapshot } from "../../lib/core/pick/decision_snapshot.ts";
import { KERNEL_NAMES } from "../../lib/core/pick/kernels/registry.ts";
import { Choice, pick, release } from "../../lib/core/pick/pick_kernels.ts";
import type { EngineEvent, PoolPlan } from "../../lib/engine/engine.ts";
import { EventReader } from "../../lib/engine/splice/event_reader.ts";
import {
  ACCEPTED_AT,
  allocateEngineMemory,
  allocateWorkerMemory,
  CLIENT_ADDRESS,
  FRONTEND,
  OUTGOING_ADDRESS,
  PLAN,
  REASON,
  ROW,
  SERIAL,
  TUNNEL_ID,
  TUNNEL_NUMBERS,
  TUNNEL_WORDS,
} from "../../lib/engine/splice/layout.ts";
import { BACKEND_CLOSED, keepChoice, Recorder } from "../../lib/engine/splice/records.ts";
import { RingReader } from "../../lib/engine/splice/ring.ts";
import { encodeSockaddr, SOCKADDR_WORDS } from "../../lib/engine/splice/sockaddr.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { AccessLog } from "../../lib/log/access_log.ts";
import { BatchWriter } from "../../lib/log/batch_writer.ts";
import { runningPool } from "../support/pools.ts";
import { ELIGIBLE, FREE_MILLI_CORES } from "../../lib/core/pick/pick_table.ts";

const BACKENDS = ["hoek:22", "kelvin:22", "euler:22"];
/** Connections per measured step: what the reader finds when it looks a hundred times a second. */
const BATCH = 100;

/** A worker's records of a batch, and all that listens to them. */
function site(isLogged: boolean) {
  const memory = allocateWorkerMemory(BATCH);
  const engine = allocateEngineMemory();
  const recorder = new Recorder(memory, engine);
  const ring = new RingReader(memory.ring, memory.control);
  const pool = runningPool(BACKENDS);
  const { table } = pool;
  table.kernel = KERNEL_NAMES.indexOf("most_free");
  for (const { row } of pool.members) {
    table.write(row, ELIGIBLE, 1);
    table.write(row, FREE_MILLI_CORES, 8000 - 1000 * row);
  }
  const endpoints = BACKENDS.map((backend) => ({ backend, addresses: [] }));
  const plan: PoolPlan = {
    table,
    endpoints,
    connectTimeoutMs: 1000,
    connectRetries: 3,
    queue: { timeoutMs: 0, max: 1 },
  };
  const config = readConfig({
    file: {
      path: "lb.conf",
      text: `{ frontends: { f: { listen: ":22" } }, pools: { p: { backends: [a, b, c] } } }`,
    },
  });
  const [poolConfig] = config.ok ? config.config.pools : [];
  if (poolConfig === undefined) throw new Error("The configuration of the bench is wrong");
  const resilience = new Resilience(pool, poolConfig);
  resilience.observeBackends(0);
  const quiet = { error() {}, warning() {}, info() {}, debug() {} };
  const access = new AccessLog(
    new BatchWriter({ write: ({ length }) => Promise.resolve(length) }),
  );
  access.enabled = isLogged;
  const log = new EventLog(quiet, access, () => "least_load", SYSTEM_CLOCK);
  const journal = new DecisionJournal(() => "least_load");
  const listener = (event: EngineEvent, nowMs: number) => {
    log.write(event);
    if (event.kind === "opened" || event.kind === "refused") journal.note(event);
    resilience.observeEvent(event, nowMs);
  };
  const reader = new EventReader(
    { rings: () => [ring], wantEvents: () => {} },
    {
      frontend: () => "ssh",
      plan: () => ({ pool: "p", plan }),
      pool: () => "p",
      bound: () => undefined,
    },
    SYSTEM_CLOCK,
  );
  const { words, numbers } = memory;
  const choice = new Choice();
  const snapshot = new Int32Array(SNAPSHOT_WORDS);
  let tunnel = 0;
  const batch = () => {
    for (let slot = 0; slot < BATCH; slot++) {
      const base = slot * TUNNEL_WORDS;
      const figures = slot * TUNNEL_NUMBERS;
      const port = 1024 + (tunnel * 7) % 60_000;
      sockaddr(words, base + CLIENT_ADDRESS, `10.1.${tunnel & 3}.${slot + 1}`, port);
      sockaddr(words, base + OUTGOING_ADDRESS, "10.1.0.1", port);
      const row = pick(table, null, 0.3, choice);
      const length = takeSnapshot(table, null, choice, 0, snapshot);
      words[base + SERIAL] = tunnel + 1;
      words[base + PLAN] = 0;
      words[base + FRONTEND] = 0;
      words[base + ROW] = row;
      words[base + REASON] = BACKEND_CLOSED;
      numbers[figures + TUNNEL_ID] = ++tunnel;
      numbers[figures + ACCEPTED_AT] = 1000;
      keepChoice(words, base, choice);
      const atMs = 1.79e12 + tunnel / 10;
      recorder.picked(base, atMs, snapshot, length);
      recorder.opened(base, figures, atMs, LOCAL);
      recorder.closed(base, figures, atMs, 1001.25);
      release(table, row, choice.step);
    }
  };
  return { batch, read: () => reader.read(listener), access };
}

const LOCAL = new Int32Array(SOCKADDR_WORDS);

function sockaddr(words: Int32Array, at: number, host: string, port: number): void {
  const bytes = encodeSockaddr({ transport: "tcp", host, port }, () => 0);
  if (bytes === undefined) throw new Error(`Cannot encode ${host}`);
  words.set(new Int32Array(bytes.buffer, 0, SOCKADDR_WORDS), at);
}

for (const isLogged of [true, false]) {
  const { batch, read, access } = site(isLogged);
  Deno.bench(`${BATCH} connections, access log ${isLogged ? "on" : "off"}`, async (bench) => {
    batch();
    bench.start();
    read();
    await access.writer.flush();
    bench.end();
  });
}
