import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { expandCommand, parseExecOutput } from "../../../lib/load/exec.ts";
import { backendAt } from "../../support/backends.ts";

Deno.test("parseExecOutput() reads the words and numbers of the contract", () => {
  assertEquals(parseExecOutput("ONLINE\n", 1), { kind: "online" });
  assertEquals(parseExecOutput(" OFFLINE", 1), { kind: "offline" });
  const sample = (load1: number, cores?: number) => ({
    kind: "sample",
    sample: { load1, takenAtMs: 5, ...(cores === undefined ? {} : { cores }) },
  });
  assertEquals<unknown>(parseExecOutput("0.34\n", 5), sample(0.34));
  assertEquals<unknown>(parseExecOutput("12", 5), sample(12));
  assertEquals<unknown>(parseExecOutput("3.25 8\n", 5), sample(3.25, 8));
  assertEquals<unknown>(parseExecOutput("3.25\t1.5", 5), sample(3.25, 1.5));
  assertEquals(parseExecOutput("3.25 8 +0.75\n", 5), {
    kind: "sample",
    sample: { load1: 3.25, cores: 8, sessionCost: 0.75, takenAtMs: 5 },
  });
});

Deno.test("parseExecOutput() rejects everything else", () => {
  const wrong = [
    ...["", "online", "-1", "1.", ".5", "1e3", "NaN", "Infinity", "0x10", "1,5", "1 0", "1 9000"],
    ...[
      "1 2 3",
      "1 +2",
      "1 2 +",
      "1 2 +-3",
      "1 2 + 3",
      "1 2 +3 4",
      "1 2 +1000",
      "1\n2\n3",
      "ONLINE 1",
      "99999999",
    ],
  ];
  for (const text of wrong) assertEquals(parseExecOutput(text, 1).kind, "failed", text);
  fc.assert(fc.property(fc.string({ maxLength: 30 }), (text) => {
    const result = parseExecOutput(text, 1);
    if (result.kind === "sample") assert(result.sample.load1 >= 0);
    if (result.kind === "failed") assert(!/[\r\n]/.test(result.reason));
  }));
});

Deno.test("expandCommand() fills placeholders in, else appends the host", () => {
  const backend = backendAt("kelvin", 2222);
  assertEquals(
    expandCommand(["probe", "--to={host}:{port}", "{backend}", "{other}"], backend),
    ["probe", "--to=kelvin:2222", "kelvin:2222", "{other}"],
  );
  assertEquals(expandCommand(["/etc/probe.sh"], backend), ["/etc/probe.sh", "kelvin"]);
  assertEquals(
    expandCommand(["probe", "{host}", "{port}"], {
      ...backend,
      loadAddress: { transport: "tcp", host: "mgmt", port: 1 },
    }),
    ["probe", "mgmt", "1"],
  );
  const address = { transport: "unix", path: "/run/x.sock" } as const;
  assertEquals(expandCommand(["probe"], { ...backend, address }), ["probe", "localhost"]);
});

Deno.test("expandCommand() replaces once: what a name holds is not read again", () => {
  assertEquals(expandCommand(["{backend}"], { ...backendAt("a"), id: "{host}$&" }), ["{host}$&"]);
});
