// `deno task bench`: installs the rivals, builds the load generator, enters a network namespace of its
// own, measures everybody in turn, and prints one table.

import { build, builtIn, missingRivals, versions } from "./build.ts";
import { type Bench, freshCell, FULL, QUICK, standingCells, warmUp } from "./cells.ts";
import { endAll } from "./children.ts";
import { openFilesIn } from "./proc.ts";
import { difference } from "./statistics.ts";
import { Measurements, PING_MODES, type RivalName, type SubjectName, SUBJECTS } from "./figures.ts";
import { Backend, LoadTool } from "./load_tool.ts";
import { type Options, parseOptions, USAGE } from "./options.ts";
import { engineRefusal, Proxy, type Site, type Subject } from "./proxy.ts";
import { generatorCheck, jsonReport, markdownTable, type Report, textTable } from "./table.ts";

/** Set by the load tool when it has made the network namespace: "own", or "shared" where it may not. */
const NETWORK = "COMPUTE_LB_BENCH_NETWORK";
/** Where the outer process has built the programs, and what it could not install. */
const FOLDER = "COMPUTE_LB_BENCH_FOLDER";
const MISSING = "COMPUTE_LB_BENCH_MISSING";

/** What is assumed where /proc does not tell: the usual soft limit. */
const DEFAULT_OPEN_FILES = 1_024;

type ProxyName = Exclude<SubjectName, "direct">;

const parsed = parseOptions(Deno.args);
if (parsed.kind === "help") {
  console.log(USAGE);
  Deno.exit(0);
}
if (parsed.kind === "wrong") {
  console.error(parsed.message);
  Deno.exit(64);
}
const folder = Deno.env.get(FOLDER);
Deno.exit(folder === undefined ? await prepare() : await bench(parsed.options, folder));

/** Brings everything that is needed, and runs this program again where the network is its own. */
async function prepare(): Promise<number> {
  const missing = await missingRivals();
  const folder = await Deno.makeTempDir({ prefix: "compute-lb-bench-" });
  // The one inside hears the terminal's INT, too, and ends everything.
  Deno.addSignalListener("SIGINT", () => {});
  try {
    const { load } = await build(folder);
    const inside = new Deno.Command(load, {
      args: ["sandbox", Deno.execPath(), "run", "-A", import.meta.filename ?? "", ...Deno.args],
      env: { [FOLDER]: folder, [MISSING]: missing.join(",") },
    }).spawn();
    Deno.addSignalListener("SIGTERM", () => inside.kill("SIGTERM"));
    return (await inside.status).code;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function bench(options: Options, folder: string): Promise<number> {
  const interrupted = async () => {
    await endAll();
    Deno.exit(130);
  };
  Deno.addSignalListener("SIGINT", interrupted);
  Deno.addSignalListener("SIGTERM", interrupted);
  const notes = new Set<string>();
  const built = builtIn(folder);
  const network = Deno.env.get(NETWORK) ?? "shared";
  await using backend = await Backend.start(built.load);
  const openFiles = openFilesIn(await Deno.readTextFile("/proc/self/limits")) ?? DEFAULT_OPEN_FILES;
  const site: Site = { built, folder, backendPort: backend.port, openFiles };
  const missing = (Deno.env.get(MISSING) ?? "").split(",");
  const rivals = options.rivals.filter((name) => !missing.includes(name));
  for (const name of options.rivals) {
    if (!rivals.includes(name)) notes.add(`${name} is not installed, so it was left out`);
  }
  const refusal = await engineRefusal("splice", site);
  if (refusal !== undefined) notes.add(`this version has no splice engine: ${refusal}`);
  const ours = refusal === undefined ? "splice" : "portable";
  const wanted: readonly SubjectName[] = ["direct", ours, ...rivals];
  const context: Bench = {
    load: new LoadTool(built.load, network === "own" ? 0 : 64),
    backend,
    site,
    sizes: options.quick ? QUICK : FULL,
    measured: new Measurements(),
    note: (text) => notes.add(text),
  };
  await measure(context, options, SUBJECTS.filter((name) => wanted.includes(name)));
  addDifferences(context.measured);
  print(options, {
    measured: context.measured,
    groups: options.groups,
    subjects: SUBJECTS.filter((name) => wanted.includes(name)),
    rivals: rivals.filter((name) => name !== ours),
    ours,
    about: await describe(rivals, network, options.quick, ours),
    notes: [...notes],
  });
  return 0;
}

/** Runs every round: each cell on everybody, then everybody started anew. */
async function measure(
  bench: Bench,
  { groups }: Options,
  names: readonly SubjectName[],
): Promise<void> {
  const cells = standingCells(groups);
  await using stack = new AsyncDisposableStack();
  const standing: Subject[] = [];
  for (const name of cells.length === 0 ? [] : names) {
    if (name === "direct") {
      const { port } = bench.backend;
      const none = () => Promise.resolve(0);
      standing.push({ name, port, cpuSeconds: none, userSeconds: none });
      continue;
    }
    await attempt(bench, `${name}, started`, async () => {
      const proxy = stack.use(await Proxy.start(name, bench.site));
      await warmUp(bench, proxy);
      standing.push(proxy);
    });
  }
  const proxies = names.filter((name): name is ProxyName => name !== "direct");
  for (let round = 0; round < bench.sizes.rounds; round++) {
    const where = `round ${round + 1} of ${bench.sizes.rounds}`;
    for (const cell of cells) {
      console.error(`${where}: ${cell.title}`);
      for (const subject of rotated(standing, round)) {
        if (subject instanceof Proxy && subject.ended) {
          bench.note(`${subject.name} has ended before the last round`);
          continue;
        }
        await attempt(
          bench,
          `${subject.name}, ${cell.title}`,
          () => cell.run(bench, subject, round),
        );
      }
    }
    if (!groups.includes("memory") && !groups.includes("startup")) continue;
    console.error(`${where}: start-up and memory`);
    for (const name of rotated(proxies, round)) {
      await attempt(bench, `${name}, started anew`, () => freshCell(bench, name, round, groups));
    }
  }
}

/** Nobody is always first, nor always behind the same one. */
function rotated<T>(items: readonly T[], by: number): T[] {
  const start = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

/** A cell that fails is told of and leaves a gap; the others go on. */
async function attempt(bench: Bench, what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    bench.note(`${what}: ${error instanceof Error ? error.message : error}`);
    await bench.backend.untilSessions(0).catch(() => {
      bench.note(`${what}: sessions stand that nobody holds`);
    });
  }
}

/** What a proxy adds to the direct connection's round trips in the same round. */
function addDifferences(measured: Measurements): void {
  for (const mode of PING_MODES) {
    for (const part of ["p50", "p99"]) {
      const direct = measured.rounds(`rtt.${mode}.${part}`, "direct");
      for (const name of SUBJECTS.filter((name) => name !== "direct")) {
        const added = difference(measured.rounds(`rtt.${mode}.${part}`, name), direct);
        for (const [round, value] of added.entries()) {
          if (value !== undefined) measured.record(`added.${mode}.${part}`, name, round, value);
        }
      }
    }
  }
}

async function describe(
  rivals: readonly RivalName[],
  network: string,
  quick: boolean,
  ours: SubjectName,
): Promise<string[]> {
  const cpu = /^model name\s*:\s*(.*)$/m.exec(await Deno.readTextFile("/proc/cpuinfo"))?.[1];
  const [one = 0, five = 0] = Deno.loadavg();
  const load = `load average now ${one.toFixed(2)}, over 5 minutes ${five.toFixed(2)}`;
  const machine = `${navigator.hardwareConcurrency} cores of ${cpu ?? Deno.build.arch}`;
  return [
    `${machine}, Linux ${Deno.osRelease()}, ${load}`,
    (await versions(rivals)).join(", "),
    network === "own"
      ? "loopback of an own network namespace; no TIME_WAIT is kept there"
      : "loopback of this machine, 64 client addresses; old TIME_WAITs may disturb (not root)",
    quick
      ? "one short round: these numbers only show that it works"
      : "medians of rounds, min..max",
    `"/ NAME": ${ours} / NAME, the median of the ratios within each round, and what is aimed at`,
  ];
}

function print(options: Options, report: Report): void {
  if (options.format === "json") return console.log(jsonReport(report));
  const markdown = options.format === "markdown";
  const bullet = markdown ? "- " : "";
  console.log(report.about.map((text) => bullet + text).join("\n"));
  console.log(`\n${markdown ? markdownTable(report) : textTable(report)}`);
  const check = generatorCheck(report);
  if (check.length > 0) {
    const text = check.join("\n");
    console.log(`\nThe generator against the backend, without a proxy:\n`);
    console.log(markdown ? `\`\`\`\n${text}\n\`\`\`` : text);
  }
  for (const note of report.notes) console.log(`${bullet}note: ${note}`);
}
