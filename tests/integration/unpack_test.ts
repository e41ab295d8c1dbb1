// The cache that the self-extracting file unpacks into: once, whole, by any number of starts, and
// nowhere that somebody else could have prepared.

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { VERSION } from "../../lib/version.ts";
import { ANSWER, answerVersion, compiledBinary } from "../support/compiled_binary.ts";
import { needs } from "../support/needs.ts";
import {
  endNow,
  entries,
  type Outcome,
  runProgram,
  TemporaryDirectory,
} from "../support/run_program.ts";

Deno.test("the first start unpacks, later starts do not", async () => {
  await using directory = new TemporaryDirectory();
  const base = `${directory.path}/cache`;
  assertEquals(await answerVersion(base), { code: 0, stdout: ANSWER, stderr: "" });
  const [key] = await entries(base);
  assertMatch(key ?? "", new RegExp(`^${RegExp.escape(VERSION)}-[0-9a-f]{16}$`));
  const script = `${base}/${key}/main.js`;
  const before = (await Deno.stat(script)).ino;
  assertEquals((await answerVersion(base)).stdout, ANSWER);
  assertEquals((await Deno.stat(script)).ino, before);
  assertEquals((await entries(base)).length, 1);
});

Deno.test("--unpack-only unpacks, prints where and starts nothing", async () => {
  await using directory = new TemporaryDirectory();
  const env = { CLB_RUNTIME_DIR: directory.path };
  const program = await compiledBinary();
  const { code, stdout } = await runProgram([program, "--unpack-only"], { env });
  assertEquals(code, 0);
  assertEquals(stdout, `${directory.path}/${(await entries(directory.path))[0]}\n`);
});

Deno.test("five first starts at once leave one directory", async () => {
  await using directory = new TemporaryDirectory();
  await compiledBinary();
  const starts = Array.from({ length: 5 }, () => answerVersion(directory.path));
  for (const outcome of await Promise.all(starts)) {
    assertEquals(outcome, { code: 0, stdout: ANSWER, stderr: "" });
  }
  assertEquals((await entries(directory.path)).length, 1);
});

Deno.test("a runtime that something has eaten at is unpacked again", async () => {
  await using directory = new TemporaryDirectory();
  await answerVersion(directory.path);
  const [key] = await entries(directory.path);
  await Deno.remove(`${directory.path}/${key}/main.js`);
  assertEquals(await answerVersion(directory.path), { code: 0, stdout: ANSWER, stderr: "" });
  assertEquals(await entries(directory.path), [key]);
});

Deno.test("a damaged or cut-off file is refused and leaves nothing behind", async () => {
  await using directory = new TemporaryDirectory();
  const program = `${directory.path}/compute-lb`;
  await Deno.copyFile(await compiledBinary(), program);
  const { size } = await Deno.stat(program);
  const damage = async (harm: (file: Deno.FsFile) => Promise<unknown>) => {
    using file = await Deno.open(program, { read: true, write: true });
    await harm(file);
  };
  await damage(async (file) => {
    await file.seek(size >> 1, Deno.SeekMode.Start);
    const byte = new Uint8Array(1);
    await file.read(byte);
    await file.seek(size >> 1, Deno.SeekMode.Start);
    await file.write(byte.map((value) => value ^ 1));
  });
  const check = async () => {
    const { code, stdout, stderr } = await answerVersion(`${directory.path}/cache`, program);
    assertEquals([code, stdout], [1, ""]);
    assertStringIncludes(stderr, "is damaged");
    assertEquals(await entries(`${directory.path}/cache`), []);
  };
  await check();
  await damage((file) => file.truncate(size - 1000));
  await check();
});

Deno.test("a file that has changed is refused, though its version is unpacked already", async () => {
  await using directory = new TemporaryDirectory();
  const program = `${directory.path}/compute-lb`;
  const cache = `${directory.path}/cache`;
  await Deno.copyFile(await compiledBinary(), program);
  assertEquals((await answerVersion(cache, program)).stdout, ANSWER);
  const { size } = await Deno.stat(program);
  const harms: ((file: Deno.FsFile) => Promise<unknown>)[] = [
    (file) => file.truncate(size - 1000),
    // As long as before, in the same inode.
    (file) => file.truncate(size),
  ];
  for (const harm of harms) {
    {
      using file = await Deno.open(program, { write: true });
      await harm(file);
    }
    // A refusal is not remembered as an approval.
    for (let start = 0; start < 2; start++) {
      const { code, stdout, stderr } = await answerVersion(cache, program);
      assertEquals([code, stdout], [1, ""]);
      assertStringIncludes(stderr, "is damaged");
    }
  }
  await Deno.copyFile(await compiledBinary(), program);
  assertEquals((await answerVersion(cache, program)).stdout, ANSWER);
});

Deno.test("a file is read to its end once, not at every start", async () => {
  await using directory = new TemporaryDirectory();
  const program = `${directory.path}/compute-lb`;
  await Deno.copyFile(await compiledBinary(), program);
  // Counts what verifies.
  const counter = `#!/bin/sh\necho >>${directory.path}/count\nexec /usr/bin/sha256sum "$@"\n`;
  await Deno.mkdir(`${directory.path}/bin`);
  await Deno.writeTextFile(`${directory.path}/bin/sha256sum`, counter, { mode: 0o755 });
  const env = {
    CLB_RUNTIME_DIR: `${directory.path}/cache`,
    PATH: `${directory.path}/bin:${Deno.env.get("PATH")}`,
  };
  for (let start = 0; start < 3; start++) await runProgram([program, "--version"], { env });
  assertEquals(await Deno.readTextFile(`${directory.path}/count`), "\n");
});

Deno.test("a cache that others can write to is refused", async () => {
  await using directory = new TemporaryDirectory();
  for (const mode of [0o770, 0o707, 0o777, 0o1777]) {
    await Deno.chmod(directory.path, mode);
    const { code, stderr } = await answerVersion(directory.path);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "others can write to it");
  }
  assertEquals(await entries(directory.path), []);
});

Deno.test("a cache that is a symbolic link, or no directory, is refused", async () => {
  await using directory = new TemporaryDirectory();
  await Deno.mkdir(`${directory.path}/real`, { mode: 0o700 });
  await Deno.symlink(`${directory.path}/real`, `${directory.path}/link`);
  await Deno.symlink(`${directory.path}/nowhere`, `${directory.path}/dangling`);
  await Deno.writeTextFile(`${directory.path}/file`, "");
  for (
    const [name, reason] of [
      ["link", "it is a symbolic link"],
      ["dangling", "it is a symbolic link"],
      ["file", "it is not a directory"],
    ]
  ) {
    const { code, stderr } = await answerVersion(`${directory.path}/${name}`);
    assertEquals(code, 1);
    assertStringIncludes(stderr, reason ?? "");
  }
  assertEquals(await entries(`${directory.path}/real`), []);
});

Deno.test("a cache that cannot be made is refused, and so is a relative one", async () => {
  const impossible = await answerVersion("/proc/compute-lb");
  assertEquals(impossible.code, 1);
  assertStringIncludes(impossible.stderr, "Cannot use /proc/compute-lb as the cache: it cannot be");
  const relative = await answerVersion("cache");
  assertEquals(relative.code, 1);
  assertStringIncludes(relative.stderr, "expected an absolute path");
});

Deno.test({
  ...needs("root"),
  name: "root does not run what belongs to another user",
  fn: async () => {
    await using directory = new TemporaryDirectory();
    await Deno.chown(directory.path, 65534, 65534);
    const { code, stderr } = await answerVersion(directory.path);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "it belongs to user 65534");
  },
});

/** A shell command in a mount namespace of its own, where $1 is the program and $2 a directory. */
async function inMountNamespace(script: string, directory: string): Promise<Outcome> {
  const shell = ["sh", "-euc", script, "sh", await compiledBinary(), directory];
  return await runProgram(["unshare", "--mount", ...shell]);
}

Deno.test({
  ...needs("root", "unshare"),
  name: "a cache on a mount without exec, full or read-only is explained",
  fn: async () => {
    await using directory = new TemporaryDirectory();
    const start = 'CLB_RUNTIME_DIR="$2/cache" "$1" --version';
    const noexec = await inMountNamespace(
      `mount -t tmpfs -o noexec x "$2"; ${start}`,
      directory.path,
    );
    assertEquals([noexec.code, noexec.stdout], [1, ""]);
    assertStringIncludes(noexec.stderr, "mounted noexec?");
    const full = await inMountNamespace(
      `mount -t tmpfs -o size=20m x "$2"; ${start}`,
      directory.path,
    );
    assertEquals([full.code, full.stdout], [1, ""]);
    assertMatch(full.stderr, /is it full\? \d+ MiB are needed/);
    const readOnly = await inMountNamespace(
      `mount -t tmpfs -o ro x "$2"; ${start}`,
      directory.path,
    );
    assertEquals([readOnly.code, readOnly.stdout], [1, ""]);
    assertStringIncludes(readOnly.stderr, "it cannot be made");
  },
});

Deno.test({
  ...needs("root", "setpriv", "unshare"),
  name: "root unpacks to /var/cache, and other users run that",
  fn: async () => {
    await using directory = new TemporaryDirectory();
    const outcome = await inMountNamespace(
      `mount -t tmpfs -o mode=755 x /var/cache
       cp "$1" "$2/compute-lb"; chmod 755 "$2"; umask 077
       env -i "$2/compute-lb" --version
       setpriv --reuid=65534 --regid=65534 --clear-groups env -i HOME=/ "$2/compute-lb" --unpack-only
       setpriv --reuid=65534 --regid=65534 --clear-groups env -i HOME=/ "$2/compute-lb" --version`,
      directory.path,
    );
    assertEquals([outcome.code, outcome.stderr], [0, ""]);
    const [first, where, second] = outcome.stdout.split("\n");
    assertEquals([first, second], [ANSWER.trim(), ANSWER.trim()]);
    assertStringIncludes(where ?? "", `/var/cache/compute-lb/${VERSION}-`);
  },
});

Deno.test("unpacking removes other versions that nobody runs, and nothing else", async () => {
  await using directory = new TemporaryDirectory();
  const { path } = directory;
  for (const name of ["0.0.1-0123456789abcdef", "0.0.2-0123456789abcdef", "0.0.3-notours"]) {
    await Deno.mkdir(`${path}/${name}`);
    await Deno.writeTextFile(`${path}/${name}/.ok`, "");
  }
  await Deno.mkdir(`${path}/other`);
  // Left over by a start that was killed: process 2^22 and above does not exist.
  await Deno.mkdir(`${path}/.unpack.4194999.abcdef`);
  await Deno.copyFile("/bin/sleep", `${path}/0.0.2-0123456789abcdef/compute-lb`);
  const child = new Deno.Command(`${path}/0.0.2-0123456789abcdef/compute-lb`, { args: ["60"] })
    .spawn();
  try {
    assertEquals((await answerVersion(path)).stdout, ANSWER);
    const left = (await entries(path)).filter((name) => !name.startsWith(`${VERSION}-`));
    assertEquals(left, ["0.0.2-0123456789abcdef", "0.0.3-notours", "other"]);
  } finally {
    await endNow(child);
  }
});
