import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { sshArguments, type SshOptions } from "../../../lib/load/ssh.ts";
import { parseRemoteLine, REMOTE_COMMAND } from "../../../lib/load/ssh_remote.ts";
import { needs } from "../../support/needs.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { mustRun, runProgram } from "../../support/run_program.ts";

Deno.test("parseRemoteLine() reads an answer", () => {
  assertEquals(parseRemoteLine("compute-lb-load 7 24 1048576 3.25 2.00 1.00 2/345 6789"), {
    probe: 7,
    reading: {
      ok: true,
      value: { load1: 3.25, cores: 24, memoryAvailableBytes: 1_073_741_824 },
    },
    isClosed: false,
  });
});

Deno.test("parseRemoteLine() reads memory, pressure and people", () => {
  const loadavg = "3.25 2.00 1.00 2/345 6789";
  const read = (rest: string) => {
    const reading = parseRemoteLine(`compute-lb-load 7 24 1024 ${loadavg} ${rest}`)?.reading;
    assert(reading?.ok);
    const { load1: _, cores: __, memoryAvailableBytes: ___, ...others } = reading.value;
    return others;
  };
  assertEquals(read("total=4096 cpu=12.50 mem=0.00 people=7"), {
    memoryTotalBytes: 4_194_304,
    cpuPressure: 0.125,
    memoryPressure: 0,
    loginSessions: 7,
  });
  assertEquals(read("total= cpu= mem= people="), {});
  assertEquals(read("total=0 cpu=x mem=-1.00 people=many"), {});
  assertEquals(read("total=99999999999999999999 cpu=100.00 mem=999.99 people=0"), {
    cpuPressure: 1,
    memoryPressure: 1,
    loginSessions: 0,
  });
});

Deno.test("parseRemoteLine() reads that people are kept out, if the backend tells", () => {
  const line = "compute-lb-load 1 1 0 0.00 0.00 0.00 1/1 1 total= cpu= mem= people=";
  const isClosed = (rest: string) => parseRemoteLine(line + rest)?.isClosed;
  // Commands of before, in authorized_keys, do not tell.
  assertEquals(["", "3", " nologin=", " nologin=1"].map(isClosed), [false, false, false, true]);
  assertEquals(parseRemoteLine(`${line}7 nologin=1`)?.reading, {
    ok: true,
    value: { load1: 0, cores: 1, loginSessions: 7 },
  });
});

Deno.test("parseRemoteLine() leaves out what the backend does not know", () => {
  assertEquals(parseRemoteLine("compute-lb-load 1 0 0 0.00 0.00 0.00 1/1 1"), {
    probe: 1,
    reading: { ok: true, value: { load1: 0 } },
    isClosed: false,
  });
  for (const rest of ["", " total= cpu= mem= people="]) {
    assertEquals(parseRemoteLine(`compute-lb-load 1 8 0 ${rest}`), {
      probe: 1,
      reading: { ok: false, message: "the backend has no /proc/loadavg" },
      isClosed: false,
    });
  }
});

Deno.test("parseRemoteLine() finds an answer behind a greeting and skips other lines", () => {
  assertEquals(parseRemoteLine("Welcome!compute-lb-load 3 8 0 1.00 0.00 0.00 1/1 1\r")?.probe, 3);
  for (const line of ["", "Welcome", "compute-lb-load", "compute-lb-load x 8 0 1.00"]) {
    assertEquals(parseRemoteLine(line), undefined);
  }
});

Deno.test("parseRemoteLine() takes any text", () => {
  const piece = fc.constantFrom(
    "compute-lb-load ",
    "1 ",
    "8 ",
    "0.34 ",
    "2/3 ",
    "total=9 ",
    "cpu=1.00 mem=",
  );
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

/** What the loop answers to so many probes, run by a shell, with its files in a directory. */
async function linesOf(shell: readonly string[], directory: string, probes: number) {
  const script = (/^exec \/bin\/sh -c '([^']*)'$/.exec(REMOTE_COMMAND)?.[1] ?? "")
    .replaceAll("/proc/", `${directory}/proc/`)
    .replaceAll("/run/", `${directory}/run/`);
  const input = `${directory}/probes`;
  await Deno.writeTextFile(input, Array.from({ length: probes }, (_, i) => `${i}\n`).join(""));
  const { stdout, stderr } = await runProgram(
    ["/bin/sh", "-c", 'in=$1; shift; exec "$@" <"$in"', "sh", input, ...shell, "-c", script],
    { env: { XDG_SESSION_ID: "c9" } },
  );
  assertEquals(stderr, "");
  return stdout.trimEnd().split("\n");
}

async function answersOf(shell: readonly string[], directory: string, probes: number) {
  return (await linesOf(shell, directory, probes)).map((line) => {
    const reading = parseRemoteLine(line)?.reading;
    assert(reading?.ok, line);
    return reading.value;
  });
}

for (const shell of [["dash"], ["bash", "--posix"]]) {
  Deno.test({
    ...needs(shell[0] ?? ""),
    name: `the remote loop, run by ${shell[0]}, reads what there is`,
    async fn() {
      const directory = await Deno.makeTempDir();
      const write = (path: string, text: string) =>
        Deno.writeTextFile(`${directory}/${path}`, text);
      const session = (more: string) => `UID=1000\nUSER=u\nACTIVE=1\n${more}SCOPE=x.scope\n`;
      try {
        await Deno.mkdir(`${directory}/proc/pressure`, { recursive: true });
        await write("proc/loadavg", "0.50 0.40 0.30 2/345 6789\n");
        await write("proc/meminfo", "MemTotal:     2048 kB\nMemFree:       1 kB\nCached:  9 kB\n");
        const bare = {
          load1: 0.5,
          cores: navigator.hardwareConcurrency,
          memoryTotalBytes: 2 ** 21,
        };
        assertEquals(await answersOf(shell, directory, 1), [bare]);

        await write("proc/meminfo", "MemTotal: 2048 kB\nMemFree: 1 kB\nMemAvailable:  1024 kB\n");
        await write(
          "proc/pressure/cpu",
          "some avg10=3.72 avg60=5.14 avg300=3.58 total=220\nfull\n",
        );
        await write("proc/pressure/memory", "some avg10=0.01 avg60=5.14 avg300=3.58 total=220\n");
        const sessions = "run/systemd/sessions";
        await Deno.mkdir(`${directory}/${sessions}`, { recursive: true });
        await write(`${sessions}/1`, session("STATE=active\nCLASS=user\n"));
        await write(`${sessions}/c2`, session("STATE=online\nCLASS=user-early\n"));
        await write(`${sessions}/3`, session("STATE=closing\nCLASS=user\n"));
        await write(`${sessions}/4`, session("STATE=online\nCLASS=background\n"));
        await write(`${sessions}/c9`, session("STATE=active\nCLASS=user\n"));
        await mustRun("mkfifo", `${directory}/${sessions}/1.ref`);
        const all = {
          ...bare,
          memoryAvailableBytes: 2 ** 20,
          cpuPressure: 0.0372,
          memoryPressure: 0.0001,
          loginSessions: 2,
        };
        assertEquals(await answersOf(shell, directory, 4), [all, all, all, all]);

        const isClosed = async () =>
          parseRemoteLine((await linesOf(shell, directory, 1))[0] ?? "")?.isClosed;
        assertEquals(await isClosed(), false);
        await write("run/nologin", "kernel update\n");
        assertEquals(await isClosed(), true);
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    },
  });
}

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
