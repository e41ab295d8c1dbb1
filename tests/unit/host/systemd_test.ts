import { assertEquals } from "@std/assert";
import { activatedDescriptors } from "../../../lib/host/systemd.ts";

Deno.test("activatedDescriptors() takes what systemd passed to this process alone", () => {
  const from = (variables: Record<string, string>) =>
    activatedDescriptors(77, (name) => variables[name]);
  assertEquals(from({ LISTEN_PID: "77", LISTEN_FDS: "2" }), [3, 4]);
  assertEquals(from({ LISTEN_PID: "78", LISTEN_FDS: "2" }), []);
  assertEquals(from({ LISTEN_PID: "77", LISTEN_FDS: "many" }), []);
  assertEquals(from({ LISTEN_FDS: "1" }), []);
});
