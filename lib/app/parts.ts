// Makes the parts that the configuration names: the engine, the load sources, the logs.

import type { Clock, Random } from "../core/clock.ts";
import type { EngineConfig, LoadConfig, LogConfig } from "../config/config.ts";
import type { Engine } from "../engine/engine.ts";
import { PortableEngine } from "../engine/portable/portable_engine.ts";
import { AnonymousTlsClient } from "../host/libssl.ts";
import type { LoadSource } from "../load/load_source.ts";
import { createLoadSource } from "../load/registry.ts";
import { AccessLog } from "../log/access_log.ts";
import { BatchWriter, type ByteSink } from "../log/batch_writer.ts";
import { ServiceLog } from "../log/setup.ts";

/** Makes the engine, and says why it is this one. */
export function makeEngine(
  config: EngineConfig,
  clock: Clock,
  random: Random,
): { engine: Engine; reason: string } {
  const { bufferBytes } = config;
  return {
    engine: new PortableEngine({ clock, random, bufferBytes }),
    reason: "the only engine in this version",
  };
}

/** Makes load sources; all of them share what this machine has for anonymous TLS. */
export function loadSourceMaker(
  clock: Clock,
  random: Random,
): (config: LoadConfig) => LoadSource | undefined {
  const anonymousTls = new AnonymousTlsClient();
  return (config) =>
    createLoadSource(config.source, {
      ...config,
      clock,
      random,
      anonymousTls: anonymousTls.connect,
    });
}

export interface Logs extends AsyncDisposable {
  readonly log: ServiceLog;
  readonly access: AccessLog;
  /** Takes a configuration in, now or anew. */
  configure(config: LogConfig): Promise<void>;
}

/**
 * Makes the two logs: the service log on `service`, the access log on `access`.
 * @param journal whether `service` is connected to the systemd journal.
 */
export function makeLogs(service: ByteSink, access: ByteSink, journal: boolean): Logs {
  const log = new ServiceLog(new BatchWriter(service));
  const accessLog = new AccessLog(new BatchWriter(access));
  return {
    log,
    access: accessLog,
    configure: async ({ level, format, access }) => {
      accessLog.enabled = access;
      accessLog.format = format;
      await log.configure({ level, format, journal });
    },
    [Symbol.asyncDispose]: async () => {
      await accessLog.writer.flush();
      await log[Symbol.asyncDispose]();
    },
  };
}
