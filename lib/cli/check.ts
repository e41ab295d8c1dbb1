// `compute-lb check`: validates a configuration and shows what it comes to; with --probe it asks every
// backend once, as the running balancer would.

import { LoadSources } from "../app/load_sources.ts";
import { compileLocations } from "../app/locations.ts";
import { loadSourceMaker } from "../app/parts.ts";
import type { Config, PoolConfig } from "../config/config.ts";
import { type ConfigError, formatConfigErrors, sortConfigErrors } from "../config/config_error.ts";
import { formatConfig } from "../config/effective.ts";
import { odditiesOf } from "../config/oddities.ts";
import { type ConfigInput, faultAt } from "../config/read_config.ts";
import { AgentStanding, describeAdvice } from "../core/agent_advice.ts";
import type { Backend } from "../core/backend.ts";
import { messageOf } from "../core/errors.ts";
import type { LoadResult, LoadSample } from "../core/load.ts";
import { printable } from "../core/printable.ts";
import { describePercent } from "../core/shortages.ts";
import { describeSize } from "../core/size.ts";
import { toDecimals } from "../core/thousandths.ts";
import { createHealthProbe } from "../health/registry.ts";
import { SYSTEM_CLOCK } from "../host/clock.ts";
import { findUser } from "../host/privileges.ts";
import { resolve } from "../host/resolve.ts";
import { type ConfigCommand, databaseFault, readCommandConfig } from "./config_source.ts";
import { EXIT_CONFIG, EXIT_FAILURE, EXIT_OK, EXIT_USAGE } from "./exit_code.ts";
import { colourful, complain, GREEN, paint, print, printWrapped, RED } from "./output.ts";

const NAME_TIMEOUT_MS = 5000;

export async function check(
  command: ConfigCommand & { readonly probe: boolean },
): Promise<number> {
  const read = await readCommandConfig(command);
  if (read.kind === "usage") {
    complain(read.message);
    return EXIT_USAGE;
  }
  const { errors, warnings } = read.kind === "errors"
    ? { errors: read.errors, warnings: [] }
    : await lookAround(read.config, read.input);
  for (const warning of warnings) complain(`warning: ${warning}`);
  if (read.kind === "errors" || errors.length > 0) {
    complain(formatConfigErrors(errors));
    complain(errors.length === 1 ? "1 error" : `${errors.length} errors`);
    return EXIT_CONFIG;
  }
  if (!command.probe) {
    print(formatConfig(read.config));
    return EXIT_OK;
  }
  let allWell = true;
  for (const pool of read.config.pools) {
    print(`pool ${pool.name}: health by ${pool.health.probe}, load by ${describeSources(pool)}\n`);
    const answers = await probePool(pool);
    for (const { backend, well, text } of answers) {
      allWell &&= well;
      printWrapped(
        `  ${paint(well ? "ok  " : "FAIL", well ? GREEN : RED, colourful())} ${backend}: ${
          printable(text)
        }\n`,
      );
    }
  }
  return allWell ? EXIT_OK : EXIT_FAILURE;
}

/** What a sound configuration asks for and this machine does not have, or not as it should be. */
async function lookAround(
  config: Config,
  input: ConfigInput,
): Promise<{ readonly errors: readonly ConfigError[]; readonly warnings: readonly string[] }> {
  const errors: ConfigError[] = [];
  try {
    if (config.user !== undefined) findUser(config.user);
  } catch (error) {
    errors.push(faultAt(input, ["user"], messageOf(error)));
  }
  const located = await compileLocations(config);
  if (!located.ok) errors.push(databaseFault(input, located.message));
  return {
    errors: sortConfigErrors(errors),
    warnings: [...odditiesOf(config), ...(located.ok ? located.value.warnings : [])],
  };
}

interface ProbeAnswer {
  readonly backend: string;
  readonly well: boolean;
  readonly text: string;
}

async function probePool(pool: PoolConfig): Promise<ProbeAnswer[]> {
  await using probe = createHealthProbe(pool.health, SYSTEM_CLOCK) ?? null;
  await using sources = new LoadSources(loadSourceMaker(SYSTEM_CLOCK, Math.random));
  await sources.assign(pool.backends, pool.load);
  return await Promise.all(pool.backends.map(async (backend) => {
    const found = await resolve(backend.address, AbortSignal.timeout(NAME_TIMEOUT_MS));
    if (!found.ok) return { backend: backend.id, well: false, text: found.message };
    const health = await probe?.run(
      backend,
      found.value,
      AbortSignal.timeout(pool.health.timeoutMs),
    );
    const { timeoutMs } = backend.load ?? pool.load;
    const load = await sources.of(backend.id)?.sample(backend, AbortSignal.timeout(timeoutMs));
    const texts: string[] = [];
    if (health !== undefined) {
      texts.push(health.ok ? health.detail ?? "answers" : health.reason);
    }
    if (load !== undefined) texts.push(describeLoad(load, backend));
    const well = health?.ok !== false && (load === undefined || invites(load));
    return { backend: backend.id, well, text: texts.join("; ") };
  }));
}

/** The pool's source, and those of backends that have another. */
function describeSources({ load, backends }: PoolConfig): string {
  const others = backends.flatMap(({ id, load: own = load }) =>
    own.source === load.source ? [] : [`${id} by ${own.source}`]
  );
  return others.length === 0 ? load.source : `${load.source} (${others.join(", ")})`;
}

/** Whether a load source answers and has nothing against sessions. */
function invites(result: LoadResult): boolean {
  if (result.kind === "failed" || result.kind === "offline") return false;
  if (result.kind !== "advice") return true;
  const standing = new AgentStanding();
  standing.heed(result.advice);
  return standing.objection === undefined;
}

function describeLoad(result: LoadResult, backend: Backend): string {
  if (result.kind === "failed") return `no load: ${result.reason}`;
  if (result.kind === "sample") return describeSample(result.sample, backend);
  if (result.kind !== "advice") return `the load source says ${result.kind.toUpperCase()}`;
  const said = `its agent says ${describeAdvice(result.advice)}`;
  return result.sample === undefined ? said : `${said}; ${describeSample(result.sample, backend)}`;
}

function describeSample(sample: LoadSample, backend: Backend): string {
  const { load1, cores } = sample;
  const known = backend.cores ?? cores;
  const load = known === undefined
    ? `load ${load1.toFixed(2)}, cores unknown`
    : `load ${load1.toFixed(2)} of ${known} cores, ${toDecimals(known - load1, 2)} free`;
  return [load, ...describeSignals(sample)].join("; ");
}

/** What some load sources tell besides. */
function describeSignals(sample: LoadSample): string[] {
  const { memoryAvailableBytes, memoryTotalBytes, cpuPressure, memoryPressure, loginSessions } =
    sample;
  const texts: string[] = [];
  if (memoryAvailableBytes !== undefined) {
    const of = memoryTotalBytes === undefined ? "" : ` of ${describeSize(memoryTotalBytes)}`;
    texts.push(`${describeSize(memoryAvailableBytes)}${of} memory available`);
  }
  if (cpuPressure !== undefined) {
    texts.push(`waiting for a CPU ${describePercent(cpuPressure)} of the time`);
  }
  if (memoryPressure !== undefined) {
    texts.push(`waiting for memory ${describePercent(memoryPressure)} of the time`);
  }
  if (loginSessions !== undefined) {
    texts.push(loginSessions === 1 ? "1 person logged in" : `${loginSessions} people logged in`);
  }
  return texts;
}
