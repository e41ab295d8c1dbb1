// The tar writer against the reader that every target has: tar(1).

import { assertEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { packTar, type TarFile } from "../../../lib/packing/tar.ts";

async function unpack(archive: Uint8Array<ArrayBuffer>): Promise<TarFile[]> {
  const directory = await Deno.makeTempDir();
  try {
    const tar = new Deno.Command("tar", {
      args: ["-xpmf", "-", "-C", directory],
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const writer = tar.stdin.getWriter();
    await writer.write(archive);
    await writer.close();
    const { code, stderr } = await tar.output();
    assertEquals({ code, stderr: new TextDecoder().decode(stderr) }, { code: 0, stderr: "" });
    const files: TarFile[] = [];
    for await (const { name } of Deno.readDir(directory)) {
      const content = await Deno.readFile(`${directory}/${name}`);
      const mode = (await Deno.stat(`${directory}/${name}`)).mode ?? 0;
      files.push({ name, mode: mode & 0o777, content });
    }
    return files.toSorted((a, b) => a.name < b.name ? -1 : 1);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("packTar() writes what tar reads, byte by byte", async () => {
  const file = fc.record({
    name: fc.stringMatching(/^[a-zA-Z0-9_.]{1,99}[a-z]$/),
    mode: fc.constantFrom(0o644, 0o755, 0o700),
    content: fc.uint8Array({ maxLength: 2000 }),
  });
  const files = fc.uniqueArray(file, { selector: ({ name }) => name, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(files, async (given) => {
      const expected = given.toSorted((a, b) => a.name < b.name ? -1 : 1);
      assertEquals(await unpack(packTar(given)), expected);
    }),
    { numRuns: 30 },
  );
});

Deno.test("packTar() gives the same bytes for the same files in any order", () => {
  const a = { name: "a", mode: 0o644, content: new Uint8Array([1]) };
  const b = { name: "b", mode: 0o755, content: new Uint8Array(512) };
  assertEquals(packTar([a, b]), packTar([b, a]));
});

Deno.test("packTar() refuses names that the format or a root cannot hold", () => {
  const content = new Uint8Array();
  for (const name of ["", "a/b", "x".repeat(101), "\u00e9", "a\0b"]) {
    assertThrows(() => packTar([{ name, mode: 0o644, content }]), RangeError, "Cannot pack");
  }
  const twice = { name: "a", mode: 0o644, content };
  assertThrows(() => packTar([twice, twice]), RangeError, "twice");
});
