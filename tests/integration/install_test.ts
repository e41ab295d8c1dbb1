// install.sh into a directory (DESTDIR): what it writes for each init system, what it leaves alone,
// what it refuses. tests/integration/init_test.ts runs what it installs.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { LBTK_NAMES } from "../../lib/cli/called_as.ts";
import { COMMANDS } from "../../lib/cli/commands.ts";
import { needs } from "../support/needs.ts";
import { mustRun, type Outcome, runProgram, TemporaryDirectory } from "../support/run_program.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
const SCRIPT = new URL("../../install.sh", import.meta.url).pathname;
const PROGRAM = '#!/bin/sh\necho compute-lb 0.0.0 "$@"\n';

/** The program and what it writes of itself. */
const PROGRAM_FILES = [
  "/usr/local/bin/compute-lb",
  "/usr/local/share/bash-completion/completions/compute-lb",
  "/usr/local/share/fish/vendor_completions.d/compute-lb.fish",
  "/usr/local/share/man/man8/compute-lb.8",
  "/usr/local/share/zsh/site-functions/_compute-lb",
];

const SERVICE_FILES: Readonly<Record<string, readonly string[]>> = {
  systemd: ["/etc/systemd/system/compute-lb.service"],
  openrc: ["/etc/init.d/compute-lb", "/etc/logrotate.d/compute-lb"],
  sysv: ["/etc/init.d/compute-lb", "/etc/logrotate.d/compute-lb"],
  upstart: ["/etc/init/compute-lb.conf"],
  none: [],
};

/** What --agent writes. */
const AGENT_FILES: Readonly<Record<string, readonly string[]>> = {
  systemd: ["/etc/default/compute-lb-agent", "/etc/systemd/system/compute-lb-agent.service"],
  openrc: ["/etc/conf.d/compute-lb-agent", "/etc/init.d/compute-lb-agent"],
  sysv: ["/etc/default/compute-lb-agent", "/etc/init.d/compute-lb-agent"],
  upstart: ["/etc/default/compute-lb-agent", "/etc/init/compute-lb-agent.conf"],
  none: ["/etc/default/compute-lb-agent"],
};

/** install.sh and a program beside it, and the directory that they install into. */
class Staging implements AsyncDisposable {
  readonly #directory = new TemporaryDirectory();
  readonly source = `${this.#directory.path}/source`;
  readonly root = `${this.#directory.path}/root`;

  constructor() {
    Deno.mkdirSync(this.source);
    Deno.copyFileSync(SCRIPT, `${this.source}/install.sh`);
    Deno.writeTextFileSync(`${this.source}/compute-lb`, PROGRAM, { mode: 0o755 });
  }

  async run(...args: string[]): Promise<Outcome> {
    return await this.runWith({}, ...args);
  }

  async runWith(env: Record<string, string>, ...args: string[]): Promise<Outcome> {
    const command = ["sh", `${this.source}/install.sh`, ...args];
    return await runProgram(command, { env: { DESTDIR: this.root, ...env } });
  }

  /** Every file below the root, with its mode and its contents. */
  async files(): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    const visit = async (folder: string) => {
      for await (const { name, isDirectory } of Deno.readDir(this.root + folder)) {
        const path = `${folder}/${name}`;
        if (isDirectory) {
          await visit(path);
          continue;
        }
        const mode = ((await Deno.stat(this.root + path)).mode ?? 0) & 0o777;
        found[path] = `${mode.toString(8)} ${await this.read(path)}`;
      }
    };
    await visit("");
    return found;
  }

  async read(path: string): Promise<string> {
    return await Deno.readTextFile(this.root + path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#directory[Symbol.asyncDispose]();
  }
}

for (const [init, serviceFiles] of Object.entries(SERVICE_FILES)) {
  Deno.test(`install.sh --init ${init} writes its files, once`, async () => {
    await using staging = new Staging();
    const first = await staging.run("--init", init, "--listen", ":2222", "--backends", "a,b:22=24");
    assertEquals([first.code, first.stderr], [0, ""]);
    const files = await staging.files();
    assertEquals(
      Object.keys(files).sort(),
      ["/etc/compute-lb/lb.conf", ...serviceFiles, ...PROGRAM_FILES].sort(),
    );
    const page = files["/usr/local/share/man/man8/compute-lb.8"];
    assertEquals(page, "644 compute-lb 0.0.0 man\n");
    assertEquals(files["/usr/local/bin/compute-lb"], `755 ${PROGRAM}`);
    // A mark that nothing was filled into would be @name@.
    for (const path of serviceFiles) assert(!/@[a-z_]+@/.test(files[path] ?? ""), path);
    const second = await staging.run(`--init=${init}`, "--listen=:2222", "--backends=a,b:22=24");
    const stdout = `compute-lb is installed below ${staging.root}\n`;
    assertEquals(second, { code: 0, stdout, stderr: "" });
    assertEquals(await staging.files(), files);
  });
}

for (const [init, agentFiles] of Object.entries(AGENT_FILES)) {
  Deno.test(`install.sh --agent --init ${init} writes its files, once, and keeps its flags`, async () => {
    await using staging = new Staging();
    const first = await staging.run("--agent", "--init", init, "--listen", "10.0.0.1:9777");
    assertEquals([first.code, first.stderr], [0, ""]);
    const files = await staging.files();
    assertEquals(Object.keys(files).sort(), [...agentFiles, ...PROGRAM_FILES].sort());
    for (const path of agentFiles) assert(!/@[a-z_]+@/.test(files[path] ?? ""), path);
    const [flags = ""] = agentFiles;
    assertStringIncludes(files[flags] ?? "", 'AGENT_OPTIONS="--listen 10.0.0.1:9777"');
    const second = await staging.run("--agent", "--init", init);
    const stdout = `The agent is installed below ${staging.root}\n`;
    assertEquals(second, { code: 0, stdout, stderr: "" });
    const third = await staging.run("--agent", "--init", init, "--listen", ":1");
    assertStringIncludes(third.stdout, "as it is: write --listen :1 there");
    assertEquals(await staging.files(), files);
  });
}

Deno.test("install.sh writes an lb.conf from --listen and --backends", async () => {
  await using staging = new Staging();
  await staging.run("--listen", "[::1]:2222", "--backends", "hoek,[fe80::1%eth0]:22,kelvin:22=24");
  const text = (await staging.read("/etc/compute-lb/lb.conf")).replaceAll(/^ *#.*\n/gm, "");
  assertEquals(
    text,
    `frontends:
  ssh:
    listen: "[::1]:2222"
    pool: compute

pools:
  compute:
    backends:
      - "hoek"
      - "[fe80::1%eth0]:22"
      - { address: "kelvin:22", cores: 24 }
`,
  );
});

Deno.test("install.sh keeps an lb.conf, and puts what is asked for beside it", async () => {
  await using staging = new Staging();
  await staging.run("--backends", "a");
  const conf = "/etc/compute-lb/lb.conf";
  await Deno.writeTextFile(staging.root + conf, "# mine\n");
  await staging.run();
  assertEquals(Object.keys(await staging.files()).filter((path) => path.includes("lb.conf")), [
    conf,
  ]);
  const { stdout } = await staging.run("--backends", "b");
  assertStringIncludes(stdout, "lb.conf.new");
  assertEquals(await staging.read(conf), "# mine\n");
  assertStringIncludes(await staging.read(`${conf}.new`), '- "b"');
});

Deno.test("install.sh without --backends says what to do next", async () => {
  await using staging = new Staging();
  const { stdout } = await staging.run();
  const next = `Next: write your compute servers into ${staging.root}/etc/compute-lb/lb.conf\n`;
  assert(stdout.endsWith(next), stdout);
});

Deno.test("install.sh writes no lb.conf that the program refuses", async () => {
  await using staging = new Staging();
  const program = '#!/bin/sh\nif [ "$1" = check ]; then echo "$3:10:9: twice" >&2; exit 2; fi\n';
  await Deno.writeTextFile(`${staging.source}/compute-lb`, program);
  const { code, stderr } = await staging.run("--backends", "hoek,hoek");
  assertEquals(code, 1);
  assertStringIncludes(stderr, "so nothing was changed:\nlb.conf:10:9: twice\n");
  assert(!await Deno.stat(staging.root).then(() => true, () => false));
});

Deno.test("install.sh puts a new program in place by a rename", async () => {
  await using staging = new Staging();
  await staging.run();
  const target = `${staging.root}/usr/local/bin/compute-lb`;
  const running = await Deno.open(target);
  const before = (await running.stat()).ino;
  await Deno.writeTextFile(`${staging.source}/compute-lb`, `${PROGRAM}# newer\n`);
  await staging.run();
  assertEquals((await running.stat()).size, PROGRAM.length);
  running.close();
  assert((await Deno.stat(target)).ino !== before);
  assertEquals(await staging.read("/usr/local/bin/compute-lb"), `${PROGRAM}# newer\n`);
});

Deno.test("install.sh honours PREFIX and the init system that it finds in DESTDIR", async () => {
  await using staging = new Staging();
  await Deno.mkdir(`${staging.root}/etc/init.d`, { recursive: true });
  const { code } = await staging.runWith({ PREFIX: "/opt/lb" });
  assertEquals(code, 0);
  assertStringIncludes(await staging.read("/etc/init.d/compute-lb"), "=/opt/lb/bin/compute-lb\n");
  assertEquals(await staging.read("/opt/lb/bin/compute-lb"), PROGRAM);
  await Deno.mkdir(`${staging.root}/usr/lib/systemd`, { recursive: true });
  await Deno.writeTextFile(`${staging.root}/usr/lib/systemd/systemd`, "");
  await staging.runWith({ PREFIX: "/opt/lb" });
  const unit = await staging.read("/etc/systemd/system/compute-lb.service");
  assertStringIncludes(unit, "ExecStart=/opt/lb/bin/compute-lb run");
});

Deno.test("install.sh --uninstall keeps the configuration, with --purge it does not", async () => {
  await using staging = new Staging();
  for (const init of Object.keys(SERVICE_FILES)) {
    await staging.run("--init", init);
    await staging.run("--agent", "--init", init);
  }
  const { code, stdout } = await staging.run("--uninstall");
  assertEquals(code, 0);
  const kept = ["etc/compute-lb", "var/lib/compute-lb", "etc/default/compute-lb-agent"]
    .map((path) => `${staging.root}/${path}`).join(" ");
  assertStringIncludes(stdout, `Kept: ${kept} `);
  assert(!stdout.includes("user"), stdout);
  assertEquals(Object.keys(await staging.files()).sort(), [
    "/etc/compute-lb/lb.conf",
    "/etc/conf.d/compute-lb-agent",
    "/etc/default/compute-lb-agent",
  ]);
  assert((await Deno.stat(`${staging.root}/var/lib/compute-lb`)).isDirectory);
  assertEquals((await staging.run("--uninstall", "--purge")).code, 0);
  assertEquals(await staging.files(), {});
  assertEquals((await staging.run("--uninstall", "--purge")).code, 0);
});

Deno.test("install.sh --lbtk links lbtk's names to the program, and overwrites none", async () => {
  await using staging = new Staging();
  const bin = `${staging.root}/usr/local/bin`;
  await Deno.mkdir(bin, { recursive: true });
  // One of another program, one that leads elsewhere, one that leads nowhere.
  await Deno.writeTextFile(`${bin}/gen`, "of somebody else");
  await Deno.symlink("/opt/lbtk/bin/echo-tcp", `${bin}/echo-tcp`);
  await Deno.symlink("gone", `${bin}/proxy-tcp`);
  const first = await staging.run("--init", "none", "--lbtk");
  assertEquals(first.code, 0, first.stderr);
  const foreign = ["gen", "echo-tcp", "proxy-tcp"];
  for (const name of foreign) {
    assertStringIncludes(first.stdout, `kept ${bin}/${name} as it is: it is another program's`);
  }
  const own = LBTK_NAMES.filter((name) => !foreign.includes(name));
  for (const name of own) assertEquals(await Deno.readLink(`${bin}/${name}`), "compute-lb");
  const again = await staging.run("--init", "none", "--lbtk");
  assertEquals([again.code, again.stdout.includes("wrote")], [0, false], again.stdout);
  const removed = await staging.run("--uninstall", "--init", "none");
  assertEquals(removed.code, 0, removed.stderr);
  const left = Array.from(Deno.readDirSync(bin), ({ name }) => name).sort();
  assertEquals(left, foreign.toSorted());
});

Deno.test("install.sh goes on without a manual page where the program cannot run", async () => {
  await using staging = new Staging();
  await Deno.writeTextFile(`${staging.source}/compute-lb`, "#!/nowhere\n");
  const { code, stderr } = await staging.run("--init", "none");
  assertEquals([code, stderr], [0, ""]);
  assertEquals(Object.keys(await staging.files()).sort(), [
    "/etc/compute-lb/lb.conf",
    "/usr/local/bin/compute-lb",
  ]);
});

Deno.test("compute-lb install runs the script that the program carries", async () => {
  await using staging = new Staging();
  await using temporary = new TemporaryDirectory();
  const program = `${staging.source}/compute-lb`;
  // What stands there while it runs.
  const spy = `[ "$1" != man ] || ls -lR '${temporary.path}' >'${staging.source}/seen'\n`;
  await Deno.writeTextFile(program, PROGRAM + spy);
  const environment = {
    DESTDIR: staging.root,
    TMPDIR: temporary.path,
    COMPUTE_LB_SELF: program,
  };
  const args = ["install", "--init", "none", "--backends=hoek"];
  const command = [Deno.execPath(), "run", "-A", MAIN];
  const done = await runProgram([...command, ...args], { env: environment });
  assertEquals([done.code, done.stderr], [0, ""]);
  assertEquals(Object.keys(await staging.files()).sort(), [
    "/etc/compute-lb/lb.conf",
    "/etc/compute-lb/lb.conf.example",
    ...PROGRAM_FILES,
  ]);
  assertStringIncludes(await staging.read("/etc/compute-lb/lb.conf"), '- "hoek"');
  const seen = await Deno.readTextFile(`${staging.source}/seen`);
  const [, folder] = /^(d[rwx-]+) .* compute-lb-install-/m.exec(seen) ?? [];
  const [, script] = /^(-[rwx-]+) .* install\.sh$/m.exec(seen) ?? [];
  assertEquals([folder, script], ["drwx------", "-rwx------"]);
  assertEquals(await Array.fromAsync(Deno.readDir(temporary.path)), []);

  const wrong = await runProgram([...command, "install", "--listen", "22"], { env: environment });
  assertEquals([wrong.code, wrong.stdout], [64, ""]);
  assertStringIncludes(wrong.stderr, 'compute-lb install: Cannot read "22" as --listen');
  assertStringIncludes(wrong.stderr, 'Try "compute-lb install --help".');
  const removed = await runProgram([...command, "install", "--uninstall", "--purge"], {
    env: environment,
  });
  assertEquals([removed.code, await staging.files()], [0, {}]);
});

Deno.test("compute-lb install from the sources says what to do", async () => {
  const { code, stderr } = await runProgram([Deno.execPath(), "run", "-A", MAIN, "install"]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "deno task compile");
});

Deno.test("compute-lb install describes the flags of install.sh", async () => {
  await using staging = new Staging();
  const { stdout } = await staging.run("--help");
  const flags = [...stdout.matchAll(/^ {2}--([a-z-]+)/gm)].map(([, name]) => name);
  const command = COMMANDS.find(({ name }) => name === "install");
  assertEquals(command?.flags.map(({ name }) => name), flags.filter((name) => name !== "help"));
});

Deno.test("install.sh refuses what it does not understand, and changes nothing", async () => {
  await using staging = new Staging();
  const wrong = [
    ["--nonsense"],
    ["name"],
    ["--init", "runit"],
    ["--init"],
    ["--purge"],
    ["--agent", "--backends", "a"],
    ["--agent", "--uninstall"],
    ["--listen", "2222"],
    ["--listen", ":70000"],
    ["--listen", ':22"'],
    ["--backends", "a b"],
    ["--backends", "a,,b"],
    ["--backends", 'a"'],
    ["--backends", "a=many"],
    ["--backends", "a\nb"],
  ];
  for (const args of wrong) {
    const { code, stdout, stderr } = await staging.run(...args);
    assertEquals({ args, code, stdout }, { args, code: 64, stdout: "" });
    assertStringIncludes(stderr, "usage: ./install.sh");
    assert(stderr.trimEnd().split("\n").length < 10, "the message must not scroll away");
  }
  const prefix = await staging.runWith({ PREFIX: "usr|local" });
  assertEquals(prefix.code, 64);
  await Deno.remove(`${staging.source}/compute-lb`);
  const missing = await staging.run();
  assertEquals(missing.code, 1);
  assertStringIncludes(missing.stderr, "Cannot find the program");
  assert(!await Deno.stat(staging.root).then(() => true, () => false));
});

Deno.test("install.sh --help tells what it does and does nothing", async () => {
  await using staging = new Staging();
  const { code, stdout, stderr } = await staging.run("--help");
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, "--uninstall");
  assert(!await Deno.stat(staging.root).then(() => true, () => false));
});

Deno.test({
  ...needs("systemd-analyze"),
  name: "systemd finds no fault with the units",
  fn: async () => {
    await using staging = new Staging();
    // The unit names the program by its final place, which must exist for the check.
    const prefix = `${staging.root}-final`;
    await staging.runWith({ PREFIX: prefix }, "--init", "systemd");
    await Deno.symlink(staging.root + prefix, prefix);
    await staging.runWith({ PREFIX: prefix }, "--agent", "--init", "systemd");
    for (const name of ["compute-lb", "compute-lb-agent"]) {
      const unit = `${staging.root}/etc/systemd/system/${name}.service`;
      const verify = ["systemd-analyze", "verify", "--man=no", unit];
      assertEquals(await runProgram(verify), { code: 0, stdout: "", stderr: "" });
      // Exposure from 0 (none) to 10 (all); what is left are the network and the compiler's memory.
      const security = ["systemd-analyze", "security", "--offline=true", "--threshold=25", unit];
      assertEquals((await runProgram([...security, "--no-pager"])).code, 0);
    }
  },
});

Deno.test({
  ...needs("shellcheck", "dash"),
  name: "install.sh and what it installs are clean POSIX shell scripts",
  fn: async () => {
    await using staging = new Staging();
    await mustRun("shellcheck", "--shell=sh", SCRIPT);
    await mustRun("dash", "-n", SCRIPT);
    for (const [flags, name] of [[[], "compute-lb"], [["--agent"], "compute-lb-agent"]] as const) {
      const script = `${staging.root}/etc/init.d/${name}`;
      await staging.run(...flags, "--init", "sysv");
      await mustRun("shellcheck", "--shell=sh", script);
      await staging.run(...flags, "--init", "openrc");
      // openrc-run reads the variables that the script only sets, and sets AGENT_OPTIONS.
      await mustRun("shellcheck", "--shell=sh", "--exclude=SC2034,SC2154", script);
    }
  },
});
