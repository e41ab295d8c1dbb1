// A balancer on :22 with localhost:22 among its backends sent sessions to itself, again and again, until
// max_connections was reached. What text alone can tell of that is an error now.

import { assertEquals } from "@std/assert";
import { formatConfigErrors } from "../../lib/config/config_error.ts";
import { readConfig } from "../../lib/config/read_config.ts";

function faults(listen: string, backends: string): string[] {
  const flags = { listen: [listen], backends: backends.split(","), load: "none" };
  const result = readConfig({ overrides: flags });
  return result.ok ? [] : formatConfigErrors(result.errors).trim().split("\n");
}

Deno.test("a backend that is the frontend itself is refused", () => {
  assertEquals(faults(":22", "hoek,localhost"), [
    '--backends: Cannot use "localhost:22" as a backend: frontend main itself listens there',
  ]);
  for (
    const [listen, backend] of [
      [":22", "127.0.0.1:22"],
      ["[::]:22", "[::1]:22"],
      ["192.0.2.1:22", "192.0.2.1:22"],
      ["127.0.0.1:22", "LOCALHOST:22"],
      ["unix:/run/a.sock", "unix:/run/a.sock"],
    ] as const
  ) assertEquals(faults(listen, `${backend},hoek:22`).length, 1, `${listen} ${backend}`);
});

Deno.test("a backend on the balancer's machine is not refused", () => {
  for (
    const [listen, backend] of [
      [":22", "localhost:2222"],
      ["192.0.2.1:22", "localhost:22"],
      ["127.0.0.1:22", "127.0.0.2:22"],
      ["127.0.0.1:0", "127.0.0.1:22"],
      ["unix:/run/a.sock", "unix:/run/b.sock"],
    ] as const
  ) {
    const flags = { listen: [listen], backends: [backend], load: "none" };
    assertEquals(readConfig({ overrides: flags }).ok, true, `${listen} ${backend}`);
  }
});
