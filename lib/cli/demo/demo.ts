// `compute-lb demo`: the real balancer in front of three embedded backends of different size, real
// sockets, real NRPE, clients arriving; a live table on a terminal, plain lines when piped.

import type { StatusReport } from "../../admin/report.ts";
import { App } from "../../app.ts";
import { NO_LOCATIONS } from "../../app/locations.ts";
import { loadSourceMaker, makeEngine, makeLogs } from "../../app/parts.ts";
import type { Config } from "../../config/config.ts";
import { readConfig } from "../../config/read_config.ts";
import { counted } from "../../core/values/counted.ts";
import { toDecimals } from "../../core/values/thousandths.ts";
import { SYSTEM_CLOCK } from "../../host/clock.ts";
import { EXIT_FAILURE, EXIT_OK } from "../exit_code.ts";
import { showLive } from "../live_screen.ts";
import { colourful, print } from "../output.ts";
import { DemoBackend } from "./backend.ts";
import { type ClientCounts, pause, sendClients } from "./clients.ts";
import { drawFrame } from "./frame.ts";

export interface DemoCommand {
  readonly seconds: number;
  /** Whether only the summary is printed, as JSON. */
  readonly json: boolean;
}

/** A demo has some dozens of sessions. */
const DESCRIPTORS = 1024;
const LIVE_MS = 200;
const PLAIN_MS = 2000;

export async function demo(command: DemoCommand): Promise<number> {
  await using small = new DemoBackend("small", 4);
  await using middle = new DemoBackend("middle", 8);
  await using large = new DemoBackend("large", 16);
  const backends = [small, middle, large];
  // The demo has nothing to log: what happens is on the screen.
  const nowhere = { write: (bytes: Uint8Array) => Promise.resolve(bytes.length) };
  await using logs = makeLogs(nowhere, nowhere, false, SYSTEM_CLOCK);
  const clock = SYSTEM_CLOCK;
  const config = demoConfig(backends);
  const die = (text: string) => {
    throw new Error(text);
  };
  const { engine, reason } = makeEngine(config.engine, {
    clock,
    random: Math.random,
    descriptorLimit: DESCRIPTORS,
    inherited: [],
    onWorkerLost: die,
    onFatal: die,
  });
  await using app = new App(config, NO_LOCATIONS, {
    clock,
    random: Math.random,
    log: logs.log,
    access: logs.access,
    engine,
    engineReason: reason,
    createLoadSource: loadSourceMaker(clock, Math.random),
  });
  await app.start();
  const port = portOf(app);
  const counts: ClientCounts = { started: 0, served: 0, failed: 0, lastFailure: undefined };
  const stop = new AbortController();
  const endMs = Date.now() + command.seconds * 1000;
  const interrupt = () => stop.abort();
  Deno.addSignalListener("SIGINT", interrupt);
  Deno.addSignalListener("SIGTERM", interrupt);
  const timer = setTimeout(interrupt, endMs - Date.now());
  try {
    await waitForLoads(app, stop.signal);
    const arriving = sendClients(port, counts, Math.random, stop.signal);
    const report = () => named(app.status(), backends);
    if (!command.json) {
      await show(report, port, counts, endMs, stop.signal);
      interrupt();
    }
    await arriving;
  } finally {
    clearTimeout(timer);
    Deno.removeSignalListener("SIGINT", interrupt);
    Deno.removeSignalListener("SIGTERM", interrupt);
  }
  await app.drain(stop.signal);
  summarize(app.status(), backends, counts, command.json);
  return counts.failed === 0 && counts.served > 0 ? EXIT_OK : EXIT_FAILURE;
}

function demoConfig(backends: readonly DemoBackend[]): Config {
  const text = JSON.stringify({
    admin: { socket: "off" },
    frontends: { ssh: { listen: "127.0.0.1:0" } },
    pools: {
      compute: {
        backends: backends.map((backend) => ({
          address: `127.0.0.1:${backend.port}`,
          cores: backend.cores,
          load_address: `127.0.0.1:${backend.nrpePort}`,
        })),
        // Its clients come much faster than people log in.
        pace: { sessions: "off" },
        load: { interval: "500ms", timeout: "400ms", max_age: "5s", nrpe: { tls: "off" } },
        health: { probe: "banner", interval: "2s", timeout: "1s" },
      },
    },
  });
  const read = readConfig({ file: { path: "demo", text } });
  if (!read.ok) throw new Error(read.errors.map((error) => error.message).join("; "));
  return read.config;
}

function portOf(app: App): number {
  const address = app.bound.get("ssh")?.[0];
  if (address?.transport !== "tcp") throw new Error("The demo's frontend is not bound");
  return address.port;
}

/** A first reading of every load, so that the very first client is placed by it. */
async function waitForLoads(app: App, stop: AbortSignal): Promise<void> {
  const known = () =>
    app.status().pools.every((pool) => pool.backends.every((backend) => backend.load1 !== null));
  while (!known() && !stop.aborted) await pause(20, stop);
}

/** The report with the backends' names instead of their ports. */
function named(report: StatusReport, backends: readonly DemoBackend[]): StatusReport {
  const nameOf = (id: string) =>
    backends.find((backend) => id.endsWith(`:${backend.port}`))?.name ?? id;
  return {
    ...report,
    pools: report.pools.map((pool) => ({
      ...pool,
      backends: pool.backends.map((backend) => ({ ...backend, id: nameOf(backend.id) })),
    })),
  };
}

async function show(
  report: () => StatusReport,
  port: number,
  counts: ClientCounts,
  endMs: number,
  stop: AbortSignal,
): Promise<void> {
  if (Deno.stdout.isTerminal()) {
    const secondsLeft = () => Math.max(0, Math.ceil((endMs - Date.now()) / 1000));
    const draw = () =>
      drawFrame({
        report: report(),
        port,
        counts,
        secondsLeft: secondsLeft(),
        colours: colourful(),
      });
    return await showLive({ draw }, LIVE_MS, stop);
  }
  print(`the balancer listens on 127.0.0.1:${port}\n`);
  while (!stop.aborted) {
    print(plainLine(report(), counts));
    await pause(PLAIN_MS, stop);
  }
}

function plainLine(report: StatusReport, counts: ClientCounts): string {
  const backends = report.pools.flatMap((pool) => pool.backends).map((backend) => {
    const free = backend.free === null ? "?" : toDecimals(backend.free, 1);
    const sessions = counted(backend.active, "session");
    return `${backend.id} ${sessions} on ${backend.cores} cores, ${free} free by estimate`;
  });
  return `${counts.started} arrived, ${counts.served} served, ${counts.failed} failed | ` +
    `${backends.join(" | ")}\n`;
}

function summarize(
  report: StatusReport,
  backends: readonly DemoBackend[],
  counts: ClientCounts,
  json: boolean,
): void {
  const all = backends.reduce((sum, backend) => sum + backend.cores, 0);
  const shares = backends.map(({ name, cores, port }) => {
    const placed = report.pools[0]?.backends.find((backend) => backend.id.endsWith(`:${port}`));
    const sessions = placed?.total ?? 0;
    return {
      name,
      cores,
      sessions,
      share: counts.served === 0 ? 0 : sessions / counts.served,
      coresShare: cores / all,
    };
  });
  if (json) {
    const { started, served, failed, lastFailure } = counts;
    const summary = {
      started,
      served,
      failed,
      ...(lastFailure === undefined ? {} : { lastFailure }),
      backends: shares,
    };
    print(JSON.stringify(summary, null, 2) + "\n");
    return;
  }
  const percent = (share: number) => `${Math.round(share * 100)} %`.padStart(5);
  print(`${counts.served} of ${counts.started} clients served, every byte checked.\n`);
  for (const { name, cores, sessions, share, coresShare } of shares) {
    print(
      `  ${name.padEnd(6)} ${String(cores).padStart(2)} cores: ${String(sessions).padStart(4)} ` +
        `sessions, ${percent(share)} of them with ${percent(coresShare)} of the cores\n`,
    );
  }
  if (counts.lastFailure !== undefined) print(`The last failure: ${counts.lastFailure}\n`);
}
