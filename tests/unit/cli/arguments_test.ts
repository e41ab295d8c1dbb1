import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseCommand } from "../../../lib/cli/arguments.ts";
import { COMMON_FLAGS } from "../../../lib/cli/command.ts";
import { COMMANDS } from "../../../lib/cli/commands.ts";

function parse(line: string): object | string {
  const result = parseCommand(line === "" ? [] : line.split(" "), COMMANDS);
  return result.ok ? { name: result.task.name, ...result.task.options } : result.message;
}

const ACCEPTED: Record<string, object> = {
  "": { name: "run", overrides: {} },
  "run": { name: "run", overrides: {} },
  "--listen :22 --backends a,b=4": {
    name: "run",
    overrides: { listen: [":22"], backends: ["a", "b=4"] },
  },
  "run --listen=:22 --listen [::1]:22,:33,": {
    name: "run",
    overrides: { listen: [":22", "[::1]:22", ":33"] },
  },
  "-c f": { name: "run", configFile: "f", overrides: {} },
  "--config=f --strategy random --load ssh --health none --engine auto": {
    name: "run",
    configFile: "f",
    overrides: { strategy: "random", load: "ssh", health: "none", engine: "auto" },
  },
  "--user 0 --admin-socket off --log-level info --log-format json --shutdown-timeout 10": {
    name: "run",
    overrides: {
      user: "0",
      adminSocket: "off",
      logLevel: "info",
      logFormat: "json",
      shutdownTimeout: "10",
    },
  },
  "check": { name: "check", overrides: {}, probe: false, effective: false, diff: false },
  "check --probe -c f": {
    name: "check",
    configFile: "f",
    overrides: {},
    probe: true,
    effective: false,
    diff: false,
  },
  "reload --json": { name: "reload", json: true },
  "check --effective": { name: "check", overrides: {}, probe: false, effective: true, diff: false },
  "demo": { name: "demo", json: false },
  "demo --seconds 5 --json": { name: "demo", json: true, seconds: 5 },
  "status": { name: "status", json: false, nagios: false, watch: false },
  "status --nagios": { name: "status", json: false, nagios: true, watch: false },
  "status --json --admin-socket /x -c f": {
    name: "status",
    json: true,
    nagios: false,
    watch: false,
    adminSocket: "/x",
    configFile: "f",
  },
  "why": { name: "why", json: false },
  "why --last 20 --client 192.0.2.7:5 --json -c f --admin-socket /x": {
    name: "why",
    json: true,
    last: 20,
    client: "192.0.2.7:5",
    configFile: "f",
    adminSocket: "/x",
  },
  "agent": { name: "agent", allow: [] },
  "agent --listen 10.0.0.1:9777 --user nobody --allow 10.0.0.0/8,::1 --allow 192.0.2.1": {
    name: "agent",
    allow: ["10.0.0.0/8", "::1", "192.0.2.1"],
    listen: "10.0.0.1:9777",
    user: "nobody",
  },
  "simulate --replay f": { name: "simulate", json: false, replay: "f" },
  "simulate --json --replay=f --strategy random": {
    name: "simulate",
    json: true,
    replay: "f",
    strategy: "random",
  },
  "echo 7000 :1,:2": { name: "echo", addresses: ["7000", ":1", ":2"], detach: false },
  "echo -d -f :1": { name: "echo", addresses: [":1"], detach: true },
  "refresh --port 22 static a --port -h": {
    name: "refresh",
    kind: "static",
    args: ["a", "--port", "-h"],
    figures: false,
    clears: false,
    port: 22,
  },
  "refresh dns --help": { name: "help", topic: "refresh" },
  "install": { name: "install", argv: [] },
  "install --agent --init=none --no-start": {
    name: "install",
    argv: ["--agent", "--init=none", "--no-start"],
  },
  "completion zsh": { name: "completion", what: "zsh" },
  "man": { name: "man" },
  "help": { name: "help" },
  "help config sticky.ttl": { name: "help", topic: "config", key: "sticky.ttl" },
  "help limits": { name: "help", topic: "limits" },
  "help echo": { name: "help", topic: "echo" },
  "sessions --backend hoek --json": { name: "sessions", json: true, query: { backend: "hoek" } },
  "kill 4711 12 --reason wild": { name: "kill", json: false, reason: "wild", ids: [4711, 12] },
  "deny 192.0.2.0/24 ::1 --for 1h --frontend ssh": {
    name: "deny",
    json: false,
    frontend: "ssh",
    networks: ["192.0.2.0/24", "::1"],
    until: "1h",
  },
  "undeny 192.0.2.7": { name: "undeny", json: false, networks: ["192.0.2.7"] },
  "drain hoek kelvin:22 --deadline 8h --reason kernel": {
    name: "drain",
    json: false,
    reason: "kernel",
    hosts: ["hoek", "kelvin:22"],
    deadline: "8h",
  },
  "drain hoek --deadline off": { name: "drain", json: false, hosts: ["hoek"], deadline: null },
  "enable hoek --clear --json": { name: "enable", json: true, hosts: ["hoek"], clear: true },
  "disable hoek --pool p": { name: "disable", json: false, pool: "p", hosts: ["hoek"] },
  "weight hoek 0.5": { name: "weight", json: false, hosts: ["hoek"], weight: 0.5 },
  "weight hoek default": { name: "weight", json: false, hosts: ["hoek"], weight: null },
  "backend add a:22 b --cores 4 --max-connections 0": {
    name: "backend",
    json: false,
    hosts: ["a:22", "b"],
    verb: "add",
    values: { cores: 4, max_connections: 0 },
  },
  "backend remove a": { name: "backend", json: false, hosts: ["a"], verb: "remove", values: {} },
  "--help": { name: "help" },
  "-h": { name: "help" },
  "run -h": { name: "help", topic: "run" },
  "check --wrong --help": { name: "help", topic: "check" },
  "version": { name: "version" },
  "-V": { name: "version" },
  "status --version": { name: "version" },
};

Deno.test("parseCommand() reads every command and flag", () => {
  for (const [line, command] of Object.entries(ACCEPTED)) {
    assertEquals([line, parse(line)], [line, command]);
  }
});

const REJECTED: Record<string, string> = {
  "statsu": 'Unknown command "statsu": did you mean "status"?',
  "frobnicate": 'Unknown command "frobnicate"',
  "add euler": 'Unknown command "add": did you mean "backend add"?',
  "quickstart": 'Unknown command "quickstart": did you mean "help quickstart"?',
  "help chek": 'Unknown command or topic "chek": did you mean "check"?',
  "help add": 'Unknown command or topic "add": did you mean "backend"?',
  "help config a b": 'Cannot use "a" here: expected one command',
  "help a b": 'Cannot use "b" here: expected one command',
  "drain": 'Cannot tell which backend is meant: expected HOST; "compute-lb status" lists them',
  "drain a --deadline 5": '--deadline: Cannot read "5" as a duration: unit is missing, write "5s"',
  // A value, and no wish for help, which would end with 0.
  "drain a --deadline -8h": 'Unknown flag "-8h"',
  "drain a --reason a\nb": 'Cannot use "a\\nb" as a reason: it holds a control character',
  "kill": "Cannot tell which session is meant: expected SESSION",
  "kill 0": 'Cannot read "0" as a session: expected its number',
  "deny": "Cannot tell which network is meant: expected NETWORK",
  "deny 192.0.2.7/24": 'Cannot use "192.0.2.7/24" as a network: bits are set behind the prefix, ' +
    'did you mean "192.0.2.0/24"?',
  "deny ::1 --for 1": '--for: Cannot read "1" as a duration: unit is missing, write "1s"',
  "weight a": 'Cannot set "a": expected HOST and a weight',
  "weight a 300":
    'Cannot set "300": Cannot read "300" as a weight: expected a number from 0 to 256',
  "backend": "Cannot tell what to do: expected add or remove",
  "backend rm a": 'Cannot read "rm": expected add or remove',
  "backend remove a --cores 3": "Cannot use --cores: it is for backend add",
  "backend add a --cores x":
    'Cannot use --cores: Cannot read "x" as cores: expected a number above 0, up to 8192',
  "--lissten :22": 'Unknown flag "--lissten": did you mean "--listen"?',
  "--lissten=:22": 'Unknown flag "--lissten": did you mean "--listen"?',
  "check --json": 'Unknown flag "--json"',
  "-x": 'Unknown flag "-x"',
  "--no-listen": 'Unknown flag "--no-listen": did you mean "--listen"?',
  "--constructor 1": 'Unknown flag "--constructor"',
  "--__proto__ 1": 'Unknown flag "--__proto__"',
  "--listen": "Cannot read --listen: its value is missing; write --listen=VALUE",
  "--listen --backends a": "Cannot read --listen: its value is missing; write --listen=VALUE",
  "--backends ,": "Cannot read --backends: its value is missing",
  "--strategy=": "Cannot read --strategy: its value is missing; write --strategy=VALUE",
  "-c": "Cannot read -c: its value is missing; write -c VALUE",
  "-c --listen :1": "Cannot read -c: its value is missing; write -c VALUE",
  "--config": "Cannot read --config: its value is missing; write --config=VALUE",
  "-c a -c b": "Cannot use -c 2 times: expected it once",
  "--config a -c b": "Cannot use --config 2 times: expected it once",
  "--load ssh --load ssh": "Cannot use --load 2 times: expected it once",
  "run foo": 'Cannot use "foo" here: expected only flags',
  "-- foo": 'Cannot use "foo" here: expected only flags',
  "check check": 'Cannot use "check" here: expected only flags',
  "--config f check": 'Cannot use "check" here: expected only flags; write the command first',
  "version x": 'Cannot use "x" here: expected only flags',
  "demo --json=false": "Cannot give --json a value: it is a switch",
  "demo --json true": "Cannot give --json a value: it is a switch",
  "demo --seconds 0": 'Cannot read "0" as seconds: expected 1 to 86400',
  "demo --seconds 0x5": 'Cannot read "0x5" as seconds: expected 1 to 86400',
  "demo --seconds=-5": 'Cannot read "-5" as seconds: expected 1 to 86400',
  "agent --listen :1 --listen :2": "Cannot use --listen 2 times: expected it once",
  "install --uninstal": 'Unknown flag "--uninstal": did you mean "--uninstall"?',
  "completion": "Cannot complete for nothing: expected one of bash, zsh, fish",
  "completion tcsh": 'Cannot complete for "tcsh": expected one of bash, zsh, fish',
  "echo": 'Cannot echo nowhere: expected an address, such as ":7000"',
};

Deno.test("parseCommand() says in one sentence what is wrong", () => {
  for (const [line, message] of Object.entries(REJECTED)) {
    const result = parse(line);
    assert(typeof result === "string", `${line} is accepted`);
    const [first, second = "", ...rest] = result.split("\n");
    assertEquals([line, first], [line, message]);
    assert(/^Try "compute-lb (--help|help( [a-z]+)?)"\.$/.test(second), second);
    // "help help" tells less than "help".
    assertEquals([line, second.includes("help help"), rest], [line, false, []]);
  }
});

Deno.test("parseCommand() never throws on any arguments", () => {
  const word = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom(...COMMANDS.map(({ name }) => name)),
    fc.constantFrom(
      ...[...COMMANDS.flatMap(({ flags }) => flags), ...COMMON_FLAGS].map(({ name }) =>
        `--${name}`
      ),
    ),
    fc.constantFrom("-", "--", "-c", "-cx", "-c=", "--a.b=1", "--=x", "-=", "--no-", "5", "true"),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (argv) => {
      const result = parseCommand(argv, COMMANDS);
      if (!result.ok) assertEquals(result.message.split("\n").length, 2);
    }),
    { numRuns: 3000 },
  );
});
