// The self-extracting file as an administrator meets it: how it is built, where it can be started,
// and that what runs is the balancer itself.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ANSWER, buildCommand, compiledBinary } from "../support/compiled_binary.ts";
import { needs } from "../support/needs.ts";
import { portsListenedOn } from "../support/processes.ts";
import {
  endNow,
  entries,
  mustRun,
  runProgram,
  TemporaryDirectory,
} from "../support/run_program.ts";
import { waitFor } from "../support/wait_for.ts";

Deno.test({
  ...needs("root", "setpriv", "unshare"),
  name: "it starts with an empty environment, as a user without a home, in an empty directory",
  fn: async () => {
    await using directory = new TemporaryDirectory();
    await Deno.chmod(directory.path, 0o755);
    // What root may have unpacked on this machine would be used.
    const alone = [
      "unshare",
      "--mount",
      "sh",
      "-euc",
      'mount -t tmpfs x /var/cache; exec "$@"',
      "sh",
    ];
    const nobody = [...alone, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    // Nobody's /tmp must not be left with a runtime of ours, so TMPDIR is given.
    const temporary = `${directory.path}/tmp`;
    await Deno.mkdir(temporary);
    await Deno.chmod(temporary, 0o1777);
    const program = `${directory.path}/compute-lb`;
    await Deno.copyFile(await compiledBinary(), program);
    const command = [...nobody, "env", "-i", `TMPDIR=${temporary}`, program, "--version"];
    for (let start = 0; start < 2; start++) {
      const outcome = await runProgram(command, { cwd: directory.path });
      assertEquals(outcome, { code: 0, stdout: ANSWER, stderr: "" });
    }
    assertEquals(await entries(temporary), ["compute-lb-65534"]);
    const { mode, uid } = await Deno.stat(`${temporary}/compute-lb-65534`);
    assertEquals([(mode ?? 0) & 0o777, uid], [0o700, 65534]);
  },
});

Deno.test({
  ...needs("root", "unshare"),
  name: "it needs no network, and no file besides itself",
  fn: async () => {
    await using directory = new TemporaryDirectory();
    const program = `${directory.path}/compute-lb`;
    await Deno.copyFile(await compiledBinary(), program);
    const env = ["env", "-i", `CLB_RUNTIME_DIR=${directory.path}/cache`];
    const hide = 'for place in "$@"; do mount -t tmpfs x "$place"; done';
    const home = Deno.env.get("HOME") ?? "/root";
    const root = new URL("../../", import.meta.url).pathname;
    // The sources and Deno's own cache are hidden under empty directories.
    const shell = `${hide}; cd /; exec ${env.join(" ")} ${program} --version`;
    const places = [root, home].filter((place) => !program.startsWith(place));
    const outcome = await runProgram(
      ["unshare", "--mount", "--net", "sh", "-euc", shell, "sh", ...places],
    );
    assertEquals(outcome, { code: 0, stdout: ANSWER, stderr: "" });
  },
});

Deno.test("it starts by PATH, by sh FILE, through a symbolic link and by a relative path", async () => {
  await using directory = new TemporaryDirectory();
  const program = await compiledBinary();
  const bin = program.slice(0, program.lastIndexOf("/"));
  await Deno.symlink(program, `${directory.path}/balancer`);
  const env = { CLB_RUNTIME_DIR: `${directory.path}/cache` };
  const path = `${bin}:${Deno.env.get("PATH")}`;
  const starts: { command: string[]; cwd?: string; env?: Record<string, string> }[] = [
    { command: ["sh", "-c", "exec compute-lb --version"], env: { PATH: path } },
    { command: ["sh", program, "--version"] },
    { command: ["sh", "compute-lb", "--version"], cwd: bin },
    { command: ["bash", "compute-lb", "--version"], cwd: bin },
    { command: [`${directory.path}/balancer`, "--version"] },
    { command: ["./compute-lb", "--version"], cwd: bin },
    { command: ["sh", "-c", 'rmdir "$PWD" && exec "$0" --version', program], cwd: directory.path },
  ];
  for (const { command, cwd, env: more } of starts) {
    // Starting in a directory that vanishes: one of its own.
    const there = command[2]?.startsWith("rmdir") ? await Deno.makeTempDir() : cwd;
    const { code, stdout } = await runProgram(command, {
      env: { ...env, ...more },
      ...(there === undefined ? {} : { cwd: there }),
    });
    assertEquals({ command, code, stdout }, { command, code: 0, stdout: ANSWER });
  }
});

Deno.test("files of other programs around it do not disturb it", async () => {
  await using directory = new TemporaryDirectory();
  for (const name of ["deno.json", "package.json", "deno.lock", "import_map.json"]) {
    await Deno.writeTextFile(`${directory.path}/${name}`, "{ broken");
  }
  await Deno.writeTextFile(`${directory.path}/.npmrc`, "registry = nonsense");
  const { code, stdout, stderr } = await runProgram([await compiledBinary(), "--version"], {
    cwd: directory.path,
    env: { CLB_RUNTIME_DIR: `${directory.path}/cache` },
  });
  assertEquals({ code, stdout, stderr }, { code: 0, stdout: ANSWER, stderr: "" });
});

Deno.test("arguments and exit codes pass", async () => {
  await using directory = new TemporaryDirectory();
  const env = { CLB_RUNTIME_DIR: directory.path };
  const program = await compiledBinary();
  const { code, stderr } = await runProgram([program, "--no such option"], { env });
  assertEquals(code, 64);
  assertStringIncludes(stderr, "--no such option");
});

Deno.test("the process that is started is the balancer: same pid, TERM ends it with its own code", async () => {
  await using directory = new TemporaryDirectory();
  const program = await compiledBinary();
  const child = new Deno.Command(program, {
    args: ["run", "--listen", "127.0.0.1:0", "--backends", "127.0.0.1:9", "--load", "none"],
    env: { CLB_RUNTIME_DIR: directory.path },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    // It listens: only then has it asked for its signals.
    await waitFor("the balancer to listen", async () => {
      const executable = await Deno.readLink(`/proc/${child.pid}/exe`);
      return executable.endsWith("/compute-lb") && (await portsListenedOn(child.pid)).length > 0;
    });
    const environment = (await Deno.readTextFile(`/proc/${child.pid}/environ`)).split("\0");
    assert(environment.includes(`COMPUTE_LB_SELF=${program}`));
    child.kill("SIGTERM");
    assertEquals(await child.status, { success: true, code: 0, signal: null });
  } finally {
    await endNow(child);
  }
});

Deno.test("packages that are loaded when they are needed are in it", async () => {
  for (const args of [["redis", "redis://127.0.0.1:1"]]) {
    const child = new Deno.Command(await compiledBinary(), {
      args: ["refresh", ...args],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    try {
      const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
      assertStringIncludes((await reader.read()).value ?? "", "connection refused (127.0.0.1:1)");
      await reader.cancel();
    } finally {
      await endNow(child);
    }
  }
});

Deno.test("two builds of the same sources are equal", async () => {
  await using directory = new TemporaryDirectory();
  const again = `${directory.path}/compute-lb`;
  await mustRun(...buildCommand(again));
  await mustRun("cmp", await compiledBinary(), again);
});

Deno.test("a deno in DENORT_BIN is not taken for denort", async () => {
  await using directory = new TemporaryDirectory();
  const output = `${directory.path}/compute-lb`;
  const command = buildCommand(output).map((word) => word === "self-extracting" ? "auto" : word);
  const env = { DENORT_BIN: Deno.execPath() };
  const { code, stderr } = await runProgram(command, { env });
  assertEquals(code, 0);
  assertStringIncludes(stderr, "DENORT_BIN is deno itself, not denort");
  await mustRun("cmp", await compiledBinary(), output);
  // Asked for outright, it is tried, found out and not put in place.
  const asked = buildCommand(`${output}.elf`).map((word) =>
    word === "self-extracting" ? "elf" : word
  );
  const elf = await runProgram(asked, { env });
  assertEquals(elf.code, 1);
  assertStringIncludes(elf.stderr, "--version says");
  assertEquals(await entries(directory.path), ["compute-lb"]);
});

Deno.test("compile.ts refuses options that it does not know", async () => {
  const script = buildCommand("x").slice(0, 4);
  for (const wrong of [["--mode", "zip"], ["--output"], ["--target", "x"]]) {
    const { code, stderr } = await runProgram([...script, ...wrong]);
    assertEquals(code, 64);
    assertStringIncludes(stderr, "usage: deno task compile");
  }
});

Deno.test({
  ...needs("shellcheck", "dash"),
  name: "the header is a clean POSIX shell script",
  fn: async () => {
    const header = new URL("../../lib/packing/header.sh", import.meta.url).pathname;
    await mustRun("shellcheck", "--shell=sh", header);
    await mustRun("dash", "-n", header);
  },
});
