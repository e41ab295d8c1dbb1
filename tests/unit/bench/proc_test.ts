// What the benches read of proc(5).

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  cpuSecondsIn,
  cpuSecondsOf,
  openFilesIn,
  residentBytesIn,
  residentBytesOf,
} from "../../bench/data_plane/proc.ts";

/** A /proc/PID/stat with these times: utime, stime, cutime, cstime, in ticks. */
function stat(comm: string, times: readonly number[]): string {
  return `4711 (${comm}) S 1 4711 4711 0 -1 4194560 100 200 0 0 ${times.join(" ")} 20 0 8 0 99 1 2`;
}

Deno.test("processor time is the process's own and that of its children that ended", () => {
  assertEquals(cpuSecondsIn(stat("haproxy", [150, 250, 30, 70])), 5);
  assertEquals(cpuSecondsIn(stat("go_proxy", [0, 1, 0, 0])), 0.01);
});

Deno.test("a program's name cannot shift the fields", () => {
  const times = fc.array(fc.nat(1_000_000), { minLength: 4, maxLength: 4 });
  fc.assert(fc.property(fc.string({ maxLength: 15 }), times, (comm, ticks) => {
    const sum = ticks.reduce((total, each) => total + each, 0);
    assertEquals(cpuSecondsIn(stat(comm, ticks)), sum / 100);
  }));
});

Deno.test("what is no stat has no processor time", () => {
  for (const text of ["", "4711", "4711 (x) S 1 2", stat("x", [1, 2, 3]).replace("3 20", "x 20")]) {
    assertEquals(cpuSecondsIn(text), undefined, text);
  }
  fc.assert(fc.property(fc.string(), (text) => {
    assert((cpuSecondsIn(text) ?? 0) >= 0);
  }));
});

Deno.test("resident memory is in bytes, and a kernel thread has none", () => {
  assertEquals(residentBytesIn("Name:\tx\nVmHWM:\t  900 kB\nVmRSS:\t     512 kB\n"), 524_288);
  assertEquals(residentBytesIn("Name:\tkthreadd\n"), undefined);
  assertEquals(residentBytesIn("Name:\tVmRSS: 1 kB\n"), undefined);
});

Deno.test("the limit on open files is the hard one", () => {
  const head = "Limit                     Soft Limit           Hard Limit           Units     \n";
  const files = "Max open files            1024                 20000                files     \n";
  assertEquals(openFilesIn(head + files), 20_000);
  assertEquals(openFilesIn(head + files.replace("20000", "unlimited")), Infinity);
  assertEquals(openFilesIn(head), undefined);
});

Deno.test({
  name: "this process has used processor time and memory",
  ignore: Deno.build.os !== "linux",
  async fn() {
    assert(await cpuSecondsOf(Deno.pid) > 0);
    assert(await residentBytesOf(Deno.pid) > 1_000_000);
  },
});
