// The PULL socket towards real sockets of this process, which say what they like.

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Address } from "../../../lib/core/values/address.ts";
import { framed, headerOf, PULL, PUSH, SpReader } from "../../../lib/sp/framing.ts";
import { Puller, type PullerOptions } from "../../../lib/sp/puller.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { TemporaryDirectory } from "../../support/run_program.ts";
import { waitFor, within } from "../../support/wait_for.ts";

const encoder = new TextEncoder();

/** Writes down the waits between attempts, which alone are not of 5 s or 10 s. */
class NotingClock extends ManualClock {
  readonly waits: number[] = [];

  override sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (ms !== 5000 && ms !== 10_000) this.waits.push(ms);
    return super.sleep(ms, signal);
  }
}

/** A puller that writes down what it gets. */
class Noted implements AsyncDisposable {
  readonly messages: string[] = [];
  readonly states: string[] = [];
  readonly clock = new NotingClock();
  readonly puller: Puller;

  constructor(address: Address, more: Partial<PullerOptions> = {}) {
    this.puller = new Puller(address, {
      clock: this.clock,
      random: () => 0.5,
      maxBytes: 128,
      onMessage: (bytes) => this.messages.push(new TextDecoder().decode(bytes)),
      onState: (state) => this.states.push(state),
      ...more,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.puller[Symbol.asyncDispose]();
  }
}

/** The other side: reads what the puller says, says what the test wants. */
class Generator implements Disposable {
  readonly words: string[] = [];
  readonly #conn: Deno.Conn;
  readonly #reader = new SpReader("tcp", PULL, 1000);
  closed = false;

  /** @param read what has been read of the connection before. */
  constructor(conn: Deno.Conn, read = new Uint8Array()) {
    this.#conn = conn;
    this.#reader.push(read);
    void this.#read();
  }

  async say(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  async tokens(...texts: string[]): Promise<void> {
    for (const text of texts) await this.say(framed(encoder.encode(text), "tcp"));
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(1000);
    try {
      for (let n = await this.#conn.read(buffer); n !== null; n = await this.#conn.read(buffer)) {
        this.#reader.push(buffer.subarray(0, n));
        for (let next = this.#reader.next(); next.ok && next.value; next = this.#reader.next()) {
          const word = new TextDecoder().decode(next.value);
          if (word !== "want 0") this.words.push(word);
        }
      }
    } catch {
      // Closed.
    }
    this.closed = true;
  }

  [Symbol.dispose](): void {
    try {
      this.#conn.close();
    } catch {
      // Closed before.
    }
  }
}

function addressOf(listener: Deno.TcpListener): Address {
  return { transport: "tcp", host: "127.0.0.1", port: listener.addr.port };
}

Deno.test("a puller says in its first bytes what stands and what it wants, and gets no more", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using noted = new Noted(addressOf(listener), { greeting: () => ["have a:1 3"] });
  noted.puller.want(2);
  const conn = await listener.accept();
  using _conn = conn;
  const first = new Uint8Array(1000);
  const count = await conn.read(first) ?? 0;
  assertEquals(
    first.subarray(0, count),
    Uint8Array.from([
      ...headerOf(PULL),
      ...framed(encoder.encode("have a:1 3"), "tcp"),
      ...framed(encoder.encode("want 2"), "tcp"),
    ]),
  );
  using generator = new Generator(conn, first.subarray(0, count));
  await generator.say(headerOf(PUSH));
  await generator.tokens("a:1", "b:2", "c:3");
  await waitFor("two tokens", () => noted.messages.length === 2);
  noted.puller.want(1);
  await waitFor("the third", () => noted.messages.length === 3);
  assertEquals(noted.messages, ["a:1", "b:2", "c:3"]);
  assertEquals(noted.states, ["connected"]);
  noted.puller.send("end a:1");
  await waitFor("its end", () => generator.words.includes("end a:1"));
  assertEquals(generator.words, ["have a:1 3", "want 2", "want 1", "end a:1"]);
});

Deno.test("a puller dials again, and asks anew for what has not come", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using noted = new Noted(addressOf(listener));
  noted.puller.want(16);
  {
    using first = new Generator(await listener.accept());
    await first.say(headerOf(PUSH));
    await first.tokens("a:1");
    await waitFor("a token", () => noted.messages.length === 1);
  }
  await waitFor("the end", () => noted.states.length === 2);
  assertMatch(noted.states[1] ?? "", /closed|reset/);
  await noted.clock.advance(100);
  using second = new Generator(await within("a second connection", listener.accept()));
  await second.say(headerOf(PUSH));
  await waitFor("what it wants", () => second.words.includes("want 15"));
  await waitFor("connected", () => noted.states.at(-1) === "connected");
});

Deno.test("waits between attempts grow to a minute, and a good connection makes them short again", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = addressOf(listener);
  const { port } = listener.addr;
  listener.close();
  await using noted = new Noted(address);
  await waitFor("why not", () => noted.states.length === 1);
  assertEquals(noted.states, [`connection refused (tcp://127.0.0.1:${port})`]);
  // 100 ms + 200 + … + 51.2 s + 60 s.
  const waits = [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000];
  for (const [at, ms] of waits.entries()) {
    await waitFor("the next wait", () => noted.clock.waits.length > at);
    if (at < waits.length - 1) await noted.clock.advance(ms);
  }
  assertEquals(noted.clock.waits, waits);
  using again = Deno.listen({ hostname: "127.0.0.1", port });
  await noted.clock.advance(59_999);
  assertEquals(noted.states.length, 1);
  await noted.clock.advance(1);
  using generator = new Generator(await within("a connection", again.accept()));
  await generator.say(headerOf(PUSH));
  await waitFor("connected", () => noted.states.at(-1) === "connected");
  await noted.clock.advance(1000);
  generator[Symbol.dispose]();
  await waitFor("a short wait", () => noted.clock.waits.at(-1) === 100);
  await noted.clock.advance(100);
  (await within("a connection at once", again.accept())).close();
});

Deno.test("what a puller cannot use ends the connection, and says why", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using noted = new Noted(addressOf(listener));
  noted.puller.want(16);
  const place = `(tcp://127.0.0.1:${listener.addr.port})`;
  const cases: [Uint8Array, string][] = [
    [
      encoder.encode("SSH-2.0-OpenSSH"),
      "speaks no SP (sent 53 53 48 2d 32 2e 30 2d): expected PUSH (00 53 50 00 00 50 00 00)",
    ],
    [
      headerOf(PULL),
      "is of another type (sent 00 53 50 00 00 51 00 00): expected PUSH (00 53 50 00 00 50 00 00)",
    ],
    [
      Uint8Array.from([...headerOf(PUSH), 255, 255, 255, 255, 255, 255, 255, 255]),
      "sent a message of 18446744073709551615 bytes: expected at most 128",
    ],
  ];
  for (const [bytes, reason] of cases) {
    using generator = new Generator(await within("a connection", listener.accept()));
    await generator.say(bytes);
    await waitFor("why", () => noted.states.at(-1) === `${reason} ${place}`);
    await waitFor("its close", () => generator.closed);
    await noted.clock.advance(2000);
  }
  assertEquals(noted.messages, []);
});

Deno.test("one that accepts and says nothing is given up", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using noted = new Noted(addressOf(listener));
  using generator = new Generator(await listener.accept());
  await waitFor("its deadline", () => noted.clock.sleeperCount === 1);
  await noted.clock.advance(5000);
  await waitFor("its close", () => generator.closed);
  assertMatch(noted.states.at(-1) ?? "", /^said nothing within 5s: expected an SP header/);
});

Deno.test("one that has given signs of life and gives none any more is given up", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using noted = new Noted(addressOf(listener));
  using generator = new Generator(await listener.accept());
  await generator.say(headerOf(PUSH));
  await waitFor("connected", () => noted.states.at(-1) === "connected");
  // One that gives none at all is foreign, and may be silent for as long as it likes.
  await noted.clock.advance(300_000);
  assertEquals(noted.states, ["connected"]);
  await generator.tokens("");
  noted.puller.want(1);
  await generator.tokens("a:1");
  await waitFor("the token", () => noted.messages.length === 1);
  await waitFor("a beat", () => noted.clock.sleeperCount === 1);
  for (let i = 0; i < 4; i++) await noted.clock.advance(10_000);
  await waitFor("its close", () => generator.closed);
  assertMatch(noted.states[1] ?? "", /^silent for 30s/);
  assertEquals(generator.words, ["want 1"]);
});

Deno.test("a generator that has not read for long is told anew what stands, once it reads", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using noted = new Noted(addressOf(listener), { greeting: () => ["have a:1 3"] });
  const stuck = await listener.accept();
  using _stuck = stuck;
  await stuck.write(headerOf(PUSH));
  await waitFor("connected", () => noted.states.at(-1) === "connected");
  // More than the kernel and the puller keep; they keep no more.
  const word = `end ${"x".repeat(1000)}`;
  for (let i = 0; i < 12_000; i++) {
    noted.puller.send(word);
    if (i % 1000 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  let bytes = 0;
  const buffer = new Uint8Array(65_536);
  const readAll = async () => {
    for (let n = await stuck.read(buffer); n !== null; n = await stuck.read(buffer)) bytes += n;
  };
  await within("the end", readAll().catch(() => {}));
  assert(bytes > 1_000_000 && bytes < 12_000 * word.length, `${bytes} bytes`);
  assertMatch(noted.states.at(-1) ?? "", /^has not read for long/);
  await noted.clock.advance(100);
  using again = new Generator(await within("a connection", listener.accept()));
  await again.say(headerOf(PUSH));
  await waitFor("what stands", () => again.words.includes("have a:1 3"));
});

Deno.test("a puller ends at once, wherever it is", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/feed`;
  {
    await using _nobody = new Noted({ transport: "unix", path });
  }
  using listener = Deno.listen({ transport: "unix", path });
  {
    await using _silent = new Noted({ transport: "unix", path });
    (await listener.accept()).close();
  }
  await using noted = new Noted({ transport: "unix", path });
  const conn = await listener.accept();
  using _conn = conn;
  await conn.write(headerOf(PUSH));
  for (const text of ["a:1", "b:2"]) await conn.write(framed(encoder.encode(text), "unix"));
  // It holds what nobody wants.
  await waitFor("connected", () => noted.states.at(-1) === "connected");
  assertEquals(noted.messages, []);
});
