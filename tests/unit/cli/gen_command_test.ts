// What the command line of gen means.

import { assert, assertEquals } from "@std/assert";
import { parseCommand } from "../../../lib/cli/arguments.ts";
import { COMMANDS } from "../../../lib/cli/commands.ts";

function read(...args: readonly string[]): object {
  const parsed = parseCommand(["gen", ...args], COMMANDS);
  assert(parsed.ok, parsed.ok ? "" : parsed.message);
  return parsed.task.options;
}

function fault(...args: readonly string[]): string {
  const parsed = parseCommand(["gen", ...args], COMMANDS);
  assert(!parsed.ok);
  return parsed.message.split("\n")[0] ?? "";
}

const PLAIN = { overrides: {}, sessionTimeMs: 60_000, socketMode: 0o660 };
const TCP = "tcp://127.0.0.1:1024";

Deno.test("gen: lines take turns, or are drawn, also as lbtk spells it", () => {
  assertEquals(read(TCP, "ipc:///x"), { ...PLAIN, endpoints: [TCP, "ipc:///x"], order: "in turn" });
  for (const flag of ["--random", "-rand"]) {
    assertEquals(read(flag, TCP), { ...PLAIN, endpoints: [TCP], order: "random" });
  }
});

Deno.test("gen: any flag of placement has a strategy place", () => {
  assertEquals(read("--strategy", "two_choices", "--load", "ssh", TCP), {
    ...PLAIN,
    overrides: { strategy: "two_choices", load: "ssh" },
    endpoints: [TCP],
    order: "placed",
  });
  assertEquals(
    read("-c", "f", "--pool", "p", "--session-time", "0s", "--socket-mode", "666", TCP),
    {
      configFile: "f",
      overrides: {},
      endpoints: [TCP],
      order: "placed",
      pool: "p",
      sessionTimeMs: 0,
      socketMode: 0o666,
    },
  );
});

Deno.test("gen: what makes no sense is said", () => {
  assertEquals(fault(), "Missing arguments: at least one endpoint to bind to");
  assertEquals(
    fault("--random", "--load", "ssh", TCP),
    "Cannot use --random with --load: expected one of them",
  );
  assertEquals(
    fault("--socket-mode", "9", TCP),
    'Cannot read "9" as a mode: expected octal digits, as 0660',
  );
  assertEquals(fault("--session-time", "long", TCP).startsWith('Cannot read "long"'), true);
});
