import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseSwf, readSwf } from "../../bench/placement/swf.ts";

/** A line of a log; what is not told is unknown. */
function job(fields: Readonly<Record<number, string>> = {}): string {
  const usual: Readonly<Record<number, string>> = { 1: "1", 2: "0", 4: "60", 5: "2", 12: "7" };
  return Array.from({ length: 18 }, (_, i) => fields[i + 1] ?? usual[i + 1] ?? "-1").join(" ");
}

const HEADER = "; Version: 2.2\n; MaxNodes: 8\n;\n";

function messageOf(text: string): string {
  const result = parseSwf(text, "small.swf");
  return result.ok ? "" : result.message;
}

Deno.test("jobs are read in the order in which they were submitted, comments passed over", () => {
  const text = `${HEADER}${job({ 2: "30", 12: "-1" })}\r\n\n  ${job({ 5: "4" })}\n; the end\n`;
  assertEquals(parseSwf(text, "small.swf"), {
    ok: true,
    value: {
      jobs: [
        { submitted: 0, seconds: 60, processors: 4, user: 7 },
        { submitted: 30, seconds: 60, processors: 2, user: undefined },
      ],
      without: { submitTime: 0, runTime: 0, processors: 0 },
    },
  });
});

Deno.test("jobs that lack what a session needs are left out and counted", () => {
  const lacking = [{ 2: "-1" }, { 4: "-1" }, { 4: "0" }, { 4: "0", 5: "0" }, { 5: "-1" }];
  const result = parseSwf([...lacking.map(job), job()].join("\n"), "small.swf");
  assert(result.ok);
  assertEquals(result.value.jobs.length, 1);
  assertEquals(result.value.without, { submitTime: 1, runTime: 3, processors: 1 });
});

Deno.test("what is wrong in a log is told with its place", () => {
  assertEquals(
    messageOf(`${HEADER}${job()}\n1 0 -1 60 2\n`),
    "small.swf:5: found 5 fields, expected the 18 of the Standard Workload Format",
  );
  assertEquals(
    messageOf(`${HEADER}${job({ 4: "1h" })}\n`),
    'small.swf:4: field 4 (run time): found "1h", expected a number, 0 or more, or -1 where it is unknown',
  );
  assertEquals(
    messageOf(`${HEADER}${job({ 5: "1.5" })}\n`),
    'small.swf:4: field 5 (allocated processors): found "1.5", expected a whole number, 0 or more, or ' +
      "-1 where it is unknown",
  );
  for (const number of ["-2", "Infinity", "1e999", "NaN"]) {
    assert(messageOf(job({ 2: number })).startsWith(`small.swf:1: field 2 (submit time): found`));
  }
  assertEquals(
    messageOf(`${HEADER}${job({ 4: "-1" })}\n`),
    "small.swf: found no job that ran, expected a log in Standard Workload Format",
  );
});

Deno.test("any text is a log or has a reason why it is none", () => {
  const line = fc.oneof(
    fc.string(),
    fc.array(fc.oneof(fc.integer({ min: -3 }).map(String), fc.string()), { maxLength: 20 })
      .map((words) => words.join(" ")),
    fc.constant(job()),
  );
  fc.assert(fc.property(fc.array(line), (lines) => {
    const result = parseSwf(lines.join("\n"), "any.swf");
    if (!result.ok) {
      assert(/^any\.swf(:\d+)?: (field \d+ .*: )?found .* expected/s.test(result.message));
    } else assert(result.value.jobs.every(({ seconds, processors }) => seconds * processors > 0));
  }));
});

Deno.test("a compressed log is the same log, and a file that cannot be read has a reason", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const text = HEADER + [job(), job({ 2: "9" })].join("\n");
    const packed = new Response(
      new Blob([text]).stream().pipeThrough(new CompressionStream("gzip")),
    );
    const bytes = new Uint8Array(await packed.arrayBuffer());
    await Deno.writeTextFile(`${folder}/plain`, text);
    // By what the file begins with, and not by its name.
    await Deno.writeFile(`${folder}/packed.swf`, bytes);
    await Deno.writeFile(`${folder}/cut.gz`, bytes.subarray(0, bytes.length - 12));
    const plain = await readSwf(`${folder}/plain`);
    assertEquals(plain.ok && plain.value.jobs.length, 2);
    assertEquals(await readSwf(`${folder}/packed.swf`), plain);
    for (const path of [`${folder}/cut.gz`, `${folder}/none`, folder]) {
      const result = await readSwf(path);
      assert(!result.ok && result.message.startsWith(`Cannot read ${path}: `), path);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
