import { assert, assertEquals, assertMatch } from "@std/assert";
import { AccessLog, type OpenedRecord, type SeenBackends } from "../../../lib/log/access_log.ts";
import type { SeenBackend } from "../../../lib/core/pick/snapshot_reader.ts";
import { UNKNOWN_FREE } from "../../../lib/core/pick/pick_table.ts";
import { BatchWriter } from "../../../lib/log/batch_writer.ts";
import { ServiceLog } from "../../../lib/log/setup.ts";
import { CHOSEN, closedEvent, openedEvent } from "../../support/events.ts";
import { TOPICS } from "../../../lib/manual/topics.ts";

class Collector {
  text = "";
  /** Resolved writes take this long. */
  gate: Promise<void> = Promise.resolve();
  broken = false;

  async write(bytes: Uint8Array): Promise<number> {
    await this.gate;
    if (this.broken) throw new Deno.errors.BrokenPipe("gone");
    this.text += new TextDecoder().decode(bytes);
    return bytes.length;
  }
}

Deno.test("BatchWriter writes lines in order and in batches", async () => {
  const sink = new Collector();
  const writer = new BatchWriter(sink);
  for (let i = 0; i < 1000; i++) writer.line(`line ${i}`);
  await writer.flush();
  assertEquals(sink.text, Array.from({ length: 1000 }, (_, i) => `line ${i}\n`).join(""));
});

Deno.test("BatchWriter drops and counts what a slow reader does not take", async () => {
  const sink = new Collector();
  const { promise, resolve } = Promise.withResolvers<void>();
  sink.gate = promise;
  const writer = new BatchWriter(sink, 100);
  for (let i = 0; i < 50; i++) {
    writer.line("0123456789");
    await Promise.resolve();
  }
  assert(writer.dropped > 20);
  resolve();
  await writer.flush();
  assertEquals(sink.text.split("\n").length - 1, 50 - writer.dropped);
});

Deno.test("BatchWriter goes on without a reader that is gone", async () => {
  const sink = new Collector();
  sink.broken = true;
  const writer = new BatchWriter(sink);
  writer.line("one");
  await writer.flush();
  writer.line("two");
  await writer.flush();
  assertEquals(writer.dropped, 2);
});

/** The record of a tunnel that was opened when a pick had seen this. */
function recordOf(fields: Partial<OpenedRecord>, seen: readonly SeenBackend[]): OpenedRecord {
  let row = -1;
  const backends: SeenBackends = {
    why: "most_free",
    next: () => ++row < seen.length,
    rewind: () => row = -1,
    get backend() {
      return seen[row]?.backend ?? "";
    },
    get outcome() {
      return seen[row]?.outcome ?? "not_chosen";
    },
    get free() {
      return seen[row]?.freeMilliCores ?? UNKNOWN_FREE;
    },
    get active() {
      return seen[row]?.active ?? 0;
    },
  };
  return {
    ...openedEvent(),
    tunnel: 17,
    frontend: "ssh",
    backend: "kelvin:22",
    pool: "compute",
    store: { read: () => (row = -1, backends) },
    ...fields,
  };
}

const SEEN: readonly SeenBackend[] = [
  { backend: "kelvin:22", outcome: "chosen", freeMilliCores: 9250, active: 2 },
];
const OPENED = recordOf({
  ...clients("192.0.2.9:5000", "192.0.2.1:40000"),
  choice: { ...CHOSEN, free: 9250, active: 2 },
  connectMs: 3,
}, SEEN);

/** How a record's addresses are written. */
function clients(
  client: string,
  outgoing: string,
): Pick<OpenedRecord, "putClient" | "putOutgoing"> {
  return { putClient: (line) => line.text(client), putOutgoing: (line) => line.text(outgoing) };
}

Deno.test("the access log has the same keys in text and JSON", async () => {
  const sink = new Collector();
  const log = new AccessLog(new BatchWriter(sink));
  log.opened(OPENED, "least_load");
  log.format = "json";
  log.opened(OPENED, "least_load");
  log.enabled = false;
  log.opened(OPENED, "least_load");
  await log.writer.flush();
  const [text = "", json = "", rest] = sink.text.split("\n");
  assertMatch(
    text,
    /^1970-01-01T00:00:00\.000Z opened tunnel=17 frontend=ssh client=192\.0\.2\.9:5000 /,
  );
  const parsed: unknown = JSON.parse(json);
  assert(typeof parsed === "object" && parsed !== null);
  const keys = [...text.matchAll(/ ([a-z_]+)=/g)].map((match) => match[1]);
  assertEquals(Object.keys(parsed).filter((key) => key !== "time" && key !== "event"), keys);
  assertEquals(rest, "");
});

Deno.test("no name in the access log begins a record, or looks like another key", async () => {
  const sink = new Collector();
  const log = new AccessLog(new BatchWriter(sink));
  const name =
    "unix:/tmp/a\n2026-01-01T00:00:00.000Z closed client=b\r\x1b[2J\u0085\u2028\u202e, x";
  const names = { frontend: name, backend: name, ...clients(name, name) };
  const seen = [{ backend: name, outcome: "down", freeMilliCores: 0, active: 0 }] as const;
  const choice = { ...CHOSEN, runnerUp: 0 };
  const endpoints = [{ backend: name }];
  const opens = recordOf({ ...names, pool: name, choice, endpoints }, seen);
  log.opened(opens, "least_load");
  log.closed({ ...closedEvent(), ...names });
  log.format = "json";
  log.opened(opens, "least_load");
  await log.writer.flush();
  const [opened = "", closed = "", json = "", ...rest] = sink.text.split("\n");
  assertEquals(rest, [""]);
  // Nothing but what is printable, each name one word.
  assertMatch(sink.text, /^[\x20-\x7e\n]*$/);
  assertEquals(opened.match(/ [a-z_]+=[^ ]*/g)?.join(""), opened.slice(opened.indexOf(" tunnel")));
  assertEquals(closed.split(" ").length, 11);
  const parsed: unknown = JSON.parse(json);
  assert(typeof parsed === "object" && parsed !== null && "client" in parsed);
  assertEquals(parsed.client, name);
});

Deno.test("the access log writes the lines that the manual shows", async () => {
  const sink = new Collector();
  const log = new AccessLog(new BatchWriter(sink));
  const both = {
    tunnel: 17,
    frontend: "ssh",
    backend: "kelvin:22",
    ...clients("10.1.2.3:51022", "10.1.0.1:40912"),
  };
  log.opened(
    recordOf({
      ...both,
      atMs: Date.parse("2026-11-21T08:30:12.104Z"),
      // As a clock of doubles gives them.
      connectMs: 0.87099999999999,
      choice: {
        ...CHOSEN,
        free: 9000,
        active: 2,
        runnerUp: 1,
        runnerUpFree: 4000,
        runnerUpActive: 1,
      },
      endpoints: [{ backend: "kelvin:22" }, { backend: "hoek:22" }],
    }, [
      { backend: "kelvin:22", outcome: "chosen", freeMilliCores: 9000, active: 2 },
      { backend: "hoek:22", outcome: "less_free", freeMilliCores: 4040, active: 1 },
      { backend: "euler:22", outcome: "down", freeMilliCores: 12_000, active: 0 },
    ]),
    "least_load",
  );
  log.closed({
    ...closedEvent(),
    ...both,
    atMs: Date.parse("2026-11-21T12:02:55.871Z"),
    bytesToBackend: 184322,
    bytesToClient: 2911034,
    durationMs: 12763767.204000069,
    reason: "client_closed",
  });
  await log.writer.flush();
  const manual = TOPICS.find(({ name }) => name === "logs")?.text ?? "";
  const shown = manual.match(/^ {4}2026\S* (?:opened|closed) .*\n(?: {8}.*\n)*/gm) ?? [];
  // A page has no room for such lines.
  assertEquals(shown.map((lines) => lines.trim().replace(/\s+/g, " ") + "\n").join(""), sink.text);
});

Deno.test("the access log's list of backends is one word of bounded length", async () => {
  const sink = new Collector();
  const log = new AccessLog(new BatchWriter(sink));
  const seenIn = async (seen: readonly SeenBackend[]) => {
    sink.text = "";
    log.opened(recordOf({}, seen), "least_load");
    await log.writer.flush();
    return / seen=(\S*)\n$/.exec(sink.text)?.[1];
  };
  assertEquals(await seenIn([]), "-");
  assertEquals(
    await seenIn([
      { backend: "unix:/a b,c", outcome: "chosen", active: 3 },
      { backend: "x:1", outcome: "load_unknown", active: 0 },
      { backend: "y:1", outcome: "tried", active: 7, freeMilliCores: -1260 },
      { backend: "z:1", outcome: "busier", active: 7, freeMilliCores: -1260 },
    ]),
    "unix:/a%20b%2Cc:-/3*,x:1:-/0,y:1:tried,z:1:-1.3/7",
  );
  const many = Array.from({ length: 32 }, (_, index) => ({
    backend: `server-${index}.example.org:22`,
    outcome: "not_drawn" as const,
    active: index,
  }));
  const text = await seenIn(many) ?? "";
  assert(text.length <= 520, `${text.length}`);
  const shown = text.split(",").length - 1;
  assertMatch(text, new RegExp(`,\\+${32 - shown}$`));
  log.decisions = false;
  assertEquals(await seenIn(many), undefined);
});

async function lines(
  options: { format: "text" | "json"; journal: boolean },
): Promise<string[]> {
  const sink = new Collector();
  await using log = new ServiceLog(new BatchWriter(sink));
  await log.configure({ level: "info", ...options });
  const area = log.area("pool");
  area.debug("not shown");
  area.warning("a {brace} and\na newline", { backend: "hoek:22" });
  area.error("bad");
  await log[Symbol.asyncDispose]();
  return sink.text.trimEnd().split("\n");
}

Deno.test("the service log writes one line a record: text, journal, JSON", async () => {
  const text = await lines({ format: "text", journal: false });
  assertEquals(text.length, 2);
  assertMatch(text[0] ?? "", /Z warning pool: a \{brace\} and\\na newline$/);
  const journal = await lines({ format: "text", journal: true });
  assertEquals(journal, ["<4>pool: a {brace} and\\na newline", "<3>pool: bad"]);
  const json = await lines({ format: "json", journal: true });
  const parsed: unknown = JSON.parse(json[0] ?? "");
  assert(typeof parsed === "object" && parsed !== null && "backend" in parsed);
  assertEquals(parsed.backend, "hoek:22");
});

Deno.test("an access record's time is what Date says, within a second and across seconds", async () => {
  const sink = new Collector();
  const access = new AccessLog(new BatchWriter(sink));
  access.decisions = false;
  const times = [
    0,
    1,
    999,
    1000,
    1_763_683_199_999.7,
    1_763_683_200_000,
    1_763_683_199_010,
    59_999,
  ];
  for (const atMs of times) access.opened({ ...OPENED, atMs }, "least_load");
  await access.writer.flush();
  assertEquals(
    sink.text.trim().split("\n").map((line) => line.split(" ")[0]),
    times.map((atMs) => new Date(atMs).toISOString()),
  );
});
