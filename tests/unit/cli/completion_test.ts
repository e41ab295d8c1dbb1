import { assertEquals } from "@std/assert";
import { completionScript, SHELLS } from "../../../lib/cli/completion.ts";
import { COMMANDS } from "../../../lib/cli/commands.ts";
import { manualPage } from "../../../lib/cli/manual_page.ts";
import { STRATEGY_NAMES } from "../../../lib/strategy/registry.ts";
import { TOPICS } from "../../../lib/manual/topics.ts";
import { needs } from "../../support/needs.ts";
import { mustRun, runProgram, TemporaryDirectory } from "../../support/run_program.ts";

for (const shell of SHELLS) {
  Deno.test({
    ...needs(shell),
    name: `the completion script is one that ${shell} reads`,
    fn: async () => {
      await using folder = new TemporaryDirectory();
      const file = `${folder.path}/script`;
      await Deno.writeTextFile(file, completionScript(shell, COMMANDS));
      assertEquals(await runProgram([shell, "-n", file]), { code: 0, stdout: "", stderr: "" });
    },
  });
}

/** What bash offers for the last of some words. */
async function complete(...words: string[]): Promise<string[]> {
  return await completeBy("compute-lb", ...words);
}

/** The same for a program by another name. */
async function completeBy(program: string, ...words: string[]): Promise<string[]> {
  const quoted = [program, ...words].map((word) => `'${word}'`).join(" ");
  const script = `${completionScript("bash", COMMANDS)}
COMP_WORDS=(${quoted}) COMP_CWORD=${words.length}
_compute_lb
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await runProgram(["bash", "--norc", "-c", script]);
  return stdout.split("\n").filter((word) => word !== "");
}

Deno.test({
  ...needs("bash"),
  name: "bash completes commands, topics, flags and their values",
  fn: async () => {
    const names = COMMANDS.map(({ name }) => name);
    assertEquals(await complete(""), names);
    assertEquals(await complete("st"), ["status"]);
    assertEquals(await complete("--shut"), ["--shutdown-timeout"]);
    assertEquals(await complete("check", "--pro"), ["--probe"]);
    assertEquals(await complete("status", "--pro"), []);
    assertEquals(await complete("run", "--strategy", ""), [...STRATEGY_NAMES]);
    // Readline takes "=" for the end of a word.
    assertEquals(await complete("--strategy", "=", "ra"), ["random"]);
    assertEquals(await complete("--strategy", "="), [...STRATEGY_NAMES]);
    assertEquals(await complete("--listen", ""), []);
    assertEquals(await complete("help", "li"), ["limits"]);
    const topics = [...new Set([...names, ...TOPICS.map(({ name }) => name)])];
    assertEquals(await complete("help", ""), topics);
    assertEquals(await complete("completion", ""), ["bash", "zsh", "fish"]);
    await using folder = new TemporaryDirectory();
    // Names come from the program that is to be run.
    const program = `${folder.path}/compute-lb`;
    const script =
      '#!/bin/sh\n[ "$1 $2" = "completion backends" ] && printf "hoek:22\\nkelvin:22\\n"\n';
    await Deno.writeTextFile(program, script, { mode: 0o755 });
    assertEquals(await completeBy(program, "drain", ""), ["hoek:22", "kelvin:22"]);
    assertEquals(await completeBy(program, "backend", ""), [
      "add",
      "remove",
      "hoek:22",
      "kelvin:22",
    ]);
    assertEquals(await completeBy(program, "weight", "k"), ["kelvin:22"]);
    assertEquals(await completeBy(program, "sessions", "--backend", "h"), ["hoek:22"]);
    assertEquals(await completeBy(program, "sessions", "--pool", ""), []);
    await Deno.writeTextFile(`${folder.path}/a b.conf`, "");
    assertEquals(await complete("-c", `${folder.path}/a`), [`${folder.path}/a b.conf`]);
  },
});

Deno.test({
  ...needs("fish"),
  name: "fish completes flags of a command and their values",
  fn: async () => {
    const ask = async (line: string) => {
      const script = `${completionScript("fish", COMMANDS)}\ncomplete -C '${line}'`;
      const { stdout } = await runProgram(["fish", "--no-config", "-c", script]);
      return stdout.split("\n").map((text) => text.split("\t")[0]).filter((text) => text !== "");
    };
    assertEquals(await ask("compute-lb statu"), ["status"]);
    assertEquals(await ask("compute-lb check --pro"), ["--probe"]);
    assertEquals(await ask("compute-lb --strategy ra"), ["random"]);
    assertEquals(await ask("compute-lb why --strat"), []);
  },
});

Deno.test({
  ...needs("man", "groff"),
  name: "man shows the manual page without a complaint",
  fn: async () => {
    await using folder = new TemporaryDirectory();
    const file = `${folder.path}/compute-lb.8`;
    await Deno.writeTextFile(file, await manualPage(COMMANDS, TOPICS));
    const checked = await runProgram(["groff", "-man", "-Tutf8", "-ww", "-z", file]);
    assertEquals([checked.code, checked.stderr], [0, ""]);
    const shown = await runProgram(["man", "-l", file], {
      env: { MANWIDTH: "80", MAN_KEEP_FORMATTING: "", LC_ALL: "C.UTF-8" },
    });
    const headings = TOPICS.map(({ name }) => name.toUpperCase());
    const lines = shown.stdout.split("\n");
    assertEquals(headings.filter((heading) => !lines.includes(heading)), []);
  },
});

Deno.test({
  ...needs("mandoc"),
  name: "mandoc finds no fault with the manual page",
  fn: async () => {
    await using folder = new TemporaryDirectory();
    const file = `${folder.path}/compute-lb.8`;
    await Deno.writeTextFile(file, await manualPage(COMMANDS, TOPICS));
    assertEquals(await mustRun("mandoc", "-Tlint", "-W", "warning", file), "");
  },
});
