// `compute-lb refresh` as a program of a pipe: its lists, its complaints, its end.

import { assertEquals } from "@std/assert";
import { programCommand } from "../support/balancer.ts";
import { endNow, TemporaryDirectory } from "../support/run_program.ts";
import { waitFor, within } from "../support/wait_for.ts";

/** A refresher whose output is read as it comes. */
class Refresher implements AsyncDisposable {
  lists = "";
  complaints = "";
  readonly #child: Deno.ChildProcess;
  readonly #stdout: ReadableStreamDefaultReader<Uint8Array>;
  readonly #reading: Promise<unknown>;

  constructor(...args: string[]) {
    const [program = "", ...first] = programCommand();
    this.#child = new Deno.Command(program, {
      args: [...first, "refresh", ...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#stdout = this.#child.stdout.getReader();
    this.#reading = Promise.all([this.#readLists(), this.#readComplaints()]);
  }

  async said(what: "lists" | "complaints", text: string): Promise<void> {
    await waitFor(`"${text}"`, () => this[what] === text || undefined).catch((error: unknown) => {
      throw new Error(`${error}: ${this.lists}${this.complaints}`);
    });
  }

  /** Reads no more of its lists. */
  async close(): Promise<void> {
    await this.#stdout.cancel();
  }

  signal(name: Deno.Signal): void {
    this.#child.kill(name);
  }

  async ended(): Promise<number> {
    return (await within("the end of the refresher", this.#child.status)).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endNow(this.#child);
    await this.#reading;
  }

  async #readLists(): Promise<void> {
    const decoder = new TextDecoder();
    for (let read = await this.#stdout.read(); !read.done; read = await this.#stdout.read()) {
      this.lists += decoder.decode(read.value, { stream: true });
    }
  }

  async #readComplaints(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.complaints += text;
    }
  }
}

Deno.test("refresh prints each new list, says once what fails, and ends at TERM", async () => {
  await using folder = new TemporaryDirectory();
  const file = `${folder.path}/list`;
  await Deno.writeTextFile(file, "a:1=4 weight=2\nb:2\n");
  await using refresher = new Refresher("--figures", "file", file);
  let printed = "a:1 cores=4 weight=2\nb:2\n\n";
  await refresher.said("lists", printed);
  await Deno.remove(file);
  const gone = `file: cannot be asked, its last list holds: Cannot read "${file}": ` +
    "there is no such file\n";
  await refresher.said("complaints", gone);
  await Deno.writeTextFile(`${file}.new`, "c:3\n");
  await Deno.rename(`${file}.new`, file);
  await refresher.said("lists", printed += "c:3\n\n");
  await refresher.said("complaints", `${gone}file: answers again\n`);
  refresher.signal("SIGTERM");
  assertEquals(await refresher.ended(), 0);
});

Deno.test("refresh ends quietly when nobody reads its lists", async () => {
  await using folder = new TemporaryDirectory();
  const file = `${folder.path}/list`;
  await Deno.writeTextFile(file, "a:1\n");
  await using refresher = new Refresher("file", file);
  await refresher.said("lists", "a:1\n\n");
  await refresher.close();
  await Deno.writeTextFile(file, "b:1\n");
  assertEquals([await refresher.ended(), refresher.complaints], [0, ""]);
});
