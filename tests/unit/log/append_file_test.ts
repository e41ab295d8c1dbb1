import { assertEquals, assertRejects } from "@std/assert";
import { AppendFile } from "../../../lib/log/append_file.ts";
import { TemporaryDirectory } from "../../support/run_program.ts";

const BEGINNING = '{"kind"';

async function write(file: AppendFile, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

Deno.test("an appended file goes on after its last whole line", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/record`;
  {
    using file = await AppendFile.open(path, BEGINNING);
    await write(file, '{"kind":1}\n{"kind":2}\n');
  }
  await Deno.writeTextFile(path, '{"kind":3,"cut', { append: true });
  using file = await AppendFile.open(path, BEGINNING);
  await write(file, '{"kind":4}\n');
  assertEquals(await Deno.readTextFile(path), '{"kind":1}\n{"kind":2}\n{"kind":4}\n');
  assertEquals(((await Deno.stat(path)).mode ?? 0) & 0o007, 0);
});

Deno.test("an appended file tells whether it was rotated away", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/record`;
  using file = await AppendFile.open(path, BEGINNING);
  assertEquals(await file.isAt(path), true);
  await Deno.rename(path, `${path}.1`);
  assertEquals(await file.isAt(path), false);
  await Deno.writeTextFile(path, "");
  assertEquals(await file.isAt(path), false);
  assertEquals(await file.isAt(`${path}.1`), true);
});

Deno.test("somebody else's file, and what is no file, is not appended to", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/lb.conf`;
  await Deno.writeTextFile(path, "frontends: {}\nhalf a line");
  await assertRejects(() => AppendFile.open(path, BEGINNING), Error, "no recording");
  assertEquals(await Deno.readTextFile(path), "frontends: {}\nhalf a line");
  await assertRejects(() => AppendFile.open(folder.path, BEGINNING), Error, "no regular file");
  await assertRejects(() => AppendFile.open(`${path}/x`, BEGINNING), Error);
});

Deno.test("a write that fails is told", async () => {
  using file = await AppendFile.open("/dev/full", BEGINNING);
  await assertRejects(() => write(file, "x\n"), Error, "No space left");
});
