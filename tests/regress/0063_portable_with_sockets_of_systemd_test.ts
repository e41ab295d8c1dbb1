// The portable engine ignored the listening sockets that systemd had passed on, and failed to bind their
// addresses: "Address already in use".

import { assertEquals, assertStringIncludes } from "@std/assert";
import { findInheritedObstacle } from "../../lib/engine/choose.ts";
import { programCommand } from "../support/balancer.ts";
import { runProgram, TemporaryDirectory } from "../support/run_program.ts";

const WHY = "Cannot take over descriptor 3 (compute-lb.socket) from systemd: only the splice " +
  'engine can; choose "auto" or "splice", or disable the socket unit, so that the balancer listens by itself';
const CONFIG = `frontends: { ssh: { listen: "127.0.0.1:0" } }
pools: { a: { backends: ["127.0.0.1:1"] } }
engine:
  kind: KIND
`;

/** Runs the program as systemd does, with a socket for it. */
function activated(...args: readonly string[]) {
  const script = 'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=compute-lb.socket exec "$@"';
  return runProgram(["sh", "-c", script, "sh", ...programCommand(), ...args]);
}

Deno.test("portable with sockets from systemd is a fault of the configuration", async () => {
  await using folder = new TemporaryDirectory();
  const file = `${folder.path}/lb.conf`;
  await Deno.writeTextFile(file, CONFIG.replace("KIND", "portable"));
  for (const command of ["run", "check"]) {
    const { code, stderr } = await activated(command, "-c", file);
    assertEquals(code, 2, stderr);
    assertStringIncludes(stderr, `${file}:4:9: engine.kind: ${WHY}\n`);
  }
  assertEquals((await runProgram([...programCommand(), "check", "-c", file])).code, 0);
  await Deno.writeTextFile(file, CONFIG.replace("KIND", "auto"));
  const auto = await activated("check", "-c", file);
  assertEquals(auto.code, 0, auto.stderr);
});

Deno.test("each socket from systemd is named that cannot be taken", () => {
  assertEquals(findInheritedObstacle("portable", [], []), undefined);
  assertEquals(findInheritedObstacle("auto", [3, 4], []), undefined);
  assertEquals(findInheritedObstacle("splice", [3, 4], []), undefined);
  const told = findInheritedObstacle("portable", [3, 4], ["ssh.socket"]) ?? "";
  assertStringIncludes(told, "Cannot take over descriptors 3 (ssh.socket), 4 from systemd: only");
});
