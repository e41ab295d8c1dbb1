import { assertEquals } from "@std/assert";
import { isJournal } from "../../../lib/host/journal.ts";

Deno.test("isJournal() holds only for stderr's own device and inode", () => {
  const { dev, ino } = Deno.statSync("/proc/self/fd/2");
  assertEquals(isJournal(`${dev}:${ino}`), true);
  for (
    const other of [
      undefined,
      "",
      "1",
      ":",
      `${dev}:`,
      `:${ino}`,
      `${dev}:${(ino ?? 0) + 1}`,
      `${dev + 1}:${ino}`,
      `${dev}:${ino}:`,
      ` ${dev}:${ino}`,
      "9:12345678",
      "NaN:NaN",
    ]
  ) {
    assertEquals(isJournal(other), false, other);
  }
});

Deno.test("isJournal() looks at the stream itself, such as a socket or a pipe", async () => {
  const code = 'import { isJournal } from "./lib/host/journal.ts";' +
    'const { dev, ino } = Deno.statSync("/proc/self/fd/2");' +
    "console.log(isJournal(`${dev}:${ino}`), isJournal(Deno.env.get('OUT')));";
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-lock", code],
    env: { OUT: "9:12345678" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  assertEquals(new TextDecoder().decode(stdout), "true false\n");
});
