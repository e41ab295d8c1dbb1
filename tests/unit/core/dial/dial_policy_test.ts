// What a search for a backend does next, from what came of its attempts.

import { assertEquals } from "@std/assert";
import {
  BY_BACKEND,
  BY_BACKLOG,
  BY_LOCAL_ADDRESS,
  BY_SHORTAGE,
  CLIENT_LEFT,
  CONNECT,
  CONNECT_FAILED,
  type Dial,
  type DialDriver,
  type DialPlan,
  DialPolicy,
  NO_BACKEND,
  OPEN,
  OUT_OF_DESCRIPTORS,
  QUEUE,
  QUEUE_FULL,
  QUEUE_TIMEOUT,
  type QueuePlan,
  WAIT,
} from "../../../../lib/core/dial/dial_policy.ts";
import {
  enterQueue,
  firstInQueue,
  leaveQueue,
  NO_ROOM,
  NOBODY,
  queuedIn,
} from "../../../../lib/core/dial/pool_queue.ts";
import { type Choice, MAX_TRIES, NO_ROW, Tried } from "../../../../lib/core/pick/choice.ts";
import { pick, release } from "../../../../lib/core/pick/pick_kernels.ts";
import {
  ACTIVE,
  CONNECT_FAILURES,
  ELIGIBLE,
  PickTable,
  QUEUE_TIMEOUTS,
  STICKY_SECONDS,
} from "../../../../lib/core/pick/pick_table.ts";
import { Source } from "../../../../lib/core/pick/source.ts";
import { remember } from "../../../../lib/core/pick/sticky.ts";
import { addRow } from "../../../support/tables.ts";

const TIMEOUT_MS = 1000;

const OFF: QueuePlan = { timeoutMs: 0, max: 1 };

class Search implements Dial {
  row = NO_ROW;
  ticket = NO_ROOM;
  queuedMs = 0;
  address = 0;
  attempts = 0;
  startedMs = 0;
  tried: Tried | null = null;
  step = 0;
  constructor(public plan: DialPlan | undefined) {}

  get isQueued(): boolean {
    return this.ticket !== NO_ROOM;
  }
}

class Driver implements DialDriver<Search> {
  picks = 0;
  source = new Source();
  /** By ticket holders' numbers, as engines know clients. */
  who = 0;
  /** Rows that failed, and whether by their own fault. */
  failures: [row: number, isCounted: boolean][] = [];
  next: DialPlan | undefined;

  reserve(
    dial: Search,
    table: PickTable,
    random: number,
    choice: Choice,
    patienceMs: number,
  ): number {
    dial.row = pick(table, dial.tried, random, choice, this.source, patienceMs);
    dial.step = choice.step;
    return dial.row;
  }
  release(dial: Search, table: PickTable): void {
    if (dial.row !== NO_ROW) release(table, dial.row, dial.step);
    dial.row = NO_ROW;
  }
  enter(dial: Search, table: PickTable, max: number): boolean {
    dial.ticket = enterQueue(table, this.who++, max);
    return dial.isQueued;
  }
  leave(dial: Search, table: PickTable): void {
    leaveQueue(table, dial.ticket);
    dial.ticket = NO_ROOM;
  }
  picked(): void {
    this.picks++;
  }
  failed({ row }: Search, isCounted: boolean): void {
    this.failures.push([row, isCounted]);
  }
  renew(dial: Search): boolean {
    const before = dial.plan;
    if (this.next === undefined || this.next === before) return false;
    if (dial.isQueued && before !== undefined && before.table.id !== this.next.table.id) {
      this.leave(dial, before.table);
    }
    dial.plan = this.next;
    return true;
  }
}

/** @param addresses how many each backend has; undefined: the plan does not know what stands in the row. */
function planWith(addresses: readonly (number | undefined)[], connectRetries = 2): DialPlan {
  const table = PickTable.allocate(Math.max(1, addresses.length));
  const taken = new Set<number>();
  for (const _ of addresses) taken.add(addRow(table, taken, {}));
  const endpoints = addresses.map((count) =>
    count === undefined ? undefined : { addresses: new Array<number>(count).fill(0) }
  );
  return { table, endpoints, connectTimeoutMs: TIMEOUT_MS, connectRetries, queue: OFF };
}

function searchBy(plan: DialPlan | undefined) {
  const driver = new Driver();
  const policy = new DialPolicy(driver, () => 0);
  return { driver, policy, dial: new Search(plan) };
}

function places({ table, endpoints }: DialPlan): number[] {
  return endpoints.map((_, row) => table.read(row, ACTIVE));
}

Deno.test("a backend that takes the connection keeps its place", () => {
  const plan = planWith([1, 1]);
  const { driver, policy, dial } = searchBy(plan);
  assertEquals(policy.begin(dial, 0), CONNECT);
  assertEquals([dial.row, dial.address, dial.attempts, policy.timeoutMs(dial)], [0, 0, 1, 1000]);
  assertEquals(policy.connecting(dial, false, 0), TIMEOUT_MS);
  assertEquals(policy.connected(dial), OPEN);
  assertEquals([places(plan), driver.picks, driver.failures], [[1, 0], 1, []]);
});

Deno.test("addresses share their backend's time and are tried before another backend", () => {
  const plan = planWith([2, 1]);
  const { driver, policy, dial } = searchBy(plan);
  policy.begin(dial, 0);
  assertEquals(policy.connecting(dial, false, 0), 500);
  assertEquals(policy.failed(dial, BY_BACKEND, 500), CONNECT);
  assertEquals([dial.row, dial.address, policy.connecting(dial, false, 500)], [0, 1, 1000]);
  assertEquals(driver.failures, []);
  assertEquals(policy.failed(dial, BY_BACKEND, 1000), CONNECT);
  assertEquals([dial.row, dial.address, dial.attempts], [1, 0, 2]);
  assertEquals(driver.failures, [[0, true]]);
  assertEquals([places(plan), plan.table.read(0, CONNECT_FAILURES)], [[0, 1], 1]);
});

Deno.test("after so many retries, or with nobody left, the client is refused", () => {
  for (const [backends, retries, tried] of [[4, 2, 3], [2, 5, 2], [1, 0, 1]] as const) {
    const plan = planWith(new Array(backends).fill(1), retries);
    const { driver, policy, dial } = searchBy(plan);
    let action = policy.begin(dial, 0);
    while (action === CONNECT) action = policy.failed(dial, BY_BACKEND, 0);
    assertEquals([action, dial.attempts, driver.failures.length], [CONNECT_FAILED, tried, tried]);
    assertEquals([dial.tried, places(plan)], [null, new Array(backends).fill(0)]);
  }
});

Deno.test("without a plan, or without an eligible backend, nobody is tried", () => {
  const { policy, dial } = searchBy(undefined);
  assertEquals(policy.begin(dial, 0), NO_BACKEND);
  const plan = planWith([1]);
  plan.table.write(0, ELIGIBLE, 0);
  const other = searchBy(plan);
  assertEquals(other.policy.begin(other.dial, 0), NO_BACKEND);
  // What it saw is told, so that `why` can name the reason.
  assertEquals(other.driver.picks, 1);
});

Deno.test("our shortage waits for as long as a connect may take and shortens nobody's time", () => {
  const plan = planWith([2, 1]);
  const { driver, policy, dial } = searchBy(plan);
  policy.begin(dial, 0);
  assertEquals(policy.failed(dial, BY_SHORTAGE, 400), WAIT);
  assertEquals(policy.connecting(dial, true, 450), 950);
  assertEquals(policy.failed(dial, BY_SHORTAGE, 940), WAIT);
  assertEquals(policy.failed(dial, BY_SHORTAGE, 950), OUT_OF_DESCRIPTORS);
  assertEquals(driver.failures, [[0, false]]);
  assertEquals([places(plan), plan.table.read(0, CONNECT_FAILURES)], [[0, 0], 0]);
});

Deno.test("a full backlog waits, and is the backend's failure in the end", () => {
  const plan = planWith([1], 0);
  const { driver, policy, dial } = searchBy(plan);
  policy.begin(dial, 0);
  assertEquals(policy.failed(dial, BY_BACKLOG, 999), WAIT);
  assertEquals(policy.failed(dial, BY_BACKLOG, 1000), CONNECT_FAILED);
  assertEquals(driver.failures, [[0, true]]);
});

Deno.test("having no address to call from is no backend's failure; another one is tried", () => {
  const plan = planWith([1, 1]);
  const { driver, policy, dial } = searchBy(plan);
  policy.begin(dial, 0);
  assertEquals(policy.failed(dial, BY_LOCAL_ADDRESS, 0), CONNECT);
  assertEquals([dial.row, driver.failures], [1, [[0, false]]]);
  assertEquals(plan.table.read(0, CONNECT_FAILURES), 0);
});

Deno.test("with nobody left, a client begins anew by another plan", () => {
  const before = planWith([1]);
  const { driver, policy, dial } = searchBy(before);
  policy.begin(dial, 0);
  const next = driver.next = planWith([1]);
  assertEquals(policy.failed(dial, BY_BACKEND, 0), CONNECT);
  assertEquals([dial.plan, dial.row, dial.attempts, dial.tried], [next, 0, 1, null]);
  assertEquals([places(before), places(next)], [[0], [1]]);
  // By the same plan it does not.
  assertEquals(policy.failed(dial, BY_BACKEND, 0), CONNECT_FAILED);
});

Deno.test("rows that the plan does not know are passed over and no attempts", () => {
  const plan = planWith([undefined, undefined, 1], 0);
  const { driver, policy, dial } = searchBy(plan);
  assertEquals(policy.begin(dial, 0), CONNECT);
  assertEquals([dial.row, dial.attempts, driver.picks, places(plan)], [2, 1, 1, [0, 0, 1]]);
  const many = searchBy(planWith(new Array(MAX_TRIES + 1).fill(undefined)));
  assertEquals(many.policy.begin(many.dial, 0), NO_BACKEND);
});

Deno.test("a search that the engine ends gives its place back", () => {
  const plan = planWith([1]);
  const { policy, dial } = searchBy(plan);
  policy.begin(dial, 0);
  assertEquals([policy.giveUp(dial, 0), places(plan)], [CONNECT_FAILED, [0]]);
});

/** One backend for each number: its max_connections. */
function fullPool(limits: readonly number[], queue: QueuePlan, connectRetries = 2): DialPlan {
  const table = PickTable.allocate(8, 16, 1024);
  const taken = new Set<number>();
  for (const max of limits) taken.add(addRow(table, taken, { max }));
  const endpoints = limits.map(() => ({ addresses: [0] }));
  return { table, endpoints, connectTimeoutMs: TIMEOUT_MS, connectRetries, queue };
}

const THREE_SECONDS: QueuePlan = { timeoutMs: 3000, max: 100 };

Deno.test("a client waits where all are full, and goes to the first that has a place", () => {
  const plan = fullPool([1, 1], THREE_SECONDS);
  const { driver, policy, dial } = searchBy(plan);
  const standing = [new Search(plan), new Search(plan)];
  for (const one of standing) assertEquals(policy.begin(one, 0), CONNECT);
  assertEquals([policy.begin(dial, 100), dial.isQueued, policy.queueEndMs(dial)], [
    QUEUE,
    true,
    3100,
  ]);
  assertEquals([policy.look(dial, 200), dial.row], [QUEUE, NO_ROW]);
  // What waiting picks saw is nobody's business.
  assertEquals(driver.picks, 2);
  const [first] = standing;
  if (first !== undefined) driver.release(first, plan.table);
  assertEquals([policy.look(dial, 850), dial.row, dial.attempts], [CONNECT, 0, 1]);
  assertEquals([dial.queuedMs, dial.isQueued, dial.startedMs], [750, false, 850]);
  assertEquals([queuedIn(plan.table), places(plan)], [0, [1, 1]]);
});

Deno.test("who comes while others wait waits behind them, though there is a place", () => {
  const plan = fullPool([1], THREE_SECONDS);
  const { driver, policy, dial } = searchBy(plan);
  const standing = new Search(plan);
  policy.begin(standing, 0);
  assertEquals(policy.begin(dial, 0), QUEUE);
  driver.release(standing, plan.table);
  const late = new Search(plan);
  assertEquals([policy.begin(late, 10), firstInQueue(plan.table)], [QUEUE, 0]);
  assertEquals(policy.look(dial, 20), CONNECT);
  assertEquals([firstInQueue(plan.table), policy.look(late, 30)], [1, QUEUE]);
});

Deno.test("a client whose time in the queue is over is refused, and says why", () => {
  const plan = fullPool([1], THREE_SECONDS);
  const { policy, dial, driver } = searchBy(plan);
  policy.begin(new Search(plan), 0);
  policy.begin(dial, 0);
  assertEquals(policy.look(dial, 2999), QUEUE);
  assertEquals([policy.queueOver(dial, 3000), dial.queuedMs], [QUEUE_TIMEOUT, 3000]);
  assertEquals([firstInQueue(plan.table), plan.table.words[QUEUE_TIMEOUTS]], [NOBODY, 1]);
  // The pick of it tells who was full.
  assertEquals(driver.picks, 2);
});

Deno.test("no more wait than may; who comes then is refused at once", () => {
  const plan = fullPool([1], { timeoutMs: 3000, max: 2 });
  const { policy } = searchBy(plan);
  const come = () => policy.begin(new Search(plan), 0);
  assertEquals([come(), come(), come(), come()], [CONNECT, QUEUE, QUEUE, QUEUE_FULL]);
  assertEquals(queuedIn(plan.table), 2);
});

Deno.test("without a queue, and without a backend that would do, nobody waits", () => {
  const off = fullPool([1], OFF);
  const { policy } = searchBy(off);
  assertEquals([0, 1].map(() => policy.begin(new Search(off), 0)), [CONNECT, NO_BACKEND]);
  const down = fullPool([1], THREE_SECONDS);
  const { policy: other, dial } = searchBy(down);
  other.begin(new Search(down), 0);
  assertEquals(other.begin(dial, 0), QUEUE);
  down.table.write(0, ELIGIBLE, 0);
  assertEquals([other.look(dial, 10), dial.isQueued], [NO_BACKEND, false]);
  assertEquals(other.begin(new Search(down), 0), NO_BACKEND);
});

Deno.test("who has tried a backend in vain waits for those that are full", () => {
  const plan = fullPool([0, 1], THREE_SECONDS);
  const { driver, policy, dial } = searchBy(plan);
  const standing = new Search(plan);
  standing.tried = new Tried();
  standing.tried.add(0);
  assertEquals([policy.begin(standing, 0), standing.row], [CONNECT, 1]);
  assertEquals([policy.begin(dial, 0), dial.row], [CONNECT, 0]);
  assertEquals(policy.failed(dial, BY_BACKEND, 500), QUEUE);
  driver.release(standing, plan.table);
  assertEquals([policy.look(dial, 600), dial.row, dial.attempts], [CONNECT, 1, 2]);
  assertEquals([policy.failed(dial, BY_BACKEND, 700), queuedIn(plan.table)], [CONNECT_FAILED, 0]);
});

Deno.test("a client that waits goes by the current plan", () => {
  const before = fullPool([1], THREE_SECONDS);
  const { driver, policy, dial } = searchBy(before);
  policy.begin(new Search(before), 0);
  policy.begin(dial, 0);
  // The same pool, with a backend more.
  const table = before.table;
  addRow(table, new Set([0]));
  const after = driver.next = { ...before, endpoints: [...before.endpoints, { addresses: [0] }] };
  assertEquals([policy.look(dial, 10), dial.row, dial.plan], [CONNECT, 1, after]);

  // Another pool: it waits there, and no longer here.
  const here = fullPool([1], THREE_SECONDS);
  const there = fullPool([1], { timeoutMs: 5000, max: 1 });
  const moving = searchBy(here);
  for (const plan of [here, there]) moving.policy.begin(new Search(plan), 0);
  assertEquals(moving.policy.begin(moving.dial, 0), QUEUE);
  moving.driver.next = there;
  assertEquals(moving.policy.look(moving.dial, 1000), QUEUE);
  assertEquals([queuedIn(here.table), queuedIn(there.table)], [0, 1]);
  assertEquals(moving.policy.queueEndMs(moving.dial), 6000);
  assertEquals(moving.policy.queueOver(moving.dial, 6000), QUEUE_TIMEOUT);
  assertEquals(moving.dial.queuedMs, 6000);
});

Deno.test("who is to come back passes by those who wait, if there is a place for it", () => {
  const plan = fullPool([2, 1], THREE_SECONDS);
  const { driver, policy, dial } = searchBy(plan);
  plan.table.words[STICKY_SECONDS] = 60;
  driver.source.setIpv4(7);
  remember(plan.table, driver.source, 0);
  assertEquals([policy.begin(dial, 0), dial.row], [CONNECT, 0]);
  const stranger = new Source();
  stranger.setIpv4(8);
  driver.source = stranger;
  for (let i = 0; i < 2; i++) policy.begin(new Search(plan), 0);
  assertEquals(policy.begin(new Search(plan), 0), QUEUE);
  driver.release(dial, plan.table);
  driver.source = new Source();
  driver.source.setIpv4(7);
  const back = new Search(plan);
  assertEquals([policy.begin(back, 0), back.row], [CONNECT, 0]);
  const again = new Search(plan);
  assertEquals(policy.begin(again, 0), QUEUE);
});

Deno.test("a search that ends in the queue leaves it", () => {
  const plan = fullPool([1], THREE_SECONDS);
  const { policy } = searchBy(plan);
  policy.begin(new Search(plan), 0);
  const [one, other] = [new Search(plan), new Search(plan)];
  for (const dial of [one, other]) policy.begin(dial, 0);
  assertEquals([policy.left(one, 10), one.queuedMs], [CLIENT_LEFT, 10]);
  assertEquals([firstInQueue(plan.table), policy.giveUp(other, 20)], [1, NO_BACKEND]);
  assertEquals([queuedIn(plan.table), places(plan)], [0, [1]]);
});
