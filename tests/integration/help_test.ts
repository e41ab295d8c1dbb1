// `compute-lb help` as people read it: piped, on a terminal, by topic and by key.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { TOPICS } from "../../lib/manual/topics.ts";
import { programCommand, runProgram } from "../support/balancer.ts";
import { needs } from "../support/needs.ts";
import { runProgram as runAny } from "../support/run_program.ts";

Deno.test("help prints a topic as it is when nobody pages", async () => {
  for (const { name, text } of TOPICS.filter(({ name }) => ["load", "limits"].includes(name))) {
    assertEquals(await runProgram(["help", name]), { code: 0, stdout: text, stderr: "" });
  }
  // A command and a topic of the same name.
  const { stdout } = await runProgram(["help", "agent"]);
  assert(/^Usage: compute-lb agent [^]*\nagent: the agent/.test(stdout), stdout);
});

Deno.test("help config tells of every key, or of one", async () => {
  assertStringIncludes((await runProgram(["help", "config"])).stdout, "max_ejected");
  const one = await runProgram(["help", "config", "sticky.ttl"]);
  assertEquals(one.code, 0);
  assertStringIncludes(one.stdout, "12h");
  assert(!one.stdout.includes("max_ejected"));
  const none = await runProgram(["help", "config", "sticky.tttl"]);
  assertEquals([none.code, none.stdout], [64, ""]);
  assertStringIncludes(none.stderr, 'Unknown key "sticky.tttl"');
});

Deno.test({
  ...needs("script"),
  name: "help pages on a terminal, and prints where there is no pager",
  fn: async () => {
    const onTerminal = async (pager: string) => {
      const command = [...programCommand(), "help", "limits"].join(" ");
      const { stdout } = await runAny(["script", "-qec", command, "/dev/null"], {
        env: { PAGER: pager, TERM: "xterm" },
      });
      return stdout.replaceAll("\r\n", "\n");
    };
    const { text = "" } = TOPICS.find(({ name }) => name === "limits") ?? {};
    const paged = text.trimEnd().split("\n").map((line) => `paged:${line}\n`).join("");
    assertEquals(await onTerminal("sed s/^/paged:/"), paged);
    assertStringIncludes(await onTerminal("/nowhere/pager"), text);
  },
});
