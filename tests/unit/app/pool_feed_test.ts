// What feeds a pool, towards generators of this process; threads that pick are the test itself.

import { assert, assertEquals } from "@std/assert";
import { PoolFeed } from "../../../lib/app/pool_feed.ts";
import { TokenAccount } from "../../../lib/app/token_account.ts";
import type { FeedConfig } from "../../../lib/config/config.ts";
import { type Backend, MAX_BACKENDS, parseBackendSpec } from "../../../lib/core/pool/backend.ts";
import { Pool } from "../../../lib/core/pool/pool.ts";
import { Choice, pick, release } from "../../../lib/core/pick/pick_kernels.ts";
import { ELIGIBLE, MOST_TOKENS, PickTable, QUEUED } from "../../../lib/core/pick/pick_table.ts";
import { tokensIn } from "../../../lib/core/pick/tokens.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { makeTable, setKernel } from "../../support/tables.ts";
import { TokenFeed } from "../../support/token_feed.ts";
import { waitFor, within } from "../../support/wait_for.ts";

const choice = new Choice();

/** A pool that is fed, whose clients the test is. */
class FedPool implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly said: string[] = [];
  readonly pool: Pool;
  readonly feed: PoolFeed;
  joins = 0;
  /** Held back until it resolves. */
  turn: Promise<void> = Promise.resolve();
  /** An order has taken the last room. */
  isFilled = false;

  constructor(rowRestMs = 0) {
    const rules = { rise: 2, fall: 3, loadMaxAgeMs: 60_000, rowRestMs };
    this.pool = new Pool("p", rules, PickTable.allocate(1024));
    setKernel(this.pool.table, "token");
    this.areAwaited = true;
    const say = (text: string) => this.said.push(text);
    this.feed = new PoolFeed({
      clock: this.clock,
      random: () => 0.5,
      log: { error: say, warning: say, info: say, debug: say },
      pool: this.pool,
      read: (text) => {
        const [spec = "", weight] = text.split(" weight=");
        const read = parseBackendSpec(spec);
        if (!read.ok) return read;
        return { ok: true, value: { ...read.value, weight: Number(weight ?? 1) } };
      },
      whyFull: (backends) => this.#whyFull(backends),
      join: () => this.turn.then(() => this.#join()),
    });
  }

  /** Whether clients wait for tokens: then as many as may be are asked for. */
  set areAwaited(are: boolean) {
    this.pool.table.words[QUEUED] = are ? 1 : 0;
  }

  get report() {
    return this.feed.report(String);
  }

  follow(primary: readonly TokenFeed[], secondary: readonly TokenFeed[] = []): Promise<void> {
    const endpoints = (feeds: readonly TokenFeed[]) => feeds.map(({ endpoint }) => endpoint);
    const config: FeedConfig = { primary: endpoints(primary), secondary: endpoints(secondary) };
    return this.feed.follow(config);
  }

  /** A client comes. @returns the backend that its token names; undefined: there is none. */
  pick(): string | undefined {
    const row = pick(this.pool.table, null, 0, choice);
    return this.pool.members.find((member) => member.row === row)?.backend.id;
  }

  /** The session of a client ends. */
  end(id: string): void {
    const row = this.pool.member(id)?.row;
    assert(row !== undefined);
    release(this.pool.table, row, choice.step);
    this.feed.sessionOver();
  }

  async waiting(count: number): Promise<void> {
    await waitFor(`${count} tokens to wait`, () => tokensIn(this.pool.table) === count);
  }

  /** Time passes until something is so. */
  async ticksUntil(what: string, holds: () => boolean): Promise<void> {
    await waitFor(what, async () => {
      await this.clock.advance(1000);
      return holds();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.feed[Symbol.asyncDispose]();
  }

  #whyFull(backends: readonly Backend[]): string | undefined {
    const hasRoom = backends.length <= MAX_BACKENDS && this.pool.hasRoomFor(backends);
    return hasRoom && !this.isFilled ? undefined : "no room";
  }

  #join(): void {
    this.joins++;
    const full = this.#whyFull(this.feed.backends);
    if (full !== undefined) throw new Error(full);
    this.pool.setBackends(this.feed.backends, this.clock.now());
    for (const { backend, row } of this.pool.members) {
      this.pool.observeName(backend.id, [backend.address]);
      this.pool.table.write(row, ELIGIBLE, 1);
    }
  }
}

const A = "10.0.0.1:22";
const B = "10.0.0.2:22";

Deno.test("no more tokens are asked for than may wait, and each is used once", async () => {
  await using feed = new TokenFeed();
  await using fed = new FedPool();
  await fed.follow([feed]);
  const tokens = Array.from({ length: 100 }, (_, at) => `10.0.0.${at % 7}:22`);
  feed.send(...tokens);
  const picked: string[] = [];
  while (picked.length < tokens.length) {
    await fed.waiting(Math.min(MOST_TOKENS, tokens.length - picked.length));
    assertEquals(feed.sent, Math.min(tokens.length, picked.length + MOST_TOKENS));
    for (let i = 0; i < MOST_TOKENS / 2 && picked.length < tokens.length; i++) {
      picked.push(fed.pick() ?? "");
    }
  }
  assertEquals(picked, tokens);
  assertEquals(fed.pool.members.length, 7);
  const { received, used, waiting, discarded, bad } = fed.report;
  assertEquals([received, used, waiting, discarded, bad], [100, 100, 0, 0, 0]);
});

Deno.test("the fewer clients come, the fewer tokens grow old", async () => {
  await using feed = new TokenFeed();
  await using fed = new FedPool();
  fed.areAwaited = false;
  feed.always = A;
  await fed.follow([feed]);
  await fed.waiting(2);
  // Each that is taken is asked for anew, and more when many are.
  for (let i = 0; i < 40; i++) {
    await waitFor("a token", () => tokensIn(fed.pool.table) > 0);
    assertEquals(fed.pick(), A);
  }
  await fed.clock.advance(1000);
  await fed.waiting(MOST_TOKENS);
  const ages: number[] = [];
  for (let i = 0; i < 14; i++) {
    await fed.clock.advance(1000);
    ages.push(tokensIn(fed.pool.table));
  }
  assertEquals(ages, [15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
  await waitFor("their ends", () => feed.words.length >= MOST_TOKENS - 2);
});

Deno.test("a generator hears when sessions end, when tokens were of no use, and what stands", async () => {
  await using fed = new FedPool();
  let port = 0;
  {
    await using feed = new TokenFeed();
    ({ port } = feed);
    await fed.follow([feed]);
    feed.send(A, A, A, B, B);
    await fed.waiting(5);
    assertEquals([fed.pick(), fed.pick()], [A, A]);
    for (let i = 0; i < 3; i++) await fed.clock.advance(1000);
    assertEquals(feed.words, []);
    fed.end(A);
    await waitFor("the end of a session", () => feed.words.length === 1);
    // An administrator drains A: its token is thrown away for the next.
    fed.pool.table.write(0, ELIGIBLE, 0);
    assertEquals(fed.pick(), B);
    await fed.ticksUntil("the end of a token", () => feed.words.length === 2);
    assertEquals(feed.words, [`end ${A}`, `end ${A}`]);
    assertEquals([fed.report.discarded, fed.report.sources[0]?.standing], [1, 3]);
  }
  await waitFor("the feed to be gone", () => fed.report.sources[0]?.connected === false);
  // What it has given goes on.
  fed.end(B);
  assertEquals(fed.pick(), B);
  await using again = new TokenFeed(port);
  await fed.ticksUntil("the feed to be back", () => again.words.length === 2);
  assertEquals(again.words, [`have ${A} 1`, `have ${B} 1`]);
});

Deno.test("tokens that name no backend are counted, said once, and asked for slowly", async () => {
  await using feed = new TokenFeed();
  await using fed = new FedPool();
  feed.always = "no\taddress \u001b[31m";
  await fed.follow([feed]);
  await waitFor("all that may be of no use", () => fed.report.bad === MOST_TOKENS);
  await waitFor("their ends", () => feed.words.length === MOST_TOKENS);
  const warnings = fed.said.filter((text) => text.includes("of no use"));
  assertEquals([feed.sent, warnings.length], [MOST_TOKENS, 1]);
  assert(!warnings[0]?.includes("\u001b"), warnings[0]);
  feed.always = A;
  await fed.ticksUntil("good ones", () => tokensIn(fed.pool.table) > 0);
});

Deno.test("secondary feeds give tokens while the primary ones give none, and no longer", async () => {
  await using second = new TokenFeed();
  second.always = B;
  await using fed = new FedPool();
  let port = 0;
  {
    await using first = new TokenFeed();
    first.always = A;
    ({ port } = first);
    await fed.follow([first], [second]);
    await fed.waiting(MOST_TOKENS);
    await waitFor("both to be connected", () => second.isPulled);
    for (let i = 0; i < 5; i++) await fed.clock.advance(1000);
    assertEquals([second.sent, fed.report.uses], [0, "primary"]);
  }
  for (let i = 0; i < MOST_TOKENS; i++) assertEquals(fed.pick(), A);
  await fed.ticksUntil("the secondary one to be asked", () => tokensIn(fed.pool.table) > 0);
  await fed.waiting(MOST_TOKENS);
  assertEquals([fed.pick(), fed.report.uses], [B, "secondary"]);
  await using first = new TokenFeed(port);
  first.always = A;
  await fed.ticksUntil("the primary one to be back", () => fed.report.uses === "primary");
  // Its tokens have taken the place of the others.
  for (let i = 0; i < 40; i++) {
    await waitFor("a token", () => tokensIn(fed.pool.table) > 0);
    assertEquals(fed.pick(), A);
  }
});

Deno.test("a primary feed that is connected and starves is stood in for, too", async () => {
  await using first = new TokenFeed();
  await using second = new TokenFeed();
  second.always = B;
  await using fed = new FedPool();
  await fed.follow([first], [second]);
  await fed.ticksUntil("the secondary one to be asked", () => tokensIn(fed.pool.table) > 0);
  assertEquals(fed.pick(), B);
});

Deno.test("a reload leaves feeds that stay alone, and replaces the others with their tokens", async () => {
  await using first = new TokenFeed();
  await using second = new TokenFeed();
  await using third = new TokenFeed();
  [first.always, second.always, third.always] = [A, B, "10.0.0.3:22"];
  await using fed = new FedPool();
  await fed.follow([first, second]);
  await fed.waiting(MOST_TOKENS);
  assertEquals([first.sent, second.sent], [8, 8]);
  await fed.follow([first, second]);
  assertEquals([first.sent, second.sent, tokensIn(fed.pool.table)], [8, 8, MOST_TOKENS]);
  await fed.follow([first, third]);
  await fed.waiting(MOST_TOKENS);
  const picked = new Set(Array.from({ length: MOST_TOKENS }, () => fed.pick()));
  assertEquals([...picked].sort(), [A, "10.0.0.3:22"]);
  assertEquals(second.isPulled, false);
});

Deno.test("what tokens say of a backend is news to the pool, once a second at most", async () => {
  await using feed = new TokenFeed();
  await using fed = new FedPool();
  await fed.follow([feed]);
  const weight = () => fed.pool.members[0]?.backend.weight;
  for (const text of [A, `${A} weight=0`, A]) feed.send(text);
  await fed.waiting(3);
  assertEquals([weight(), fed.joins], [1, 1]);
  await fed.clock.advance(1000);
  feed.send(`${A} weight=0`);
  await waitFor("the new weight", () => weight() === 0);
  assertEquals([fed.joins, tokensIn(fed.pool.table)], [2, 4]);
});

Deno.test("who drains gives its tokens back, but for clients that wait", async () => {
  await using feed = new TokenFeed();
  await using fed = new FedPool();
  feed.always = A;
  await fed.follow([feed]);
  await fed.waiting(MOST_TOKENS);
  assertEquals(fed.pick(), A);
  fed.areAwaited = false;
  fed.feed.rest();
  assertEquals(tokensIn(fed.pool.table), 0);
  await waitFor("their ends", () => feed.words.length === MOST_TOKENS - 1);
  await fed.clock.advance(1000);
  assertEquals(tokensIn(fed.pool.table), 0);
  // Somebody was accepted before.
  const { table } = fed.pool;
  fed.areAwaited = true;
  await fed.ticksUntil("tokens", () => tokensIn(table) === MOST_TOKENS);
  fed.areAwaited = false;
  await fed.clock.advance(1000);
  assertEquals(tokensIn(table), 0);
  // The session that stands is told of.
  const before = () => feed.words.length;
  await waitFor("ends", () => before() === 2 * MOST_TOKENS - 1);
  fed.end(A);
  await waitFor("the end of the session", () => before() === 2 * MOST_TOKENS);
});

Deno.test("feeds end although the pool that is to take a backend in waits for that", async () => {
  await using feed = new TokenFeed();
  const fed = new FedPool();
  const turn = Promise.withResolvers<void>();
  fed.turn = turn.promise;
  await fed.follow([feed]);
  feed.send(A);
  await waitFor("the token", () => fed.report.waiting === 1);
  await within("the end of the feed", fed.feed[Symbol.asyncDispose]());
  turn.resolve();
});

Deno.test("a backend that no token names leaves after a while, unless it has a session", async () => {
  await using feed = new TokenFeed();
  await using fed = new FedPool();
  await fed.follow([feed]);
  feed.send(A, B);
  await fed.waiting(2);
  assertEquals([fed.pick(), fed.pick()], [A, B]);
  fed.end(B);
  for (let i = 0; i < 310; i++) await fed.clock.advance(1000);
  await waitFor("B to leave", () => fed.pool.members.length === 1);
  assertEquals(fed.pool.members[0]?.backend.id, A);
  feed.send(B);
  await fed.ticksUntil("B to be back", () => tokensIn(fed.pool.table) === 1);
  assertEquals(fed.pick(), B);
});

Deno.test("a pool that is full of backends makes room for those that tokens name now", async () => {
  await using feed = new TokenFeed();
  await using fed = new FedPool();
  await fed.follow([feed]);
  const name = (at: number) => `10.1.${at >> 8}.${at & 255}:22`;
  for (let at = 0; at < 700; at++) {
    feed.send(name(at));
    if (at % 8 === 7) {
      await waitFor("the tokens", () => tokensIn(fed.pool.table) === 8);
      for (let i = 7; i >= 0; i--) {
        const id = fed.pick() ?? "";
        assertEquals(id, name(at - i));
        fed.end(id);
      }
    }
  }
  assertEquals(fed.pool.members.length, 512);
  await fed.clock.advance(10_000);
});

Deno.test("ever new backends join as rows free up, and those without a row push nobody out", async () => {
  await using feed = new TokenFeed();
  await using fed = new FedPool(2000);
  await fed.follow([feed]);
  let named = 0;
  const name = (at: number) => `10.1.${at >> 8}.${at & 255}:22`;
  const useless = () => fed.report.bad + fed.report.discarded;
  const joinUntil = async (end: number) => {
    while (named < end) {
      const begin = named;
      while (named < Math.min(end, begin + 4)) feed.send(name(named++));
      await waitFor("the tokens", () => tokensIn(fed.pool.table) === named - begin);
      for (let at = begin; at < named; at++) {
        assertEquals(fed.pick(), name(at));
        fed.end(name(at));
      }
    }
  };
  // Four leave a second before the others, so their rows alone are free two seconds later.
  await joinUntil(MAX_BACKENDS + 4);
  await fed.clock.advance(1000);
  await joinUntil(fed.pool.table.capacity);
  const members = fed.feed.backends;
  assertEquals([members.length, fed.pool.leaving.length], [512, 512]);
  for (let i = 0; i < 8; i++) feed.send(name(named++));
  await waitFor("them to be of no use", () => useless() === 8);
  assertEquals(fed.feed.backends, members);
  await fed.clock.advance(1000);
  fed.pool.tick(fed.clock.now());
  assertEquals(fed.pool.leaving.length, 508);
  await joinUntil(named + 4);
  feed.send(name(named));
  await waitFor("no row to be left", () => useless() === 9);
});

Deno.test("a backend that could not join for lack of room is forgotten, and joins when it is named again", async () => {
  await using feed = new TokenFeed();
  await using fed = new FedPool();
  const turn = Promise.withResolvers<void>();
  fed.turn = turn.promise;
  await fed.follow([feed]);
  feed.send(A);
  await waitFor("the token", () => fed.report.waiting === 1);
  fed.isFilled = true;
  turn.resolve();
  await waitFor("the token to be of no use", () => fed.report.discarded === 1);
  assertEquals(fed.feed.backends, []);
  fed.isFilled = false;
  feed.send(A);
  await fed.waiting(1);
  assertEquals(fed.pick(), A);
});

Deno.test("an account tells which tokens are over only once a thread has had the time to say so", () => {
  const table = makeTable("token", [{ id: A }]);
  const account = new TokenAccount<{ readonly id: string }>(table);
  account.put({ id: A }, 0);
  account.put({ id: A }, 0);
  assertEquals(pick(table, null, 0, choice), 0);
  account.look(0);
  assertEquals([account.waiting.length, account.isTaken(A)], [1, true]);
  // A thread has taken it and has not counted its session yet.
  assertEquals(account.settle(49, () => 0), []);
  assertEquals(account.settle(50, () => 1), []);
  assertEquals(account.settle(50, () => 0), [{ id: A }]);
  assertEquals([account.isTaken(A), account.withdraw(50)], [false, [{ id: A }]]);
  assertEquals(tokensIn(table), 0);
});
