// The real program spreads a class that logs in, as the simulator says it does: 60 logins in 60 s over four
// unequal servers, whose real NRPE daemons report a load that lags as the kernel's does. Four such classes
// at once, each with a balancer and servers of its own. Takes as long as the class does: the kernel's
// minute cannot be hurried. How near the two are depends on the machine: the figures are printed, and
// asserted is only that the real program is nearer to its simulation than to a herd.

import { assert } from "@std/assert";
import { BASELINES } from "../support/simulation/baselines.ts";
import { Chance } from "../support/chance.ts";
import { ClusterSimulation } from "../support/simulation/cluster.ts";
import { leastLoad } from "../support/simulation/own_placers.ts";
import type { PlacerMaker } from "../support/simulation/placer.ts";
import { estimateMean } from "../support/simulation/statistics.ts";
import type { Behaviour } from "../support/simulation/workload.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { BUSY, IDLE, LoadedServer } from "../peers/loaded_server.ts";
import { Balancer } from "../support/balancer.ts";
import { readExactly } from "../support/bytes.ts";
import { requirePeer } from "../support/require_peer.ts";

const CORES = [4, 8, 16, 24] as const;
/** Tasks that run anyway: the largest server is not the one with most room. */
const BASE = [0, 4, 2, 18] as const;
const LOGINS = 60;
const OVER_SECONDS = 60;
const POLL_SECONDS = 10;
/** From the first samples to the first login. */
const BEFORE_SECONDS = 2;
/** Every third session keeps a core busy from its login on. */
const BUSY_EVERY = 3;
/** Seeds of the real classes, and of the simulated ones. */
const CLASSES = [1, 2, 3, 4] as const;
const SEEDS = Array.from({ length: 40 }, (_, index) => index + 1);
/** By how much a herd must be told from a fair share for the comparison to say anything. */
const MARGIN = 0.6;

/**
 * Largest share of the logins that one server got ÷ its share of the cores that were free before: 1 is
 * fair, and a herd that goes to the roomiest server alone is at 2.
 */
function herdIndex(logins: readonly number[]): number {
  const free = CORES.map((cores, index) => cores - (BASE[index] ?? 0));
  const most = logins.indexOf(Math.max(...logins));
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
  return (logins[most] ?? NaN) / sum(logins) / ((free[most] ?? NaN) / sum(free));
}

/** Seconds at which a class logs in: those that the simulator draws from the same seed. */
function arrivals(seed: number): number[] {
  const chance = new Chance(seed, 2);
  return Array.from({ length: LOGINS }, () => chance.next() * OVER_SECONDS).sort((a, b) => a - b);
}

/** Sessions that stay; every third runs one task for ever. */
function pupils(): Behaviour {
  let logins = 0;
  return {
    meanWork: Infinity,
    next(step) {
      const isBusy = step.phase === 0 && logins++ % BUSY_EVERY === 0;
      step.phase = 1;
      step.pause = isBusy ? 0 : Infinity;
      step.threads = isBusy ? 1 : 0;
      step.seconds = 1e9;
    },
  };
}

function simulate(make: PlacerMaker): number {
  return estimateMean(SEEDS.map((seed) => {
    const outcome = new ClusterSimulation(
      {
        cores: CORES,
        base: BASE,
        streams: [],
        polls: { intervalSeconds: POLL_SECONDS, jitter: 0.1, delaySeconds: 0.05, loss: 0 },
        balancers: 1,
        classStart: {
          at: BEFORE_SECONDS,
          sessions: LOGINS,
          overSeconds: OVER_SECONDS,
          behaviour: pupils(),
        },
        warmUpSeconds: 0,
        measureSeconds: BEFORE_SECONDS + OVER_SECONDS + 1,
      },
      make,
      seed,
    ).run();
    return outcome.largestShare / outcome.fairShare;
  })).mean;
}

/** Lets one class log in to a balancer of its own; logins by server. */
async function realClass(seed: number): Promise<number[]> {
  const phases = new Chance(seed, 1);
  await using stack = new AsyncDisposableStack();
  const servers = await Promise.all(CORES.map(async (cores, index) =>
    stack.use(
      await LoadedServer.start({
        address: `127.21.${seed}.${index + 1}`,
        cores,
        base: BASE[index] ?? 0,
        firstStepMs: phases.next() * 5000,
      }),
    )
  ));
  const balancer = stack.use(await Balancer.start({ config: configOf(servers) }));
  const port = await balancer.port("ssh");
  await balancer.until(
    "every load",
    ({ pools }) =>
      pools[0]?.backends.every(({ load1, state }) => load1 !== null && state === "up") ?? false,
  );
  const begin = SYSTEM_CLOCK.now() + BEFORE_SECONDS * 1000;
  const never = new AbortController().signal;
  const clients = stack.adopt<Deno.Conn[]>([], (conns) => conns.forEach((conn) => conn.close()));
  await Promise.all(
    arrivals(seed).map(async (seconds, index) => {
      await SYSTEM_CLOCK.sleep(begin + seconds * 1000 - SYSTEM_CLOCK.now(), never);
      const client = await Deno.connect({ hostname: "127.0.0.1", port });
      clients.push(client);
      await client.write(Uint8Array.of(index % BUSY_EVERY === 0 ? BUSY : IDLE));
      await readExactly(client, 1);
    }),
  );
  return servers.map(({ sessions }) => sessions);
}

function configOf(servers: readonly LoadedServer[]): string {
  const backends = servers.map(({ address, options, nrped }) =>
    `      - { address: "${address}", cores: ${options.cores}, ` +
    `load_address: "${nrped.address}:${nrped.port}" }`
  );
  return `
frontends:
  ssh: { listen: "127.0.0.1:0" }
pools:
  compute:
    strategy: least_load
    backends:
${backends.join("\n")}
    load: { source: nrpe, interval: ${POLL_SECONDS}s }
`;
}

Deno.test({
  ...requirePeer("nrpe"),
  name: "least_load spreads a class in the real program as it does in the simulator",
  fn: async () => {
    const simulated = simulate(leastLoad());
    const ancestor = simulate(BASELINES.cores_minus_load);
    const classes = await Promise.all(CLASSES.map(realClass));
    const indices = classes.map(herdIndex);
    const real = estimateMean(indices).mean;
    const figures = `herd index: real ${real.toFixed(2)} (${
      indices.map((index) => index.toFixed(2)).join(", ")
    }; ` +
      `logins ${
        classes.map((logins) => logins.join("/")).join(", ")
      }), ` +
      `simulated ${simulated.toFixed(2)}, cores - load1 simulated ${ancestor.toFixed(2)}`;
    console.log(figures);
    assert(ancestor > simulated + MARGIN, figures);
    assert(Math.abs(real - simulated) < Math.abs(real - ancestor), figures);
  },
});
