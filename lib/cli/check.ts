// `compute-lb check`: validates a configuration; with --effective it shows what it comes to, with --probe it
// listens on every address for a moment, tries the recording and asks every backend once, as the running
// balancer would.

import { NAME_TIMEOUT_MS } from "../app/backend_names.ts";
import { describeSources, LoadSources } from "../app/load_sources.ts";
import { mergeDiscovered } from "../app/merged_backends.ts";
import { loadSourceMaker } from "../app/parts.ts";
import type { Config, FrontendConfig, PoolConfig } from "../config/config.ts";
import { formatConfigErrors } from "../config/config_error.ts";
import { formatConfig } from "../config/write_config.ts";
import { describeReturn, frontendReached } from "../config/loops.ts";
import { defaultPortOf } from "../config/references.ts";
import { warningsOf } from "../config/warnings.ts";
import { AgentStanding, describeAdvice } from "../core/pool/agent_advice.ts";
import type { Address } from "../core/values/address.ts";
import { type Backend, MAX_BACKENDS } from "../core/pool/backend.ts";
import { counted } from "../core/values/counted.ts";
import type { LoadResult, LoadSample } from "../core/pool/load.ts";
import { formatDuration } from "../core/values/duration.ts";
import { printable } from "../core/values/printable.ts";
import { describePercent } from "../core/watch/shortages.ts";
import { describeSize } from "../core/values/size.ts";
import { toDecimals } from "../core/values/thousandths.ts";
import { endOf, follow } from "../discovery/followed.ts";
import type { DiscoveredList } from "../discovery/discovery_source.ts";
import {
  createDiscoverySource,
  type DiscoverySourceConfig,
  nameOfSource,
} from "../discovery/registry.ts";
import { createHealthProbe } from "../health/registry.ts";
import { SYSTEM_CLOCK } from "../host/clock.ts";
import { ownAddresses } from "../host/own_addresses.ts";
import { resolve } from "../host/resolve.ts";
import { type ConfigCommand, readRunnableConfig } from "./config_source.ts";
import { EXIT_CONFIG, EXIT_FAILURE, EXIT_OK, EXIT_USAGE } from "./exit_code.ts";
import { colourful, complain, GREEN, paint, print, printWrapped, RED } from "./output.ts";
import { diff } from "./reload.ts";
import { tryFeeds } from "./feed_trial.ts";
import { tryNamedFiles } from "./named_files.ts";
import { type Trial, tryListening, tryRecording, tryState } from "./trial_listen.ts";

/** sshd greets at once, unless it looks the client's name up first. */
const GREETING_MS = 1000;

export async function check(
  command: ConfigCommand & {
    readonly probe: boolean;
    readonly effective: boolean;
    readonly diff: boolean;
  },
): Promise<number> {
  const read = await readRunnableConfig(command);
  if (read.kind === "usage") {
    complain(read.message);
    return EXIT_USAGE;
  }
  if (read.kind === "errors") {
    complain(formatConfigErrors(read.errors));
    complain(counted(read.errors.length, "error"));
    return EXIT_CONFIG;
  }
  const { config, locations } = read;
  for (const warning of [...warningsOf(config), ...locations.warnings]) {
    complain(`warning: ${warning}`);
  }
  if (command.effective) print(formatConfig(config));
  const files = [...await tryNamedFiles(config), ...await tryState(config)];
  if (command.probe) return await tryIt(config, files);
  for (const { what, text } of files) complain(`warning: ${what}: ${text}`);
  if (command.diff) {
    const { configFile, overrides: { adminSocket } } = command;
    const places = {
      ...(configFile === undefined ? {} : { configFile }),
      ...(adminSocket === undefined ? {} : { adminSocket }),
    };
    return await diff(places, configFile);
  }
  // The configuration alone can be read back.
  if (!command.effective) print("ok\n");
  return EXIT_OK;
}

/** Listens on every address for a moment, asks every source and backend once, and shows what came of it. */
async function tryIt(config: Config, files: readonly Trial[]): Promise<number> {
  const { frontends, http, admin } = await tryListening(config);
  for (const [name, trials] of frontends) show(`frontend ${name}`, trials);
  if (http.length > 0) show("admin.http", http);
  if (admin !== undefined) show("admin socket", [admin]);
  if (files.length > 0) show("files", files);
  const recording = await tryRecording(config);
  if (recording !== undefined) show("recording", [recording]);
  const all = [...frontends.values(), http, files, admin ?? [], recording ?? []].flat();
  for (const configured of config.pools) {
    const { sources, pool } = await askSources(config, configured);
    if (sources.length > 0) show(`pool ${pool.name}: discovery`, sources);
    all.push(...sources);
    const trials = [...await tryFeeds(pool), ...await probePool(pool, config.frontends)];
    show(
      `pool ${pool.name}: health by ${pool.health.probe}, load by ${describeSources(pool)}`,
      trials,
    );
    all.push(...trials);
  }
  const failed = all.filter(({ well }) => !well).length;
  print(failed === 0 ? "ok\n" : `${failed} of ${all.length} FAIL\n`);
  return failed === 0 ? EXIT_OK : EXIT_FAILURE;
}

function show(heading: string, trials: readonly Trial[]): void {
  print(`${heading}\n`);
  for (const { what, well, text } of trials) {
    const verdict = paint(well ? "ok  " : "FAIL", well ? GREEN : RED, colourful());
    printWrapped(`  ${verdict} ${what}: ${printable(text)}\n`);
  }
}

/** How long a source may take to name its backends. */
const LIST_MS = 10_000;
/** So many entries that cannot be used are shown. */
const MOST_SKIPPED = 5;

/** Asks every discovery source of a pool once. @returns what came of it, and the pool with its backends. */
async function askSources(
  { frontends, ...config }: Config,
  pool: PoolConfig,
): Promise<{ sources: Trial[]; pool: PoolConfig }> {
  const asked = await Promise.all(pool.discovery.map(askSource));
  const own = ownAddresses();
  const { backends, leftOut } = mergeDiscovered(
    pool,
    asked.map(({ list }) => list?.backends ?? []),
    defaultPortOf({ frontends, ...config }, pool.name),
    (address) => frontendReached(frontends, pool.name, address, own),
  );
  const sources = asked.flatMap(({ what, list, text }) => {
    const { backends = [], skipped = [] } = list ?? {};
    const unusable = skipped.slice(0, MOST_SKIPPED).map((text) => ({ what, well: false, text }));
    const more = skipped.length - unusable.length;
    const names = `names ${counted(backends.length, "backend")}` +
      (more > 0 ? `, and ${more} more entries that cannot be used` : "");
    return [{ what, well: list !== undefined, text: text ?? names }, ...unusable];
  });
  const unused = leftOut.map((text) => ({ what: "left out", well: false, text }));
  const full = pool.discovery.length > 0 && backends.length > MAX_BACKENDS
    ? [{
      what: "all",
      well: false,
      text: `${backends.length} backends: at most ${MAX_BACKENDS} fit`,
    }]
    : [];
  return { sources: [...sources, ...unused, ...full], pool: { ...pool, backends } };
}

async function askSource(config: DiscoverySourceConfig) {
  const what = nameOfSource(config);
  const said: string[] = [];
  const source = createDiscoverySource(config, {
    clock: SYSTEM_CLOCK,
    random: Math.random,
    isTrial: true,
    say: (_, text) => said.push(text),
    waits: (reason) => said.unshift(reason),
  });
  const stop = new AbortController();
  const { promise, resolve } = Promise.withResolvers<{ list?: DiscoveredList; text?: string }>();
  const following = follow(source, stop.signal, {
    clock: SYSTEM_CLOCK,
    random: Math.random,
    took: (list) => resolve({ list }),
    failed: (text) => resolve({ text }),
  });
  const late = () => resolve({ text: said[0] ?? `no list within ${formatDuration(LIST_MS)}` });
  const deadline = SYSTEM_CLOCK.sleep(LIST_MS, stop.signal).then(late, () => {});
  const { list, text } = await promise;
  stop.abort();
  await Promise.all([deadline, endOf(following, SYSTEM_CLOCK)]);
  return { what, list, text };
}

async function probePool(
  pool: PoolConfig,
  frontends: readonly FrontendConfig[],
): Promise<Trial[]> {
  const { sendProxy } = pool;
  const probe = createHealthProbe({ ...pool.health, sendProxy }, SYSTEM_CLOCK);
  await using sources = new LoadSources(loadSourceMaker(SYSTEM_CLOCK, Math.random));
  await sources.assign(pool.backends, pool.load);
  const own = ownAddresses();
  return await Promise.all(pool.backends.map(async (backend) => {
    const found = await resolve(backend.address, AbortSignal.timeout(NAME_TIMEOUT_MS));
    const what = backend.id;
    if (!found.ok) return { what, well: false, text: found.message };
    for (const address of found.value) {
      const frontend = frontendReached(frontends, pool.name, address, own);
      if (frontend !== undefined) {
        return { what, well: false, text: describeReturn(address, frontend) };
      }
    }
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
    if (
      pool.health.probe === "tcp" && health?.ok === true &&
      await greets(backend, found.value, sendProxy)
    ) {
      texts.push("it greets with SSH-, so health: { probe: banner } would see more");
    }
    if (load !== undefined) texts.push(describeLoad(load, backend));
    const well = health?.ok !== false && (load === undefined || invites(load));
    return { what, well, text: texts.join("; ") };
  }));
}

/** Whether a backend speaks first, and as sshd does. */
async function greets(
  backend: Backend,
  addresses: readonly Address[],
  sendProxy: PoolConfig["sendProxy"],
): Promise<boolean> {
  const signal = AbortSignal.timeout(GREETING_MS);
  const wanted = { probe: "banner", expect: "SSH-", timeoutMs: GREETING_MS, sendProxy } as const;
  const probe = createHealthProbe(wanted, SYSTEM_CLOCK);
  return (await probe?.run(backend, addresses, signal))?.ok === true;
}

/** Whether a load source answers and has nothing against sessions. */
function invites(result: LoadResult): boolean {
  if (result.kind === "failed" || result.kind === "offline") return false;
  if (result.kind !== "advice") return true;
  const standing = new AgentStanding();
  standing.apply(result.advice);
  return standing.objection === undefined;
}

function describeLoad(result: LoadResult, backend: Backend): string {
  if (result.kind === "failed") return `no load: ${result.reason}`;
  if (result.kind === "sample") return describeSample(result.sample, backend);
  if (result.kind === "offline" && result.reason !== undefined) return result.reason;
  if (result.kind !== "advice") return `the load source says ${result.kind.toUpperCase()}`;
  const said = `its agent says ${describeAdvice(result.advice)}`;
  return result.sample === undefined ? said : `${said}; ${describeSample(result.sample, backend)}`;
}

function describeSample(sample: LoadSample, backend: Backend): string {
  const { load1, cores } = sample;
  const known = backend.cores ?? cores;
  const load = known === undefined
    ? `load ${
      load1.toFixed(2)
    }, cores unknown (write ${backend.id}=CORES in lb.conf, or for nrpe let ` +
      "the command be check_load -r)"
    : `load ${load1.toFixed(2)} of ${counted(known, "core")}, ${toDecimals(known - load1, 2)} free`;
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
