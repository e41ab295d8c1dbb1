// Two balancers that started at once on a stale admin socket could both run: both found it stale, and the
// slower one removed the socket of the other. A symbolic link to nothing gave "Address already in use"
// without saying where, what root had left gave "Permission denied".

import { assertEquals, assertStringIncludes } from "@std/assert";
import { listenAt } from "../../lib/admin/listen.ts";
import { makeServiceFolder } from "../../lib/admin/socket_path.ts";
import { messageOf } from "../../lib/core/values/errors.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { runProgram } from "../support/balancer.ts";
import { needs } from "../support/needs.ts";
import { TemporaryDirectory } from "../support/run_program.ts";

const NOBODY = 65534;

/** Leaves a socket as a process does that is killed; closing removes what was bound. */
function leaveStale(path: string): void {
  const listener = Deno.listen({ transport: "unix", path: `${path}.bound` });
  Deno.renameSync(`${path}.bound`, path);
  listener.close();
}

async function reasonAt(path: string): Promise<string> {
  try {
    (await listenAt(path, SYSTEM_CLOCK)).close();
    return "";
  } catch (error) {
    return messageOf(error);
  }
}

/** What the program says that cannot start for its admin socket. */
async function failureAt(path: string, ...flags: string[]): Promise<string> {
  const backend = ["--listen", "127.0.0.1:0", "--backends", "127.0.0.1:9", "--load", "none"];
  const { code, stderr } = await runProgram(["run", ...backend, "--admin-socket", path, ...flags]);
  assertEquals(code, 1);
  return stderr;
}

Deno.test("of many that start at once on a stale admin socket, one runs", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/socket`;
  for (let round = 0; round < 10; round++) {
    leaveStale(path);
    const started = await Promise.allSettled(
      Array.from({ length: 8 }, () => listenAt(path, SYSTEM_CLOCK)),
    );
    const running = started.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
    const reasons = started.flatMap((one) =>
      one.status === "rejected" ? [messageOf(one.reason)] : []
    );
    for (const listener of running) listener.close();
    assertEquals(running.length, 1);
    assertEquals(
      reasons,
      Array(7).fill(`Cannot listen on unix:${path}: another process listens there`),
    );
  }
});

Deno.test("the program says what is in the way of its admin socket", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/admin.sock`;
  await Deno.symlink(`${folder.path}/nowhere`, path);
  assertStringIncludes(
    await failureAt(path),
    `Cannot listen on unix:${path}: it is a symbolic link to ${folder.path}/nowhere, which is not ` +
      `there: type rm ${path}`,
  );
});

Deno.test("an admin socket that cannot be is refused with its path", async () => {
  await using folder = new TemporaryDirectory();
  assertEquals(
    await reasonAt(`${folder.path}/none/socket`),
    `Cannot listen on unix:${folder.path}/none/socket: there is no folder ${folder.path}/none`,
  );
  await Deno.writeTextFile(`${folder.path}/file`, "mine");
  assertStringIncludes(await reasonAt(`${folder.path}/file`), "/file: it is no socket");
  assertEquals(await Deno.readTextFile(`${folder.path}/file`), "mine");
});

Deno.test({
  ...needs("root"),
  name: "a folder that a run as root has left is handed over, unless that still runs",
  fn: async () => {
    await using parent = new TemporaryDirectory();
    const folder = `${parent.path}/compute-lb`;
    const socket = `${folder}/admin.sock`;
    const owner = async () => (await Deno.stat(folder)).uid;
    await Deno.mkdir(folder, { mode: 0o750 });
    {
      using _running = await listenAt(socket, SYSTEM_CLOCK);
      await makeServiceFolder(NOBODY, NOBODY, socket);
      assertEquals(await owner(), 0);
    }
    leaveStale(socket);
    await makeServiceFolder(NOBODY, NOBODY, socket);
    assertEquals(await owner(), NOBODY);
    assertEquals([...Deno.readDirSync(folder)], []);
    // It is another user's now, and stays so.
    await makeServiceFolder(1, 1, socket);
    assertEquals(await owner(), NOBODY);
  },
});

Deno.test({
  ...needs("root"),
  name: "what belongs to another user is told with its path, its owner and what to type",
  fn: async () => {
    await using folder = new TemporaryDirectory();
    await Deno.chmod(folder.path, 0o755);
    assertStringIncludes(
      await failureAt(`${folder.path}/new`, "--user", "nobody"),
      `Cannot listen on unix:${folder.path}/new: ${folder.path} belongs to uid 0, and this process ` +
        `runs as uid ${NOBODY}: type chown ${NOBODY} ${folder.path}`,
    );
    leaveStale(`${folder.path}/old`);
    await Deno.chmod(`${folder.path}/old`, 0o660);
    await Deno.chown(folder.path, NOBODY, NOBODY);
    assertStringIncludes(
      await failureAt(`${folder.path}/old`, "--user", "nobody"),
      `Cannot listen on unix:${folder.path}/old: what is there belongs to uid 0, and this process runs ` +
        `as uid ${NOBODY}: end what listens there, then type rm ${folder.path}/old`,
    );
  },
});
