// The load source exec with real programs.

import { assertEquals, assertMatch } from "@std/assert";
import type { LoadResult } from "../../lib/core/pool/load.ts";
import { ExecSource } from "../../lib/load/exec.ts";
import { backendAt } from "../support/backends.ts";
import { Deadline } from "../support/deadline.ts";
import { childrenOf, endByFile, isAlive, startStranger } from "../support/processes.ts";
import { waitFor, within } from "../support/wait_for.ts";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";

async function ask(command: readonly string[], deadlineMs?: number): Promise<LoadResult> {
  await using source = new ExecSource({ command, clock: SYSTEM_CLOCK });
  using deadline = new Deadline(deadlineMs);
  return await source.sample(backendAt("kelvin", 2222), deadline.signal);
}

function reasonOf(result: LoadResult): string {
  assertEquals(result.kind, "failed");
  return result.kind === "failed" ? result.reason : "";
}

Deno.test("exec: the answers of the contract", async () => {
  assertEquals(await ask(["/bin/sh", "-c", 'test "$0" = kelvin && echo ONLINE']), {
    kind: "online",
  });
  assertEquals(await ask(["/bin/echo", "OFFLINE"]), {
    kind: "failed",
    reason: 'Cannot read "OFFLINE kelvin": expected ONLINE, OFFLINE or "load [cores [+cost]]"',
  });
  assertEquals(await ask(["/bin/sh", "-c", "printf OFFLINE"]), { kind: "offline" });
  const result = await ask(["/bin/sh", "-c", "echo $1.5 8", "{host}", "{port}"]);
  assertEquals(result.kind === "sample" && result.sample.load1, 2222.5);
  assertEquals(result.kind === "sample" && result.sample.cores, 8);
});

Deno.test("exec: arguments reach the program without a shell", async () => {
  const command = ["/bin/sh", "-c", 'test "$1" = "; echo 1 #" && echo 2', "{host}", "; echo 1 #"];
  const result = await ask(command);
  assertEquals(result.kind === "sample" && result.sample.load1, 2);
});

Deno.test("exec: what goes wrong has a reason", async () => {
  assertEquals(
    reasonOf(await ask(["/bin/sh", "-c", "echo first >&2; echo no such host >&2; exit 3"])),
    "exit status 3: no such host",
  );
  assertEquals(reasonOf(await ask(["/bin/sh", "-c", "echo 1; exit 1"])), "exit status 1");
  assertEquals(reasonOf(await ask(["/bin/sh", "-c", "kill -SEGV $$"])), "ended by SIGSEGV");
  assertMatch(reasonOf(await ask(["/nonexistent/probe"])), /^Cannot run "\/nonexistent\/probe"/);
  assertMatch(reasonOf(await ask(["/bin/true"])), /^Cannot read "": expected ONLINE/);
  assertEquals(reasonOf(await ask(["/usr/bin/yes"])), "printed more than 4096 bytes");
});

Deno.test("exec: at the deadline the program ends with everything it has started", async () => {
  const file = await Deno.makeTempFile();
  try {
    const script = `sleep 1000 & echo $! >${file}; sleep 1000`;
    assertEquals(reasonOf(await ask(["/bin/sh", "-c", script], 300)), "no answer within 300ms");
    const grandchild = Number(await Deno.readTextFile(file));
    await waitFor("the grandchild's end", async () => !await isAlive(grandchild));
    assertEquals(await childrenOf(Deno.pid), []);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("exec: what a program leaves running does not hold its answer up", async () => {
  const file = await Deno.makeTempFile();
  try {
    const result = await ask(["/bin/sh", "-c", `sleep 1000 & echo $! >${file}; echo 1.25`]);
    assertEquals(result.kind === "sample" && result.sample.load1, 1.25);
    const left = Number(await Deno.readTextFile(file));
    await waitFor("its end", async () => !await isAlive(left));
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("exec: what leaves the program's process group holds nothing up", async () => {
  const cases: readonly [string, string, number?][] = [
    ["echo 1.0 4", ""],
    ["echo bad >&2; exit 3", "exit status 3: bad"],
    ["exec sleep 1000", "no answer within 500ms", 500],
    ["exec yes", "printed more than 4096 bytes"],
  ];
  for (const [rest, reason, deadlineMs] of cases) {
    const file = await Deno.makeTempFile();
    const script = `${startStranger(file)}; ${rest}`;
    try {
      const result = await within(`the end of ${rest}`, ask(["/bin/sh", "-c", script], deadlineMs));
      if (reason !== "") assertEquals(reasonOf(result), reason);
      else assertEquals(result.kind === "sample" && result.sample.cores, 4);
    } finally {
      await endByFile(file);
      await Deno.remove(file);
    }
  }
});

Deno.test("exec: dispose does not wait for what has left the program's process group", async () => {
  const file = await Deno.makeTempFile();
  const script = `${startStranger(file)}; exec sleep 1000`;
  const source = new ExecSource({ command: ["/bin/sh", "-c", script], clock: SYSTEM_CLOCK });
  using deadline = new Deadline();
  const sample = source.sample(backendAt("kelvin"), deadline.signal);
  try {
    await waitFor("it to run", async () => await Deno.readTextFile(file) !== "");
    await within("dispose", source[Symbol.asyncDispose]());
    assertEquals(reasonOf(await sample), "stopped");
  } finally {
    await endByFile(file);
    await Deno.remove(file);
  }
});

Deno.test("exec: dispose ends what runs", async () => {
  using deadline = new Deadline();
  const command = ["/bin/sh", "-c", "sleep 1000"];
  const source = new ExecSource({ command, clock: SYSTEM_CLOCK });
  const result = source.sample(backendAt("kelvin"), deadline.signal);
  await waitFor("it to run", async () => (await childrenOf(Deno.pid)).length > 0);
  await source[Symbol.asyncDispose]();
  assertEquals(reasonOf(await result), "stopped");
  assertEquals(await childrenOf(Deno.pid), []);
});
