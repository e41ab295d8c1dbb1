import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { describeChanges, MOST_CHANGE_TEXT, NO_CHANGE } from "../../../lib/config/changes.ts";
import type { Config } from "../../../lib/config/config.ts";
import { formatConfig } from "../../../lib/config/write_config.ts";
import { readConfig } from "../../../lib/config/read_config.ts";

interface Draft {
  readonly frontends?: object;
  readonly pools?: object;
  readonly [key: string]: unknown;
}

function configOf(draft: Draft): Config {
  const text = JSON.stringify({
    frontends: { ssh: { listen: ":22", pool: "compute" } },
    pools: { compute: { backends: ["hoek", "kelvin"] } },
    ...draft,
  });
  const read = readConfig({ file: { path: "lb.conf", text } });
  if (!read.ok) throw new Error(read.errors.map(({ message }) => message).join("\n"));
  return read.config;
}

function changes(before: Draft, after: Draft): string {
  return describeChanges(configOf(before), configOf(after));
}

function pool(compute: object): Draft {
  return { pools: { compute: { backends: ["hoek", "kelvin"], ...compute } } };
}

Deno.test("describeChanges() says so when nothing has changed", () => {
  assertEquals(changes({}, {}), NO_CHANGE);
  // Written out, a default is no change, nor is a backend in its long form.
  const long = [{ address: "hoek:22" }, { address: "kelvin", max_connections: 0 }];
  assertEquals(changes({}, pool({ backends: long, strategy: "least_load" })), NO_CHANGE);
});

Deno.test("describeChanges() names backends that come, go and change, and the pool's keys", () => {
  const after = pool({ backends: ["kelvin=24", "euler"], strategy: "first" });
  assertEquals(
    changes({}, after),
    "pool compute: +euler:22, -hoek:22, kelvin:22 (cores unset -> 24), " +
      "strategy least_load -> first",
  );
});

Deno.test("describeChanges() names discovery sources that come, go and change", () => {
  const before = pool({ discovery: ["static:a", "static:b"] });
  const after = pool({ discovery: ["static:b", { source: "static", backends: ["c"] }] });
  assertEquals(changes(before, after), "pool compute: discovery +static c, discovery -static a");
  assertEquals(
    changes(before, pool({ discovery: ["static:b", "static:a"], on_empty: "clear" })),
    "pool compute: discovery in another order, on_empty keep -> clear",
  );
  assertEquals(
    changes({}, pool({ backend_defaults: { weight: 2 } })),
    "pool compute: backend_defaults.weight 1 -> 2",
  );
});

Deno.test("describeChanges() names frontends and pools, and keys of the whole file", () => {
  const after = {
    log: { level: "debug" },
    shutdown_timeout: "1h",
    frontends: {
      ssh: { listen: [":22", ":2222"], pool: "lab", max_connections: 100 },
      web: { listen: ":80", pool: "lab" },
    },
    pools: { lab: { backends: ["hoek:22"] } },
  };
  assertEquals(
    changes({}, after),
    "frontends: +web; pools: +lab, -compute; " +
      "frontend ssh: listen :22 -> :22,:2222, pool compute -> lab, max_connections 4096 -> 100; " +
      "log.level info -> debug, shutdown_timeout off -> 1h",
  );
});

Deno.test("describeChanges() tells the order of backends, which the strategy first goes by", () => {
  assertEquals(
    changes({}, pool({ backends: ["kelvin", "hoek"] })),
    "pool compute: backends in another order",
  );
  assertEquals(
    changes({}, pool({ backends: ["euler", "hoek", "kelvin"] })),
    "pool compute: +euler:22",
  );
});

Deno.test("describeChanges() tells what waits for the next start", () => {
  assertEquals(
    changes({}, { engine: { kind: "portable" }, user: "daemon" }),
    "engine.kind auto -> portable (at the next start), user unset -> daemon (at the next start)",
  );
});

Deno.test("describeChanges() tells that a secret has changed, and not to what", () => {
  const load = (secret: string) =>
    pool({
      load: {
        source: "http",
        http: { url: `http://x/?key=${secret}`, headers: { "X-Key": secret } },
        exec: { command: ["/bin/ask", secret] },
        agent: { send: secret },
      },
    });
  const text = changes(load("opensesame"), load("swordfish"));
  assert(!/opensesame|swordfish/.test(text), text);
  for (const key of ["exec.command", "agent.send", "http.url", "http.headers.X-Key"]) {
    assert(text.includes(`load.${key} changed`), text);
  }
});

Deno.test("describeChanges() tells what other files have made of the same keys", () => {
  const lists = (deny: string) =>
    configOf({
      frontends: {
        ssh: { listen: ":22", pool: "compute", allow: "file:/a", deny },
        web: { listen: "unix:/run/w", pool: "compute", allow: "10.0.0.0/8" },
      },
      pools: { compute: { backends: ["hoek:22"] } },
    });
  const files = { ranges: true, lists: ["ssh"] };
  const [before, after] = [lists("file:/d"), lists("file:/e")];
  const ranges = "location_database has other ranges";
  assertEquals(
    describeChanges(before, before, files),
    `frontend ssh: the files of allow and deny have other networks; ${ranges}`,
  );
  assertEquals(
    describeChanges(before, after, files),
    `frontend ssh: deny file:/d -> file:/e; ${ranges}`,
  );
});

Deno.test("describeChanges() counts what it has no room for", () => {
  const many = Array.from({ length: 300 }, (_, index) => `host-${index}`);
  assertEquals(
    changes({}, pool({ backends: ["hoek", "kelvin", ...many], strategy: "random" })),
    "pool compute: +host-0:22, +host-1:22, +host-2:22, +host-3:22, +host-4:22, +host-5:22, " +
      "+294 more, strategy least_load -> random",
  );
  const pools = (strategy: string) => {
    const names = Array.from({ length: 60 }, (_, index) => `pool_${index}`);
    return {
      frontends: Object.fromEntries(
        names.map((name, index) => [name, { listen: `:${1000 + index}`, pool: name }]),
      ),
      pools: Object.fromEntries(names.map((name) => [name, { backends: ["hoek"], strategy }])),
    };
  };
  const text = changes(pools("first"), pools("random"));
  assert(text.length <= MOST_CHANGE_TEXT, text);
  const [, left] = /; and (\d+) more$/.exec(text) ?? [];
  assertEquals(text.split("strategy first -> random").length - 1 + Number(left), 60, text);
});

const backend = fc.record({
  address: fc.constantFrom("a", "b", "c:23", `${"d".repeat(60)}.${"e".repeat(60)}.example`),
  cores: fc.constantFrom(1, 24),
  weight: fc.constantFrom(0, 1, 2.5),
  max_connections: fc.constantFrom(0, 7),
  load_address: fc.constantFrom("m", "m:1"),
  load: fc.constantFrom({ source: "ssh" }, { source: "agent", agent: { port: 1 } }),
}, { requiredKeys: ["address"] });
const compute = fc.record({
  backends: fc.uniqueArray(backend, { minLength: 1, selector: ({ address }) => address }),
  strategy: fc.constantFrom("least_load", "first"),
  pace: fc.constantFrom({ sessions: "off" }, { within: "1m" }),
  queue: fc.constantFrom({ timeout: "off" }, { timeout: "5s" }, { max: 7 }),
  memory: fc.constantFrom({ min_available: "10%" }, { weight: 0.5 }),
  panic: fc.constantFrom({ below: "off" }, { last_resort: true }),
}, { requiredKeys: ["backends"] });
const draft = fc.record({
  log: fc.constantFrom({ level: "debug" }, { record: "/var/lib/r" }),
  frontends: fc.constantFrom(
    { ssh: { listen: ":22", pool: "compute" } },
    { ssh: { listen: ":22", pool: "compute", idle_timeout: "1h" } },
    {
      ssh: {
        listen: ":22",
        pool: "compute",
        location: [{ networks: ["192.0.2.0/24"], pool: "compute" }],
      },
    },
  ),
  pools: fc.record({ compute }),
}, { requiredKeys: ["pools"] });

Deno.test("describeChanges() says something exactly when something differs, on one short line", () => {
  fc.assert(fc.property(draft, draft, (before, after) => {
    const [one, other] = [configOf(before), configOf(after)];
    const text = describeChanges(one, other);
    assertEquals(text === NO_CHANGE, formatConfig(one) === formatConfig(other), text);
    assertEquals(describeChanges(other, one) === NO_CHANGE, text === NO_CHANGE);
    assert(text.length <= MOST_CHANGE_TEXT && !text.includes("\n") && !text.includes("undefined"));
  }));
});
