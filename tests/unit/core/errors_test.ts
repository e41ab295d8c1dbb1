import { assertEquals } from "@std/assert";
import { messageOf } from "../../../lib/core/errors.ts";

async function told(fail: () => unknown): Promise<string> {
  try {
    await fail();
  } catch (error) {
    return messageOf(error);
  }
  throw new Error("it should have failed");
}

Deno.test("messageOf() leaves the system's own words, without the call and the number", async () => {
  const missing = "No such file or directory";
  assertEquals(await told(() => Deno.readTextFile("/no such")), missing);
  assertEquals(await told(() => Deno.rename("/no", "/nor that")), missing);
  assertEquals(await told(() => Deno.makeTempDir({ dir: "/no such" })), missing);
  assertEquals(await told(() => new Deno.Command("/no such").spawn()), missing);
  assertEquals(await told(() => new Deno.Command("no-such-program").spawn()), "No such program");
  assertEquals(await told(() => Deno.writeTextFile("/dev/full", "x")), "No space left on device");
});

Deno.test("messageOf() takes whatever is thrown", async () => {
  assertEquals(messageOf(new Error("a (os error 3) b")), "a (os error 3) b");
  assertEquals(messageOf("text"), "text");
  assertEquals(messageOf(undefined), "undefined");
  assertEquals(messageOf(new Error(" (os error 7)")), " (os error 7)");
  assertEquals(await told(() => Promise.reject(new Error(""))), "");
});
