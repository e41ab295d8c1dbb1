import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { sshArguments, type SshOptions } from "../../../lib/load/ssh.ts";
import { parseRemoteLine, REMOTE_COMMAND } from "../../../lib/load/ssh_remote.ts";
import { ManualClock } from "../../support/manual_clock.ts";

Deno.test("parseRemoteLine() reads an answer", () => {
  assertEquals(parseRemoteLine("compute-lb-load 7 24 1048576 3.25 2.00 1.00 2/345 6789"), {
    probe: 7,
    reading: {
      ok: true,
      value: { load1: 3.25, cores: 24, memoryAvailableBytes: 1_073_741_824 },
    },
  });
});

Deno.test("parseRemoteLine() leaves out what the backend does not know", () => {
  assertEquals(parseRemoteLine("compute-lb-load 1 0 0 0.00 0.00 0.00 1/1 1"), {
    probe: 1,
    reading: { ok: true, value: { load1: 0 } },
  });
  assertEquals(parseRemoteLine("compute-lb-load 1 8 0 "), {
    probe: 1,
    reading: { ok: false, message: "the backend has no /proc/loadavg" },
  });
});

Deno.test("parseRemoteLine() finds an answer behind a greeting and skips other lines", () => {
  assertEquals(parseRemoteLine("Welcome!compute-lb-load 3 8 0 1.00 0.00 0.00 1/1 1\r")?.probe, 3);
  for (const line of ["", "Welcome", "compute-lb-load", "compute-lb-load x 8 0 1.00"]) {
    assertEquals(parseRemoteLine(line), undefined);
  }
});

Deno.test("parseRemoteLine() takes any text", () => {
  const piece = fc.constantFrom("compute-lb-load ", "1 ", "8 ", "0.34 ", "2/3 ");
  const line = fc.array(fc.oneof(piece, fc.string({ maxLength: 4 }))).map((all) => all.join(""));
  fc.assert(
    fc.property(line, (text) => {
      const answer = parseRemoteLine(text);
      if (answer?.reading.ok) assert(answer.reading.value.load1 >= 0);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("the remote command holds nothing that a login shell reads in its own way", () => {
  const script = /^exec \/bin\/sh -c '([^']*)'$/.exec(REMOTE_COMMAND)?.[1] ?? "";
  assert(script.length > 100);
  assertMatch(script, /^[^'\\!\n`]*$/);
});

Deno.test("sshArguments() puts the administrator's options first, where they win", () => {
  const options: SshOptions = {
    user: "probe",
    identityFile: "/etc/compute-lb/id",
    configFile: "/etc/compute-lb/ssh_config",
    options: ["ConnectTimeout=3"],
    clock: new ManualClock(),
    random: () => 0.5,
  };
  const args = sshArguments(options, { transport: "tcp", host: "kelvin", port: 2222 });
  const words = args.join(" ");
  assertMatch(
    words,
    /^-T -F \/etc\/compute-lb\/ssh_config -i \/etc\/compute-lb\/id -l probe -p 2222 /,
  );
  assertMatch(words, /-o ConnectTimeout=3 -o BatchMode=yes -o ConnectTimeout=10 /);
  assert(!words.includes("StrictHostKeyChecking"));
  assertEquals(args.slice(-3), ["--", "kelvin", REMOTE_COMMAND]);
});
