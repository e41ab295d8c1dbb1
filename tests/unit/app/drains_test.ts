import { assertEquals } from "@std/assert";
import { Drains, type StandingDrain } from "../../../lib/app/drains.ts";
import type { EndReason, Session } from "../../../lib/engine/engine.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { TemporaryDirectory } from "../../support/run_program.ts";
import { waitFor } from "../../support/wait_for.ts";

const MINUTE = 60_000;

function session(tunnel: number, backend: string): Session {
  const address = { transport: "tcp", host: "192.0.2.7", port: 5000 + tunnel } as const;
  return {
    tunnel,
    frontend: "f",
    pool: "p",
    backend,
    client: address,
    outgoing: address,
    openedAtMs: 0,
    idleMs: 0,
    bytesToBackend: 0,
    bytesToClient: 0,
  };
}

class Site implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly folder = new TemporaryDirectory();
  readonly ended: [readonly number[], EndReason][] = [];
  readonly log: string[] = [];
  sessions = [session(1, "a:22"), session(2, "b:22"), session(3, "a:22")];
  standing: StandingDrain[] = [];
  /** Each run of the command leaves a line here. */
  readonly told = `${this.folder.path}/told`;
  readonly drains: Drains;

  /** @param before what the command does before it leaves its line. */
  constructor(before = "") {
    const command = `${before} echo $CLB_BACKEND $CLB_SESSIONS >>${this.told}`;
    const note = (text: string) => {
      this.log.push(text);
    };
    this.drains = new Drains({
      clock: this.clock,
      log: { debug: note, info: note, warning: note, error: note },
      engine: {
        sessions: () => this.sessions,
        end: (tunnels, reason) => this.ended.push([tunnels, reason]),
      },
      standing: () => this.standing,
      active: () => undefined,
      notify: () => ["/bin/sh", "-c", command],
    });
  }

  drain(backend: string, afterMs?: number): StandingDrain {
    const atMs = this.clock.wall();
    const deadline = afterMs === undefined ? {} : { deadlineMs: atMs + afterMs };
    const order = { state: "draining", by: "alice", atMs, ...deadline } as const;
    const drain = { pool: "p", backend, order };
    this.standing = [...this.standing.filter((one) => one.backend !== backend), drain];
    return drain;
  }

  /** Lets time pass, second by second. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 1000) {
      await this.clock.advance(Math.min(1000, left));
      this.drains.tick();
    }
  }

  /** What the command has left, once it has ended so often: else time would pass for it, too. */
  async lines(ended: number): Promise<string[]> {
    await waitFor(`${ended} ends of the command`, () => this.log.length >= ended);
    const text = await Deno.readTextFile(this.told).catch(() => "");
    return text.split("\n").filter((line) => line !== "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drains[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}

Deno.test("people are warned when a drain begins, 10 minutes and 1 minute before it cuts", async () => {
  await using site = new Site();
  site.drains.began(site.drain("a:22", 30 * MINUTE));
  assertEquals(await site.lines(1), ["a:22 2"]);
  // Not far beyond, since the command has but 30 seconds.
  await site.pass(20 * MINUTE + 2000);
  await site.lines(2);
  site.sessions = site.sessions.filter(({ tunnel }) => tunnel !== 1);
  await site.pass(9 * MINUTE);
  assertEquals(await site.lines(3), ["a:22 2", "a:22 2", "a:22 1"]);
  assertEquals(site.ended, []);
  await site.pass(MINUTE);
  assertEquals(site.ended[0], [[3], "drained"]);
});

Deno.test("a command that prints much warns people all the same", async () => {
  await using site = new Site("head -c 300000 /dev/zero; ");
  site.drains.began(site.drain("a:22"));
  assertEquals(await site.lines(1), ["a:22 2"]);
  assertEquals(site.log, ["p: people with 2 sessions on a:22 are warned of its drain"]);
});

Deno.test("what lies behind when a drain begins is not told again", async () => {
  await using site = new Site();
  site.drains.began(site.drain("a:22", 5 * MINUTE));
  await site.lines(1);
  await site.pass(4 * MINUTE + 2000);
  assertEquals((await site.lines(2)).length, 2);
  // A later deadline is told, and begins anew.
  site.drains.began(site.drain("a:22", 15 * MINUTE));
  await site.lines(3);
  await site.pass(5 * MINUTE + 2000);
  assertEquals((await site.lines(4)).length, 4);
});

Deno.test("nobody is warned of a drain that was taken back, nor where nobody is", async () => {
  await using site = new Site();
  site.drains.began(site.drain("a:22"));
  site.drains.began(site.drain("b:22"));
  site.drains.began(site.drain("c:22"));
  // Before the turn of b:22 has come.
  site.standing = site.standing.filter(({ backend }) => backend !== "b:22");
  site.drains.began(site.drain("a:22"));
  assertEquals(await site.lines(2), ["a:22 2", "a:22 2"]);
});

Deno.test("a command that takes too long is killed, and the next one runs", async () => {
  await using site = new Site("[ $CLB_BACKEND = b:22 ] || exec sleep 1000;");
  site.drains.began(site.drain("a:22"));
  site.drains.began(site.drain("b:22"));
  await waitFor("the time limit to run", () => site.clock.sleeperCount > 0);
  await site.clock.advance(30_000);
  assertEquals(await site.lines(2), ["b:22 1"]);
  assertEquals(
    site.log[0],
    "p: people with 2 sessions on a:22 may not know of its drain: " +
      "drain.notify: it took more than 30s and was killed",
  );
});
