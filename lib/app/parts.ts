// Makes the parts that the configuration names: the engine, the load sources, the logs.

import { counted } from "../core/values/counted.ts";
import type { Clock, Random } from "../core/timing/clock.ts";
import type { EngineConfig, LoadConfig, LogConfig } from "../config/config.ts";
import { chooseEngine } from "../engine/choose.ts";
import type { Engine } from "../engine/engine.ts";
import { PortableEngine } from "../engine/portable/portable_engine.ts";
import { SpliceEngine } from "../engine/splice/splice_engine.ts";
import { AnonymousTlsClient } from "../host/libssl.ts";
import type { LoadSource } from "../load/load_source.ts";
import { createLoadSource } from "../load/registry.ts";
import { AccessLog } from "../log/access_log.ts";
import { BatchWriter, type ByteSink } from "../log/batch_writer.ts";
import { ServiceLog } from "../log/setup.ts";

/** What an engine needs of the program around it. */
export interface EngineSurroundings {
  readonly clock: Clock;
  readonly random: Random;
  /** Open files that the process may have. */
  readonly descriptorLimit: number;
  /** Listening sockets that the init system passed on. */
  readonly inherited: readonly number[];
  /** A worker died and took its sessions with it; another stands in for it. */
  readonly onWorkerLost: (text: string) => void;
  /** Nothing can be served any more: the process must end, so that it is started again. */
  readonly onFatal: (text: string) => void;
}

/** Most sessions that one worker carries: records for them are laid out at the start. */
const MAX_WORKER_TUNNELS = 131_072;

/**
 * Makes the engine, and says why it is this one.
 * @throws {Error} when the engine that is asked for cannot run here.
 */
export function makeEngine(
  config: EngineConfig,
  surroundings: EngineSurroundings,
): { engine: Engine; reason: string } {
  const { clock, random, descriptorLimit, inherited } = surroundings;
  const { name, reason } = chooseEngine(config.kind);
  if (name === "portable") {
    const { bufferBytes } = config;
    return { engine: new PortableEngine({ clock, random, bufferBytes }), reason };
  }
  const engine = new SpliceEngine({
    // main.ts finds out itself that it runs in a worker.
    workerUrl: Deno.mainModule,
    workers: workersOf(config),
    // A session takes two descriptors.
    capacity: Math.min(MAX_WORKER_TUNNELS, Math.floor(descriptorLimit / 2)),
    clock,
    keepalive: config.keepalive,
    inherited,
    onWorkerLost: ({ worker, tunnels, message }) =>
      surroundings.onWorkerLost(
        `worker ${worker} died, ${
          counted(tunnels, "session")
        } lost with it; another stands in: ${message}`,
      ),
    onFatal: surroundings.onFatal,
  });
  return { engine, reason };
}

/** Threads that carry sessions in the splice engine. */
export function workersOf({ workers }: EngineConfig): number {
  return workers === "auto" ? navigator.hardwareConcurrency : workers;
}

/** Makes load sources; all of them share what this machine has for anonymous TLS. */
export function loadSourceMaker(
  clock: Clock,
  random: Random,
): (config: LoadConfig) => LoadSource | undefined {
  const anonymousTls = new AnonymousTlsClient();
  return (config) =>
    createLoadSource(config.source, config, {
      clock,
      random,
      intervalMs: config.intervalMs,
      anonymousTls: anonymousTls.connect,
    });
}

export interface Logs extends AsyncDisposable {
  readonly log: ServiceLog;
  readonly access: AccessLog;
  /** Takes a configuration in, now or anew. */
  configure(config: LogConfig): Promise<void>;
  /** Resolves when all that was logged is written, or its readers have taken too long. */
  flush(): Promise<void>;
}

/** How long the last words may take. */
const FLUSH_MS = 1500;

/**
 * Makes the two logs: the service log on `service`, the access log on `access`.
 * @param journal whether `service` is connected to the systemd journal.
 */
export function makeLogs(
  service: ByteSink,
  access: ByteSink,
  journal: boolean,
  clock: Clock,
): Logs {
  const log = new ServiceLog(new BatchWriter(service));
  const accessLog = new AccessLog(new BatchWriter(access));
  const flushed = async () => {
    const done = new AbortController();
    const late = clock.sleep(FLUSH_MS, done.signal).catch(() => {});
    await Promise.race([Promise.all([accessLog.writer.flush(), log.flush()]), late]);
    done.abort();
    await late;
  };
  return {
    log,
    access: accessLog,
    configure: async ({ level, format, access, decisions }) => {
      accessLog.enabled = access;
      accessLog.decisions = decisions;
      accessLog.format = format;
      await log.configure({ level, format, journal });
    },
    flush: flushed,
    [Symbol.asyncDispose]: async () => {
      await flushed();
      await log[Symbol.asyncDispose]();
    },
  };
}
