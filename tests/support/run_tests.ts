// Runs the tests, each file in a process of its own and several at a time:
// deno task test [FILE or FOLDER …] [--FLAG=… for every `deno test`]. The last line counts them all.

import { ALONE, LONG, WAITING } from "./test_lanes.ts";

const PRELOAD = new URL("./time_limit.ts", import.meta.url).href;
/** Longer than any file takes on a busy machine: time_limit.ts ends a single test long before. */
const FILE_LIMIT_MS = 900_000;
/** What makes a terminal show colours (SGR), which Deno writes into files, too, unless NO_COLOR is set. */
// deno-lint-ignore no-control-regex
const COLOURS = /\x1b\[[\d;]*m/g;
/** Deno's closing line, as in "FAILED | 12 passed (34 steps) | 1 failed | 1 ignored (5s)". */
const CLOSING = /^(?:ok|FAILED) \| (\d+) passed.*? \| (\d+) failed(?:.*? \| (\d+) ignored)?/gm;

let passed = 0;
let failed = 0;
let ignored = 0;
const failures: string[] = [];

/** All test files at or below a path. */
async function testFiles(path: string): Promise<string[]> {
  if ((await Deno.stat(path)).isFile) return [path];
  const entries = await Array.fromAsync(Deno.readDir(path));
  const below = entries.map(({ name, isDirectory }) => {
    if (isDirectory) return testFiles(`${path}/${name}`);
    return name.endsWith("_test.ts") ? [`${path}/${name}`] : [];
  });
  return (await Promise.all(below)).flat().sort();
}

async function runFile(file: string): Promise<void> {
  const beganMs = performance.now();
  // Into a file, not a pipe, which a daemon that a dead test has left behind would hold open.
  const log = await Deno.makeTempFile({ prefix: "compute-lb-tests-" });
  const test = [Deno.execPath(), "test", "-A", "--no-check", `--preload=${PRELOAD}`];
  const { code } = await new Deno.Command("sh", {
    args: ["-c", 'log=$1; shift; exec "$@" >"$log" 2>&1', "sh", log, ...test, ...flags, file],
    stdin: "null",
    signal: AbortSignal.timeout(FILE_LIMIT_MS),
  }).spawn().status;
  const output = await Deno.readTextFile(log);
  await Deno.remove(log);
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);
  console.log(`${output.trim()}\n-- ${file}: ${seconds} s\n`);
  count(file, code, output.replaceAll(COLOURS, ""));
}

/** A process that ends without Deno's closing line, or badly without a failed test, is a failure. */
function count(file: string, code: number, output: string): void {
  const closing = [...output.matchAll(CLOSING)].at(-1);
  const [, ownPassed = 0, ownFailed = 0, ownIgnored = 0] = closing?.map(Number) ?? [];
  passed += ownPassed;
  failed += ownFailed;
  ignored += ownIgnored || 0;
  const names = output.slice(output.lastIndexOf("\n FAILURES ")).matchAll(
    /^(.+) => \S+:\d+:\d+$/gm,
  );
  if (ownFailed > 0) {
    const text = [...names].map(([, name]) => name).join("; ");
    failures.push(`${file}: ${text || "an error outside of its tests"}`);
  }
  if (closing !== undefined && (code === 0) === (ownFailed === 0)) return;
  failed++;
  failures.push(`${file}: its process ended with ${code} before all tests had run`);
}

/** Runs the files of a queue one after the other; several lanes may share a queue. */
async function lane(queue: string[]): Promise<void> {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) await runFile(file);
}

const beganMs = performance.now();
const flags = Deno.args.filter((arg) => arg.startsWith("-"));
const paths = Deno.args.filter((arg) => !arg.startsWith("-"));
const files = (await Promise.all((paths.length > 0 ? paths : ["tests"]).map(testFiles))).flat();
if (files.length === 0) {
  console.error(`no test files in ${paths.join(" ")}`);
  Deno.exit(1);
}
// Once for all: the processes then start without it.
const check = new Deno.Command(Deno.execPath(), { args: ["check", "--quiet", ...files] });
const { success } = await check.spawn().status;
if (!success) Deno.exit(1);

const chosen = (names: readonly string[]) => names.filter((name) => files.includes(name));
const named = [...WAITING, ...LONG, ...ALONE];
const waiting = chosen(WAITING);
const others = [...chosen(LONG), ...files.filter((file) => !named.includes(file))];
const lanes = Array.from({ length: navigator.hardwareConcurrency }, () => lane(others));
await Promise.all([...lanes, lane(waiting)]);
await lane(chosen(ALONE));

if (failures.length > 0) console.log(`FAILURES\n${failures.join("\n")}\n`);
const minutes = ((performance.now() - beganMs) / 60_000).toFixed(1);
const verdict = failed === 0 && passed > 0 ? "ok" : "FAILED";
console.log(
  `${verdict} | ${passed} passed | ${failed} failed | ${ignored} ignored (${minutes} min)`,
);
Deno.exit(verdict === "ok" ? 0 : 1);
