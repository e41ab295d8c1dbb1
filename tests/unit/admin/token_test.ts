import { assert, assertEquals } from "@std/assert";
import { readToken } from "../../../lib/admin/token.ts";
import { TemporaryDirectory } from "../../support/run_program.ts";

Deno.test("readToken() reads a token that nobody else can read, spaces around it aside", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/token`;
  for (const mode of [0o600, 0o640, 0o400]) {
    await Deno.writeTextFile(path, " 0123456789abcdef\r\n", { mode: 0o600 });
    await Deno.chmod(path, mode);
    const read = await readToken(path);
    assert(read.ok);
    assert(await read.value.matches("0123456789abcdef"));
    for (const other of ["", "0123456789abcde", "0123456789abcdeF", "0123456789abcdef "]) {
      assertEquals([other, await read.value.matches(other)], [other, false]);
    }
    await Deno.remove(path);
  }
});

Deno.test("readToken() says what is wrong with the file, and nothing of what is in it", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/token`;
  const told = async (text: string, mode = 0o600) => {
    await Deno.writeTextFile(path, text);
    await Deno.chmod(path, mode);
    const read = await readToken(path);
    assert(!read.ok);
    const [, why = ""] = read.message.split(`Cannot use the token in "${path}": `);
    return why;
  };
  const secret = "0123456789abcdef";
  assertEquals(
    await told(secret, 0o644),
    `everybody on this machine can use the file (mode 0644): type chmod o= ${path}`,
  );
  assertEquals(await told("\n \n"), "the file is empty");
  assertEquals(await told("secret"), "it has 6 characters, expected at least 16");
  for (const text of [`${secret}\n${secret}`, `${secret} x`, `${secret}é`]) {
    assertEquals(await told(text), "expected one line of printable ASCII without spaces");
  }
  assertEquals(await told(secret.repeat(300)), "it is longer than 4096 bytes");
  assertEquals(await told(secret.repeat(100_000)), "it is longer than 4096 bytes");
  await Deno.remove(path);
  const missing = await readToken(path);
  assert(!missing.ok && missing.message.includes("there is no such file: type (umask 077;"));
  const directory = await readToken(folder.path);
  assert(!directory.ok && directory.message.endsWith(": expected a regular file"));
});
