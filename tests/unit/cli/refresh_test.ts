import { assertEquals } from "@std/assert";
import {
  describeKinds,
  type ListForm,
  ListPrinter,
  Lists,
  openSource,
} from "../../../lib/cli/refresh.ts";
import { parseLines } from "../../../lib/discovery/entries.ts";
import { ManualClock, settled } from "../../support/manual_clock.ts";

function lists(form: Partial<ListForm> = {}): { lists: Lists; told: string[] } {
  const told: string[] = [];
  const whole = { figures: false, clears: false, ...form };
  return { lists: new Lists(whole, (text) => told.push(text)), told };
}

const NOTHING = { backends: [], skipped: [] };

Deno.test("a list is an address per line and a blank line", () => {
  const list = parseLines("a:1=4 weight=2\n[::1]:2\nunix:/s max_connections=9\n");
  assertEquals(lists().lists.textOf(list), "a:1\n[::1]:2\nunix:/s\n\n");
  const figures = "a:1 cores=4 weight=2\n[::1]:2\nunix:/s max_connections=9\n\n";
  assertEquals(lists({ figures: true }).lists.textOf(list), figures);
});

Deno.test("an address without a port takes that of --port, or is left out", () => {
  const list = parseLines("a\nb:2\n");
  assertEquals(lists({ port: 22 }).lists.textOf(list), "a:22\nb:2\n\n");
  const { lists: without, told } = lists();
  assertEquals(without.textOf(list), "b:2\n\n");
  assertEquals(without.textOf(list), "b:2\n\n");
  assertEquals(told, ['left out: "a" has no port: expected --port N']);
  assertEquals(without.lackPorts, false);
  assertEquals([without.textOf(parseLines("a\n")), without.lackPorts], [undefined, true]);
});

Deno.test("an empty list counts where it is meant, or --on-empty clear obeys it", () => {
  const { lists: kept, told } = lists();
  assertEquals(kept.textOf(NOTHING), undefined);
  kept.textOf(parseLines("a:1"));
  kept.textOf(NOTHING);
  assertEquals(told, [
    "names no backend: there is no list yet (--on-empty clear obeys it)",
    "names no backend: its last list holds (--on-empty clear obeys it)",
  ]);
  assertEquals(kept.textOf({ ...NOTHING, isMeant: true }), "\n");
  assertEquals(lists({ clears: true }).lists.textOf(NOTHING), "\n");
});

Deno.test("a list of garbage clears nothing", () => {
  const { lists: clearing, told } = lists({ clears: true });
  assertEquals(clearing.textOf(parseLines("a:1=x\n")), undefined);
  assertEquals(told.length, 2);
  assertEquals(told[1], "names no backend that can be used: there is no list yet");
});

Deno.test("a trouble of the source is said once, and its end", () => {
  const { lists: one, told } = lists();
  for (const reason of ["refused", "refused", "timeout"]) one.failed(reason);
  one.textOf(parseLines("a:1"));
  one.textOf(parseLines("a:1"));
  one.failed("refused");
  assertEquals(told, [
    "cannot be asked, there is no list yet: refused",
    "answers again",
    "cannot be asked, its last list holds: refused",
  ]);
});

Deno.test("arguments are read by the section of the kind", () => {
  const surroundings = {
    clock: new ManualClock(),
    random: () => 0,
    say: () => {},
    waits: () => {},
  };
  const open = (kind: string, ...args: string[]) => {
    const opened = openSource({ kind, args }, surroundings);
    return opened.ok ? "ok" : opened.message;
  };
  assertEquals(open("static", "a:1", "b"), "ok");
  assertEquals(open("static", "a:1", "b=x").split(":")[0], "backends[1]");
  assertEquals(open("stattic", "a:1").endsWith('did you mean "static"?'), true);
  assertEquals(open("static").endsWith("(refresh static BACKEND...)"), true);
});

Deno.test("the kinds with their arguments are at most 80 columns wide", () => {
  assertEquals(describeKinds().split("\n").filter((line) => line.length > 80), []);
});

/** A stdout that takes what it is told to take. */
class SlowStdout {
  text = "";
  #next = Promise.withResolvers<number>();

  write(bytes: Uint8Array): Promise<number> {
    return this.#next.promise.then((count) => {
      const taken = Math.min(count, bytes.length);
      this.text += new TextDecoder().decode(bytes.subarray(0, taken));
      return taken;
    });
  }

  async take(count: number): Promise<void> {
    const next = this.#next;
    this.#next = Promise.withResolvers();
    next.resolve(count);
    await settled();
  }

  fail(error: Error): Promise<void> {
    this.#next.reject(error);
    return settled();
  }
}

Deno.test("a slow reader gets whole lists, and of those that it missed the last", async () => {
  const stdout = new SlowStdout();
  const printer = new ListPrinter(stdout, () => {});
  printer.again();
  assertEquals([printer.hasPrinted, stdout.text], [false, ""]);
  for (const text of ["a:1\n\n", "a:1\n\n", "b:1\n\n", "c:1\n\n"]) printer.print(text);
  await stdout.take(2);
  await stdout.take(9);
  await stdout.take(9);
  assertEquals(stdout.text, "a:1\n\nc:1\n\n");
  printer.print("c:1\n\n");
  printer.again();
  await stdout.take(9);
  assertEquals(stdout.text, "a:1\n\nc:1\n\nc:1\n\n");
});

Deno.test("a stdout that is closed ends the printing, and is no trouble; a full disk is", async () => {
  for (
    const [error, trouble] of [
      [new Deno.errors.BrokenPipe("Broken pipe"), undefined],
      [new Error("No space left on device"), "No space left on device"],
    ] as const
  ) {
    const stdout = new SlowStdout();
    let closed = 0;
    const printer = new ListPrinter(stdout, () => closed++);
    printer.print("a:1\n\n");
    await stdout.fail(error);
    printer.print("b:1\n\n");
    await settled();
    assertEquals([closed, printer.trouble], [1, trouble]);
  }
});
