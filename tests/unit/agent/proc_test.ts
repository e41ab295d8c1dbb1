import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  idleShare,
  isUserSession,
  loginProcesses,
  parseCpuTimes,
  parseLoadAverages,
  parseMemory,
  parsePressure,
} from "../../../lib/agent/proc.ts";

const STAT = `cpu  435449 357209 259933 1430959 2699 7 84395 770 100 50
cpu0 217001 178000 129000 715000 1300 3 42000 380 50 25
cpu2 218448 179209 130933 715959 1399 4 42395 390 50 25
intr 4711 0 9
ctxt 998877
`;

Deno.test("parseCpuTimes() counts guests once, waiting for disks as idle, stolen time as busy", () => {
  assertEquals(parseCpuTimes(STAT), {
    total: 435449 + 357209 + 259933 + 1430959 + 2699 + 7 + 84395 + 770,
    idle: 1430959 + 2699,
    cores: 2,
  });
  // Kernels before 2.5.41 have four fields.
  assertEquals(parseCpuTimes("cpu  1 2 3 4\ncpu0 1 2 3 4\n"), { total: 10, idle: 4, cores: 1 });
  for (const text of ["", "cpu  1 2 3\ncpu0 1 2 3\n", "cpu  1 2 3 4\n", "cpu  a b c d\n"]) {
    assertEquals(parseCpuTimes(text), undefined);
  }
});

Deno.test("idleShare() is a share, whatever the counters do", () => {
  const times = fc.record({ total: fc.nat(), idle: fc.nat(), cores: fc.constant(1) });
  fc.assert(
    fc.property(times, times, (before, after) => {
      const share = idleShare(before, after);
      if (after.total <= before.total) assertEquals(share, undefined);
      else assert(share !== undefined && share >= 0 && share <= 1);
    }),
  );
  const at = (total: number, idle: number) => ({ total, idle, cores: 1 });
  assertEquals(idleShare(at(100, 50), at(300, 200)), 0.75);
});

Deno.test("parseLoadAverages() reads all of /proc/loadavg", () => {
  assertEquals(parseLoadAverages("0.34 12.00 105.53 2/345 6789\n"), {
    load1: 0.34,
    load5: 12,
    load15: 105.53,
    running: 2,
  });
  for (const text of ["", "0.34 0.72 0.53", "0.34 0.72 x 2/345 6789\n", "1 2 3 4/5 6"]) {
    assertEquals(parseLoadAverages(text), undefined);
  }
});

Deno.test("parseMemory() and parsePressure() read in bytes and shares", () => {
  const text = "MemTotal:       24684096 kB\nMemFree:        1 kB\nMemAvailable:   23886264 kB\n";
  assertEquals(parseMemory(text, "MemTotal"), 24684096 * 1024);
  assertEquals(parseMemory(text, "MemAvailable"), 23886264 * 1024);
  assertEquals(parseMemory("MemTotal: 3 kB\n", "MemAvailable"), undefined);
  const pressure =
    "some avg10=12.34 avg60=85.71 avg300=75.22 total=27\nfull avg10=1.00 avg60=0 x\n";
  assertEquals(parsePressure(pressure), 0.1234);
  assertEquals(parsePressure("full avg10=1.00 avg60=0.00 avg300=0.00 total=0\n"), undefined);
});

Deno.test("isUserSession() counts people who have not left", () => {
  const session = (rest: string) => `UID=1000\nUSER=ada\nACTIVE=1\n${rest}`;
  assert(isUserSession(session("STATE=active\nREMOTE=1\nCLASS=user\nSERVICE=sshd\n")));
  assert(isUserSession(session("STATE=online\nCLASS=user-early\n")));
  assert(!isUserSession(session("STATE=closing\nCLASS=user\n")));
  assert(!isUserSession(session("STATE=active\nCLASS=greeter\n")));
  assert(!isUserSession(session("STATE=active\nCLASS=manager\n")));
});

/** A record of utmp(5) as glibc lays it out. */
function utmpRecord(size: number, type: number, pid: number, user: string): number[] {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setInt16(0, type, true);
  view.setInt32(4, pid, true);
  bytes.set(new TextEncoder().encode(user), 44);
  return [...bytes];
}

Deno.test("loginProcesses() finds those who are logged in", () => {
  for (const [arch, size] of [["x86_64", 384], ["aarch64", 400]] as const) {
    const utmp = new Uint8Array([
      utmpRecord(size, 2, 0, "reboot"),
      utmpRecord(size, 7, 4711, "ada"),
      utmpRecord(size, 8, 4712, ""),
      utmpRecord(size, 7, 4713, "grace"),
      utmpRecord(size, 7, 4714, ""),
      [7, 0, 0],
    ].flat());
    assertEquals(loginProcesses(utmp, arch), [4711, 4713]);
  }
  assertEquals(loginProcesses(new Uint8Array(), "x86_64"), []);
});
