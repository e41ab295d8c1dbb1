// `compute-lb refresh` as a program of a pipe: its lists, its complaints, its end.

import { assertEquals } from "@std/assert";
import { programCommand } from "../support/balancer.ts";
import { HeardProgram } from "../support/heard_program.ts";
import { TemporaryDirectory } from "../support/run_program.ts";

function refresh(...args: readonly string[]): HeardProgram {
  return new HeardProgram([...programCommand(), "refresh", ...args]);
}

Deno.test("refresh prints each new list, says once what fails, and ends at TERM", async () => {
  await using folder = new TemporaryDirectory();
  const file = `${folder.path}/list`;
  await Deno.writeTextFile(file, "a:1=4 weight=2\nb:2\n");
  await using refresher = refresh("--figures", "file", file);
  let printed = "a:1 cores=4 weight=2\nb:2\n\n";
  await refresher.said(printed);
  await Deno.remove(file);
  const gone = `file: cannot be asked, its last list holds: Cannot read "${file}": ` +
    "there is no such file\n";
  await refresher.said(gone);
  await Deno.writeTextFile(`${file}.new`, "c:3\n");
  await Deno.rename(`${file}.new`, file);
  await refresher.said(printed += "c:3\n\n");
  const complaints = `${gone}file: answers again\n`;
  await refresher.said(complaints);
  assertEquals([refresher.stdout, refresher.stderr], [printed, complaints]);
  refresher.signal("SIGTERM");
  assertEquals(await refresher.ended(), 0);
});

Deno.test("refresh ends quietly when nobody reads its lists", async () => {
  await using folder = new TemporaryDirectory();
  const file = `${folder.path}/list`;
  await Deno.writeTextFile(file, "a:1\n");
  await using refresher = refresh("file", file);
  await refresher.said("a:1\n\n");
  refresher.close();
  await Deno.writeTextFile(file, "b:1\n");
  assertEquals([await refresher.ended(), refresher.stderr], [0, ""]);
});
