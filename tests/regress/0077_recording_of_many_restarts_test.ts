// `simulate --replay`: a line of 200 MB took 16 s and 1.2 GB, because what had come of it was put together
// and searched anew with every piece. At each restart in a recording every strategy got new tables of two
// megabytes, twice, and every pool of the file was visited.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { learnLoad } from "../../lib/record/replay/outside_load.ts";
import { LONGEST_LINE, readRecording } from "../../lib/record/replay/recording.ts";
import { replay } from "../../lib/record/replay/replay.ts";
import { PickTable } from "../../lib/core/pick/pick_table.ts";
import { runProgram } from "../support/balancer.ts";
import { TemporaryDirectory } from "../support/run_program.ts";

const RECORDING = '{"kind":"recording","version":1,"program":"0","at":"","t":1}\n';
const POOL =
  '{"kind":"pool","t":1,"pool":"p","strategy":"first","fallback":"first","interval":5000,' +
  '"max_age":15000,"backends":[]}\n';

Deno.test("a recording with a line that is too long is refused before all of it is read", async () => {
  let pieces = 0;
  async function* endless() {
    yield RECORDING;
    for (;;) {
      pieces++;
      yield await Promise.resolve("x".repeat(LONGEST_LINE / 4));
      if (pieces > 8) throw new Error("nobody has stopped reading");
    }
  }
  assertEquals(await readRecording(endless()), {
    ok: false,
    message: `line 2: Cannot read ${LONGEST_LINE * 1.25} or more characters in one line: ` +
      `expected at most ${LONGEST_LINE}`,
  });
  assertEquals(pieces, 5);
});

Deno.test("lines are put together from pieces wherever they are cut", async () => {
  const text = RECORDING + POOL + RECORDING + POOL;
  for (const size of [1, 7, RECORDING.length, RECORDING.length - 1, text.length]) {
    const pieces = text.match(new RegExp(`[^]{1,${size}}`, "g")) ?? [];
    const read = await readRecording(ReadableStream.from(pieces));
    assertEquals(read.ok && read.value.map(({ events }) => events.length), [2], `${size}`);
  }
});

Deno.test("simulate tells where a line is too long", async () => {
  await using folder = new TemporaryDirectory();
  const file = `${folder.path}/record`;
  await Deno.writeTextFile(file, RECORDING + POOL + "x".repeat(LONGEST_LINE + 1) + "\n");
  const { code, stderr } = await runProgram(["simulate", "--replay", file]);
  assertEquals(code, 2);
  assertStringIncludes(
    stderr,
    `${file}: line 3: Cannot read ${LONGEST_LINE + 1} or more characters`,
  );
});

Deno.test("a replay makes one table, however often the balancer was restarted", async () => {
  const read = await readRecording(ReadableStream.from([(RECORDING + POOL).repeat(50)]));
  const [pool] = read.ok ? read.value : [];
  if (pool === undefined) throw new Error("the recording is bad");
  const { allocate } = PickTable;
  const made: number[] = [];
  PickTable.allocate = (capacity, stickyEntries = 0) => {
    made.push(stickyEntries);
    return allocate.call(PickTable, capacity, stickyEntries);
  };
  try {
    replay(pool, learnLoad(pool), "least_load");
  } finally {
    PickTable.allocate = allocate;
  }
  // No clients stick in it, so the table has no room for them either.
  assertEquals(made, [0]);
});
