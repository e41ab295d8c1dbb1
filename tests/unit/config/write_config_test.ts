import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Address, formatAddress } from "../../../lib/core/values/address.ts";
import type { Backend } from "../../../lib/core/pool/backend.ts";
import {
  type Config,
  ENGINE_KINDS,
  type FrontendConfig,
  HEALTH_PROBES,
  type HealthConfig,
  LOAD_SOURCES,
  type LoadConfig,
  type LocationConfig,
  LOG_FORMATS,
  LOG_LEVELS,
  type MemoryConfig,
  type PoolConfig,
  type PressureConfig,
  STICKY_BY,
  WHEN_FULL,
} from "../../../lib/config/config.ts";
import { FALLBACK_NAMES, STRATEGY_NAMES } from "../../../lib/strategy/registry.ts";
import { formatConfig } from "../../../lib/config/write_config.ts";
import { leadsBack } from "../../../lib/config/loops.ts";
import { readConfig } from "../../../lib/config/read_config.ts";
import { address, cores, network, socketPath, tcpAddress } from "../../support/arbitraries.ts";

const HOUR = 3_600_000;
const LONGEST = 24 * 24 * HOUR;

/** What holds where nothing is said: keys that no arbitrary here names have it. */
const SILENT = silent();

function silent() {
  const read = readConfig({ overrides: { listen: [":1"], backends: ["a"] } });
  if (!read.ok) throw new Error("Cannot read a configuration that says only what it must");
  const { frontends: [frontend], pools: [pool], ...rest } = read.config;
  if (frontend === undefined || pool === undefined) throw new Error("Cannot find what was read");
  const { listen: _listen, name: _name, pool: _pool, location: _location, ...ofFrontend } =
    frontend;
  return { whole: rest, frontend: ofFrontend, pool };
}

/** Values with the defaults of keys that they do not have. */
function over<T extends object>(
  defaults: T,
  values: fc.Arbitrary<{ readonly [K in keyof T]?: T[K] }>,
): fc.Arbitrary<T> {
  return values.map((one) => ({ ...defaults, ...one }));
}

function span(from: number, to: number): fc.Arbitrary<number> {
  return fc.integer({ min: from, max: to });
}

function orOff(values: fc.Arbitrary<number>): fc.Arbitrary<number> {
  return fc.oneof(fc.constant(0), values);
}

const name = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_-]{0,10}$/)
  .filter((text) => text !== "__proto__");
const line = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 })
  .filter((text) => !/\p{Cc}/u.test(text));
const absolute = line.map((text) => `/${text}`);
const user = fc.stringMatching(/^[a-z_][a-z0-9_.-]{0,12}$/);
const port = span(1, 65535);

const nrpe: fc.Arbitrary<LoadConfig["nrpe"]> = over(
  SILENT.pool.load.nrpe,
  fc.oneof(
    fc.record({
      port,
      command: line,
      tls: fc.constantFrom("auto" as const, "off" as const, "anonymous" as const),
      verifyName: fc.boolean(),
    }),
    fc.record({
      port,
      command: line,
      tls: fc.constantFrom("auto" as const, "certificates" as const),
      ca: absolute,
      certificate: absolute,
      key: absolute,
      verifyName: fc.boolean(),
    }),
  ),
);

const ssh: fc.Arbitrary<LoadConfig["ssh"]> = over(
  SILENT.pool.load.ssh,
  fc.record({
    user,
    port,
    identityFile: absolute,
    configFile: absolute,
    options: fc.array(line.map((text) => `Name=${text}`), { maxLength: 3 }),
  }, { requiredKeys: ["options"] }),
);

const agent: fc.Arbitrary<LoadConfig["agent"]> = over(
  SILENT.pool.load.agent,
  fc.record({
    port,
    send: fc.oneof(fc.constant(""), line),
  }),
);

const gmond: fc.Arbitrary<LoadConfig["gmond"]> = over(
  SILENT.pool.load.gmond,
  fc.record(
    { port, address: tcpAddress(1) },
    { requiredKeys: ["port"] },
  ),
);

const jsonPath = fc.array(fc.stringMatching(/^[A-Za-z0-9_-]{1,6}$/), { minLength: 1, maxLength: 3 })
  .map((steps) => steps.join("."));

const http: fc.Arbitrary<LoadConfig["http"]> = over(
  SILENT.pool.load.http,
  fc.record({
    url: fc.constantFrom("http://{host}:9777/", "https://[::1]/{backend}?x=1", "http://m:{port}/a"),
    fields: fc.record({
      load1: jsonPath,
      cores: jsonPath,
      memory_available_bytes: jsonPath,
      memory_total_bytes: jsonPath,
      cpu_pressure: jsonPath,
      memory_pressure: fc.constant("off"),
      sessions: jsonPath,
    }),
    headers: fc.dictionary(name, fc.stringMatching(/^[!-~]{1,9}$/), { noNullPrototype: true }),
    tokenFile: absolute,
    ca: absolute,
  }, { requiredKeys: ["url", "fields", "headers"] }),
);

const load: fc.Arbitrary<LoadConfig> = fc.record({
  source: fc.constantFrom(...LOAD_SOURCES),
  times: fc.tuple(span(100, HOUR), span(0, 100), span(0, HOUR)),
  nrpe,
  ssh,
  agent,
  gmond,
  http,
  command: fc.array(line, { minLength: 1, maxLength: 3 }),
}).map(({ times: [intervalMs, part, more], command, ...rest }) => ({
  ...SILENT.pool.load,
  ...rest,
  intervalMs,
  timeoutMs: Math.max(10, Math.floor(intervalMs * part / 100)),
  maxAgeMs: intervalMs + more,
  exec: { command },
}));

const health: fc.Arbitrary<HealthConfig> = fc.record({
  probe: fc.constantFrom(...HEALTH_PROBES),
  times: fc.tuple(span(100, HOUR), span(0, 100)),
  rise: span(1, 100),
  fall: span(1, 100),
  expect: line,
}).map(({ times: [intervalMs, part], ...rest }) => ({
  ...SILENT.pool.health,
  ...rest,
  intervalMs,
  timeoutMs: Math.max(10, Math.floor(intervalMs * part / 100)),
}));

const hundredths = span(100, 10_000).map((count) => count / 10_000);

const memory: fc.Arbitrary<MemoryConfig> = over(
  SILENT.pool.memory,
  fc.record({
    minAvailable: fc.oneof(
      span(0, 2 ** 50).map((bytes) => ({ bytes })),
      span(1, 9_000).map((count) => ({ share: count / 10_000 })),
    ),
    weight: span(0, 1000).map((count) => count / 1000),
  }),
);

const pressure: fc.Arbitrary<PressureConfig> = over(
  SILENT.pool.pressure,
  fc.record(
    { correctLoad: fc.boolean(), maxCpu: hundredths, maxMemory: hundredths },
    { requiredKeys: ["correctLoad"] },
  ),
);

const backend: fc.Arbitrary<Backend> = fc.record({
  address: address(1),
  cores,
  weight: fc.integer({ min: 0, max: 256_000 }).filter((thousandths) => thousandths !== 1000)
    .map((thousandths) => thousandths / 1000),
  maxConnections: orOff(span(1, 1_000_000)),
  loadAddress: tcpAddress(1),
}, { requiredKeys: ["address", "maxConnections"] })
  .map((parts) => ({ ...parts, id: formatAddress(parts.address) }));

function isAskable(where: Backend, { source, gmond }: LoadConfig): boolean {
  const asked = where.loadAddress ?? where.address;
  return asked.transport === "tcp" || (!["nrpe", "ssh", "agent"].includes(source) &&
    (source !== "gmond" || gmond.address !== undefined));
}

function pool(poolName: string): fc.Arbitrary<PoolConfig> {
  return over(
    SILENT.pool,
    fc.record({
      name: fc.constant(poolName),
      strategy: fc.constantFrom(...STRATEGY_NAMES),
      fallback: fc.constantFrom(...FALLBACK_NAMES),
      hashBalance: orOff(span(101, 10_000)),
      sticky: over(
        SILENT.pool.sticky,
        fc.record({ by: fc.constantFrom(...STICKY_BY), ttlMs: span(1000, 366 * 24 * HOUR) }),
      ),
      pace: over(
        SILENT.pool.pace,
        fc.record({ sessions: orOff(span(1, 10_000)), withinMs: span(1000, HOUR) }),
      ),
      queue: over(
        SILENT.pool.queue,
        fc.record({ timeoutMs: orOff(span(1, HOUR)), max: span(1, 10_000) }),
      ),
      connect: over(
        SILENT.pool.connect,
        fc.record({ timeoutMs: span(10, HOUR), retries: span(0, 31) }),
      ),
      backends: fc.uniqueArray(backend, {
        minLength: 1,
        maxLength: 4,
        selector: ({ id }) => id.toLowerCase(),
      }),
      load,
      health,
      memory,
      pressure,
      slowStartMs: orOff(span(1000, HOUR)),
      outliers: over(
        SILENT.pool.outliers,
        fc.record({
          failures: orOff(span(1, 1000)),
          ejectionMs: span(1000, 24 * HOUR),
          maxEjectedShare: span(100, 10_000).map((hundredths) => hundredths / 10_000),
        }),
      ),
      blackHoles: over(
        SILENT.pool.blackHoles,
        fc.record({ sessions: orOff(span(3, 1000)), holdMs: span(1000, 24 * HOUR) }),
      ),
      panic: over(
        SILENT.pool.panic,
        fc.record({
          belowShare: orOff(span(100, 10_000)).map((hundredths) => hundredths / 10_000),
          lastResort: fc.boolean(),
        }),
      ),
    }),
  ).filter((one) => one.backends.every((where) => isAskable(where, one.load)));
}

function listenKey(where: Address): string {
  return formatAddress(where).toLowerCase().replace(/^(0\.0\.0\.0|\[::\]):/, ":");
}

const listen = fc.oneof(
  address(0),
  port.map((number): Address => ({ transport: "tcp", host: "", port: number })),
);

const countries = fc.array(fc.stringMatching(/^[A-Z]{2}$/), { maxLength: 2 });

/** Rules that lead to the frontend's own pool. */
function location(pool: string): fc.Arbitrary<readonly LocationConfig[]> {
  const rule = fc.record({
    networks: fc.array(network, { maxLength: 3 }),
    countries,
    pool: fc.constant(pool),
  });
  return fc.array(
    rule.filter((one) => one.networks.length + one.countries.length > 0),
    { maxLength: 3 },
  );
}

const lists = fc.array(fc.oneof(network, fc.record({ file: absolute })), { maxLength: 3 });

const frontend: fc.Arbitrary<Omit<FrontendConfig, "name" | "pool" | "location">> = fc.record({
  mode: fc.constant("tcp" as const),
  listen: fc.uniqueArray(listen, { minLength: 1, maxLength: 3, selector: listenKey }),
  maxConnections: orOff(span(1, 1_000_000)),
  whenFull: fc.constantFrom(...WHEN_FULL),
  allow: lists,
  deny: lists,
  perSource: fc.record({
    maxConnections: orOff(span(1, 1_000_000)),
    rate: fc.record({ connections: span(1, 1_000_000), windowMs: span(1000, 24 * HOUR) }),
    penaltyMs: orOff(span(1000, 24 * HOUR)),
  }, { requiredKeys: ["maxConnections", "penaltyMs"] }),
  idleTimeoutMs: orOff(span(1000, LONGEST)),
}).chain((one) =>
  fc.option(fc.nat({ max: 0o777 }), { nil: undefined })
    .map((socketMode) => ({
      ...SILENT.frontend,
      ...one,
      ...(socketMode === undefined ? {} : { socketMode }),
    }))
);

/** Configurations in which every pool is used, the shape that a sound lb.conf gives. */
const config: fc.Arbitrary<Config> = fc.uniqueArray(name, { minLength: 1, maxLength: 3 })
  .chain((names) =>
    fc.record({
      log: over(
        SILENT.whole.log,
        fc.record({
          level: fc.constantFrom(...LOG_LEVELS),
          format: fc.constantFrom(...LOG_FORMATS),
          access: fc.boolean(),
          decisions: fc.boolean(),
          record: absolute,
        }, { requiredKeys: ["level", "format", "access", "decisions"] }),
      ),
      admin: over(
        SILENT.whole.admin,
        fc.record({
          socket: fc.oneof(
            fc.constantFrom("auto" as const, "off" as const),
            fc.record({ path: socketPath }),
          ),
          http: fc.uniqueArray(
            fc.record({
              transport: fc.constant("tcp" as const),
              host: fc.constantFrom("127.0.0.1", "::1", "localhost", "127.9.9.9"),
              port: fc.nat({ max: 65_535 }),
            }),
            { maxLength: 2, selector: listenKey },
          ),
          httpFromAfar: fc.boolean(),
          tokenFile: absolute,
        }, { requiredKeys: ["socket", "http", "httpFromAfar"] }),
      ),
      engine: over(
        SILENT.whole.engine,
        fc.record({
          kind: fc.constantFrom(...ENGINE_KINDS),
          workers: fc.oneof(fc.constant("auto" as const), span(1, 64)),
          bufferBytes: span(4096, 4 * 1024 ** 2),
          keepalive: over(
            SILENT.whole.engine.keepalive,
            fc.record({
              idleSeconds: orOff(span(1, 9 * 3600)),
              intervalSeconds: span(1, 9 * 3600),
              count: span(1, 127),
              userTimeoutMs: orOff(span(1000, 24 * HOUR)),
            }),
          ),
        }),
      ),
      user,
      shutdownTimeoutMs: orOff(span(1000, LONGEST)),
      locationDatabase: absolute,
      frontends: fc.tuple(
        ...names.map((own) =>
          fc.tuple(frontend, location(own)).map(([rest, location]) => ({
            ...rest,
            name: `f-${own}`,
            pool: own,
            location,
          }))
        ),
      ),
      pools: fc.tuple(...names.map(pool)),
    }, {
      requiredKeys: ["log", "admin", "engine", "shutdownTimeoutMs", "frontends", "pools"],
    }).map((one) => ({ ...SILENT.whole, ...one }))
  )
  .filter(({ admin, frontends, pools, locationDatabase }) => {
    const rules = frontends.flatMap((one) => one.location);
    if (rules.some((one) => one.countries.length > 0) && locationDatabase === undefined) {
      return false;
    }
    const listens = frontends.flatMap((one) => one.listen);
    const backends = pools.flatMap((one) => one.backends);
    if (listens.some((one) => backends.some(({ address }) => leadsBack(one, address)))) {
      return false;
    }
    const all = [...listens, ...admin.http].map(listenKey);
    return new Set(all).size === all.length;
  });

/** Names that are numbers come first in a mapping, whatever was written first. */
function inOrder<T extends { readonly name: string }>(items: readonly T[]): readonly T[] {
  const byName = Object.fromEntries(items.map((item) => [item.name, item]));
  return Object.values(byName);
}

Deno.test("formatConfig() writes what readConfig() reads back the same", () => {
  fc.assert(
    fc.property(config, (one) => {
      const text = formatConfig(one);
      const expected = { ...one, frontends: inOrder(one.frontends), pools: inOrder(one.pools) };
      assertEquals(readConfig({ file: { path: "lb.conf", text } }), { ok: true, config: expected });
    }),
    { numRuns: 300 },
  );
});
