// What a search for a backend does next, from what came of its attempts.

import { assertEquals } from "@std/assert";
import {
  BY_BACKEND,
  BY_BACKLOG,
  BY_LOCAL_ADDRESS,
  BY_SHORTAGE,
  CONNECT,
  CONNECT_FAILED,
  type Dial,
  type DialDriver,
  type DialPlan,
  DialPolicy,
  NO_BACKEND,
  OPEN,
  OUT_OF_DESCRIPTORS,
  WAIT,
} from "../../../../lib/core/dial/dial_policy.ts";
import { type Choice, MAX_TRIES, NO_ROW, type Tried } from "../../../../lib/core/pick/choice.ts";
import { pick, release } from "../../../../lib/core/pick/pick_kernels.ts";
import {
  ACTIVE,
  CONNECT_FAILURES,
  ELIGIBLE,
  PickTable,
} from "../../../../lib/core/pick/pick_table.ts";
import { addRow } from "../../../support/tables.ts";

const TIMEOUT_MS = 1000;

class Search implements Dial {
  row = NO_ROW;
  address = 0;
  attempts = 0;
  startedMs = 0;
  tried: Tried | null = null;
  step = 0;
  constructor(public plan: DialPlan | undefined) {}
}

class Driver implements DialDriver<Search> {
  picks = 0;
  /** Rows that failed, and whether by their own fault. */
  failures: [row: number, isCounted: boolean][] = [];
  next: DialPlan | undefined;

  reserve(dial: Search, table: PickTable, random: number, choice: Choice): number {
    dial.row = pick(table, dial.tried, random, choice);
    dial.step = choice.step;
    return dial.row;
  }
  release(dial: Search, table: PickTable): void {
    if (dial.row !== NO_ROW) release(table, dial.row, dial.step);
    dial.row = NO_ROW;
  }
  picked(): void {
    this.picks++;
  }
  failed({ row }: Search, isCounted: boolean): void {
    this.failures.push([row, isCounted]);
  }
  renew(dial: Search): boolean {
    if (this.next === undefined || this.next === dial.plan) return false;
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
  return { table, endpoints, connectTimeoutMs: TIMEOUT_MS, connectRetries };
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
  assertEquals([policy.giveUp(dial), places(plan)], [CONNECT_FAILED, [0]]);
});
