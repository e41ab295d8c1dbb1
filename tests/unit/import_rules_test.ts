// Pins which room may import which (lib/ARCHITECTURE.md). The lists are exact: a new arrow fails, and so does
// a permission that nothing uses any more.

import { assertEquals } from "@std/assert";

const ROOT = new URL("../../", import.meta.url);

/** What each room may import besides itself and core/. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  strategy: [],
  schema: [],
  asking: [],
  load: ["asking", "schema"],
  discovery: ["asking", "schema"],
  sp: ["asking"],
  location: [],
  health: [],
  engine: [],
  config: ["discovery", "health", "load", "schema", "sp", "strategy"],
  admin: ["schema"],
  host: [],
  agent: [],
  log: [],
  manual: ["load"],
  packing: ["version"],
  record: ["engine", "log", "strategy", "version"],
  version: [],
  app: [
    "asking",
    "discovery",
    "sp",
    "strategy",
    "load",
    "location",
    "health",
    "engine",
    "config",
    "admin",
    "host",
    "log",
    "record",
    "sp",
    "schema",
    "version",
  ],
  cli: [
    "app",
    "asking",
    "strategy",
    "load",
    "discovery",
    "schema",
    "health",
    "engine",
    "config",
    "admin",
    "host",
    "log",
    "agent",
    "record",
    "sp",
    "manual",
    "install.sh",
    "lb.conf.example",
    "version",
  ],
  main: ["cli", "engine", "host"],
};

/** The one file that imports each package. */
const PACKAGE_HOME: Readonly<Record<string, string>> = {
  "@logtape/logtape": "lib/log/setup.ts",
  "@std/cli/parse-args": "lib/cli/arguments.ts",
  "@std/yaml": "lib/config/yaml.ts",
  "zod": "lib/schema/declarations.ts",
  "ioredis": "lib/discovery/redis_link.ts",
  "ioredis/built/DataHandler.js": "lib/discovery/redis_link.ts",
  "mmdb-lib": "lib/location/country_database.ts",
};

interface Source {
  readonly path: string;
  readonly room: string;
  readonly text: string;
  readonly imports: readonly string[];
}

async function sources(): Promise<Source[]> {
  const found: Source[] = [];
  const visit = async (folder: string) => {
    for await (const entry of Deno.readDir(new URL(folder, ROOT))) {
      const path = folder + entry.name;
      if (entry.isDirectory) await visit(`${path}/`);
      else if (path.endsWith(".ts") && !path.endsWith(".d.ts")) found.push(await read(path));
    }
  };
  await visit("lib/");
  found.push(await read("main.ts"));
  return found;
}

async function read(path: string): Promise<Source> {
  const text = await Deno.readTextFile(new URL(path, ROOT));
  const imports = [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"([^"]+)"/g)]
    .map((match) => match[1] ?? "");
  return { path, room: roomOf(path), text, imports };
}

function roomOf(path: string): string {
  const parts = path.replace(/\.ts$/, "").split("/");
  return parts[0] === "lib" ? parts[1] ?? "" : parts[0] ?? "";
}

function resolvePath(from: string, specifier: string): string {
  return new URL(specifier, new URL(from, "file:///")).pathname.slice(1);
}

Deno.test("imports go only along the arrows of the architecture", async () => {
  const wrong: string[] = [];
  for (const source of await sources()) {
    const allowed = MAY_IMPORT[source.room];
    if (allowed === undefined) {
      wrong.push(`${source.path}: room "${source.room}" has no rule`);
      continue;
    }
    for (const specifier of source.imports.filter((name) => name.startsWith("."))) {
      const target = roomOf(resolvePath(source.path, specifier));
      if (target !== source.room && target !== "core" && !allowed.includes(target)) {
        wrong.push(`${source.path} imports ${target}`);
      }
    }
  }
  assertEquals(wrong, []);
});

Deno.test("each package is imported in one file", async () => {
  const wrong: string[] = [];
  for (const source of await sources()) {
    for (const specifier of source.imports.filter((name) => !/^(\.|node:)/.test(name))) {
      if (PACKAGE_HOME[specifier] !== source.path) {
        wrong.push(`${source.path} imports ${specifier}`);
      }
    }
  }
  assertEquals(wrong, []);
});

Deno.test("core names neither Deno nor a clock, a timer or chance", async () => {
  const wrong = (await sources())
    .filter((source) => source.room === "core")
    .filter((source) =>
      /\bDeno\.|\bDate\b|\bsetTimeout\b|\bsetInterval\b|\bperformance\b|Math\.random\(/.test(
        source.text.replace(/\/\/.*|\/\*[\s\S]*?\*\//g, ""),
      )
    )
    .map((source) => source.path);
  assertEquals(wrong, []);
});

Deno.test("only host/ and the splice engine's libc open shared libraries", async () => {
  const wrong = (await sources())
    .filter((source) => source.text.includes("Deno.dlopen"))
    .map((source) => source.path)
    .filter((path) => !path.startsWith("lib/host/") && path !== "lib/engine/splice/libc.ts");
  assertEquals(wrong, []);
});

Deno.test("a worker of the splice engine loads core/ and its own folder alone", async () => {
  const all = new Map((await sources()).map((source) => [source.path, source]));
  const loaded = new Set<string>();
  const load = (path: string) => {
    if (loaded.has(path)) return;
    loaded.add(path);
    for (const specifier of all.get(path)?.imports ?? []) {
      load(specifier.startsWith(".") ? resolvePath(path, specifier) : specifier);
    }
  };
  load("lib/engine/splice/worker.ts");
  const rooms = ["lib/core/", "lib/engine/splice/"];
  assertEquals([...loaded].filter((path) => !rooms.some((room) => path.startsWith(room))), []);
});

Deno.test("imports have no cycles", async () => {
  const graph = new Map<string, string[]>();
  for (const source of await sources()) {
    graph.set(
      source.path,
      source.imports.filter((name) => name.startsWith("."))
        .map((name) => resolvePath(source.path, name)),
    );
  }
  const done = new Set<string>();
  const open: string[] = [];
  const visit = (path: string): string | undefined => {
    if (open.includes(path)) return [...open.slice(open.indexOf(path)), path].join(" > ");
    if (done.has(path)) return undefined;
    open.push(path);
    for (const next of graph.get(path) ?? []) {
      const cycle = visit(next);
      if (cycle !== undefined) return cycle;
    }
    open.pop();
    done.add(path);
    return undefined;
  };
  for (const path of graph.keys()) assertEquals(visit(path), undefined);
});
