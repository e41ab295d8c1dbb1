import { assertEquals } from "@std/assert";
import { counted } from "../../../../lib/core/values/counted.ts";

Deno.test("counted() knows one from many", () => {
  const told = [0, 1, 2].map((count) => counted(count, "session"));
  assertEquals(told, ["0 sessions", "1 session", "2 sessions"]);
});
