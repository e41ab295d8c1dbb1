// kill -9 at random moments of administration: what the next balancer goes on with is what was acknowledged
// last. An order that was under way may have been kept or not, and nothing in between.

import { assert, assertEquals } from "@std/assert";
import { requestAdmin } from "../../lib/admin/client.ts";
import type { StatusReport } from "../../lib/admin/report.ts";
import { Balancer } from "../support/balancer.ts";
import { TemporaryDirectory } from "../support/run_program.ts";

const KILLS = 200;
/** Sites, each with a state file of its own, whose balancers are killed one after the other. */
const LANES = 4;
/** Clients that order at the same time, each about backends of its own. */
const CLIENTS = 3;
/** A balancer is killed once it has answered some orders, fewer than this … */
const MOST_ORDERS = 8;
/** … and then lives on for less than this. */
const MOST_REST_MS = 20;

const CONFIGURED = Array.from({ length: CLIENTS * 2 }, (_, i) => `127.0.0.1:${i + 1}`);

/** Numbers in [0, 1) that come again with the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let t = Math.imul(state ^ state >>> 15, 1 | state);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
  };
}

interface Request {
  readonly method: string;
  readonly backend: string;
  readonly body?: Readonly<Record<string, unknown>>;
}

/** What is ordered of a backend, as far as it is told; null: nothing, "removed …": by whom and when. */
type Told = string | null;

class Site implements AsyncDisposable {
  readonly folder = new TemporaryDirectory();
  readonly random: () => number;
  /** By backend: what was acknowledged last. */
  readonly acknowledged = new Map<string, Told>();
  /** Requests that were not answered when the balancer was killed. */
  underWay = new Map<string, Request>();
  orders = 0;
  kept = 0;

  constructor(seed: number) {
    this.random = randomOf(seed);
  }

  /** One life of a balancer: what it has restored is compared, then it is ordered about and killed. */
  async live(): Promise<void> {
    await using balancer = await Balancer.start({
      flags: [
        ...["--listen", "127.0.0.1:0", "--engine", "portable", "--load", "none"],
        ...["--health", "none", "--backends", CONFIGURED.join(",")],
        ...["--admin-state", `${this.folder.path}/state.json`],
      ],
    });
    this.#compare(toldBy(await balancer.status()));
    this.underWay = new Map();
    const enough = Promise.withResolvers<void>();
    const until = this.orders + Math.floor(this.random() * MOST_ORDERS);
    const answered = () => this.orders >= until && enough.resolve();
    answered();
    const clients = Array.from(
      { length: CLIENTS },
      (_, client) => this.#orderOn(balancer, client, answered),
    );
    await Promise.race([enough.promise, Promise.all(clients)]);
    await new Promise((resolve) => setTimeout(resolve, this.random() * MOST_REST_MS));
    balancer.signal("SIGKILL");
    await balancer.end();
    await Promise.all(clients);
  }

  /** Whatever was under way is known now: the next life begins with that. */
  #compare(restored: ReadonlyMap<string, Told>): void {
    for (const backend of new Set([...restored.keys(), ...this.acknowledged.keys()])) {
      const [is, was] = [restored.get(backend) ?? null, this.acknowledged.get(backend) ?? null];
      const request = this.underWay.get(backend);
      if (request === undefined || is === was) {
        assertEquals(is, was, backend);
        continue;
      }
      this.kept++;
      assert(
        comesOf(is, request),
        `${backend}: ${is} is neither ${was} nor of ${JSON.stringify(request)}`,
      );
      this.acknowledged.set(backend, is);
    }
  }

  /** Orders until the balancer answers no more; calls `answered` after each answer. */
  async #orderOn(
    { adminSocket }: Balancer,
    client: number,
    answered: () => void,
  ): Promise<void> {
    for (;;) {
      const request = this.#anyRequest(client);
      const { method, backend, body } = request;
      this.underWay.set(backend, request);
      const resource = `/v1/pools/main/backends/${backend}`;
      const answer = await requestAdmin(adminSocket, { method, resource, body });
      if (!answer.ok) return;
      this.underWay.delete(backend);
      this.orders++;
      answered();
      if (answer.status === 404 || answer.status === 409) continue;
      assertEquals(answer.status, 200, JSON.stringify(answer.body));
      this.acknowledged.set(backend, toldOf(answer.body));
    }
  }

  #anyRequest(client: number): Request {
    const choose = <T>(all: readonly [T, ...T[]]): T =>
      all[Math.floor(this.random() * all.length)] ?? all[0];
    // One of each client's is in no configuration.
    const number = client + CLIENTS * Math.floor(this.random() * 3);
    const backend = CONFIGURED[number] ?? `127.0.0.1:${number + 1}`;
    const reason = `no. ${this.orders}`;
    return choose<Request>([
      { method: "PATCH", backend, body: { state: "draining", deadline: "8h", reason } },
      { method: "PATCH", backend, body: { state: choose(["disabled", "enabled", null]), reason } },
      { method: "PATCH", backend, body: { weight: Math.floor(this.random() * 256), reason } },
      { method: "PUT", backend, body: { cores: 1 + Math.floor(this.random() * 64), reason } },
      { method: "DELETE", backend },
    ]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.folder[Symbol.asyncDispose]();
  }
}

function toldBy({ pools: [pool] }: StatusReport): Map<string, Told> {
  const all = [...pool?.backends ?? [], ...pool?.removed ?? []];
  return new Map(all.map((one) => [one.id, toldOf(one)]));
}

/** Of a report of a backend, or of one that was removed. */
function toldOf(report: unknown): Told {
  if (typeof report !== "object" || report === null) return null;
  if ("administration" in report) {
    return report.administration === null ? null : JSON.stringify(report.administration);
  }
  return "by" in report && "at" in report ? `removed ${report.by} ${report.at}` : null;
}

/** Whether what is told may have come of a request. */
function comesOf(told: Told, { method, body = {} }: Request): boolean {
  if (method === "DELETE") return told === null || told.startsWith("removed ");
  // A removal is no longer, and what stood before it may come to light.
  if (body.state === null || body.state === "enabled") {
    return told === null || !/"value":"d/.test(told);
  }
  return told !== null && told.includes(`"reason":"${body.reason}"`);
}

Deno.test(`after kill -9 at ${KILLS} random moments, what was acknowledged last is restored`, async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  console.log(`seed ${seed}`);
  let left = KILLS;
  const lane = async (number: number) => {
    await using site = new Site(seed + number);
    while (left-- > 0) await site.live();
    return site;
  };
  const sites = await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)));
  const sum = (of: (site: Site) => number) => sites.reduce((total, site) => total + of(site), 0);
  console.log(
    `${sum(({ orders }) => orders)} orders, ${sum(({ kept }) => kept)} kept unacknowledged`,
  );
  assert(sum(({ orders }) => orders) > KILLS, "hardly anything was ordered");
});
