import { assertEquals } from "@std/assert";
import { asCalled, LBTK_NAMES } from "../../../lib/cli/called_as.ts";
import { COMMANDS } from "../../../lib/cli/commands.ts";

const HEADER = await Deno.readTextFile(
  new URL("../../../lib/packing/header.sh", import.meta.url),
);

/** What the header's own first lines make of a call: whether a HUP is kept for the program. */
async function isService(name: string, ...args: string[]): Promise<boolean> {
  const end = HEADER.indexOf('[ "$service" = no ]');
  const script = `${HEADER.slice(0, end).replace("${0##*/}", name)}\necho "$service"`;
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script, "sh", ...args] }).output();
  return new TextDecoder().decode(stdout) === "yes\n";
}

Deno.test("the header of the packed file knows which commands are services", async () => {
  for (const { name, isService: expected = false } of COMMANDS) {
    assertEquals([name, await isService("compute-lb", name)], [name, expected]);
  }
  assertEquals(await isService("compute-lb"), true);
  assertEquals(await isService("compute-lb", "--listen", ":22"), true);
  assertEquals(await isService("compute-lb", "--version"), false);
});

Deno.test("the header of the packed file knows which of lbtk's names are services", async () => {
  for (const name of LBTK_NAMES) {
    const [meant] = asCalled(name, ["-d"]);
    const expected = COMMANDS.find((command) => command.name === meant)?.isService ?? false;
    assertEquals([name, await isService(name, "-d")], [name, expected]);
  }
});
