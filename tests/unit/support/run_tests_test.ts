import { assertEquals, assertStringIncludes } from "@std/assert";
import { ALONE, LONG, WAITING } from "../../support/test_lanes.ts";
import { runProgram, TemporaryDirectory } from "../../support/run_program.ts";

const ROOT = new URL("../../../", import.meta.url);
const RUNNER = new URL("../../support/run_tests.ts", import.meta.url).pathname;

/** Runs the runner on files with these contents; its exit code, its output and its last line without the time. */
async function runTests(files: Readonly<Record<string, string>>) {
  await using folder = new TemporaryDirectory();
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(`${folder.path}/${name}_test.ts`, text);
  }
  const command = [Deno.execPath(), "run", "-A", RUNNER, folder.path];
  const { code, stdout } = await runProgram(command, { env: { NO_COLOR: "", FORCE_COLOR: "1" } });
  const closing = stdout.trim().split("\n").at(-1)?.replace(/ \([0-9.]+ min\)$/, "");
  return { code, stdout, closing };
}

Deno.test("the runner adds up what all files say", async () => {
  const { code, closing } = await runTests({
    good:
      'Deno.test("a", () => {}); Deno.test("b", async (t) => { await t.step("c", () => {}); });',
    other: 'Deno.test("a", () => {}); Deno.test.ignore("d", () => {});',
  });
  assertEquals([code, closing], [0, "ok | 3 passed | 0 failed | 1 ignored"]);
});

Deno.test("the runner fails with a test, and names it in the end", async () => {
  const failing = 'Deno.test("a", () => {}); Deno.test("b", () => { throw new Error("no"); });';
  const { code, stdout, closing } = await runTests({ failing });
  assertEquals([code, closing], [1, "FAILED | 1 passed | 1 failed | 0 ignored"]);
  assertStringIncludes(stdout, "failing_test.ts: b\n");
});

Deno.test("the runner counts a process that dies, and a file that cannot be loaded, as failed", async () => {
  const { code, closing } = await runTests({
    good: 'Deno.test("a", () => {});',
    dying: 'Deno.test("a", () => Deno.kill(Deno.pid, "SIGKILL"));',
    throwing: 'Deno.test("a", () => {}); throw new Error("no");',
  });
  assertEquals([code, closing], [1, "FAILED | 1 passed | 2 failed | 0 ignored"]);
});

Deno.test("the runner fails when the types are wrong, and when there is no test", async () => {
  assertEquals(
    (await runTests({ wrong: 'const a: number = "b"; Deno.test("a", () => {});' })).code,
    1,
  );
  assertEquals((await runTests({})).code, 1);
});

Deno.test("every file that has a lane of its own is there, once", async () => {
  const named = [...WAITING, ...LONG, ...ALONE];
  assertEquals(named.length, new Set(named).size);
  for (const name of named) await Deno.stat(new URL(name, ROOT));
});
