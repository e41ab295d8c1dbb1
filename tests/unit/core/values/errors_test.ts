import { assertEquals } from "@std/assert";
import { listenHint, messageOf } from "../../../../lib/core/values/errors.ts";

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

Deno.test("listenHint() says what an administrator can do", () => {
  const at = (port: number) => ({ transport: "tcp", host: "192.0.2.1", port }) as const;
  const failure = (code: string) => Object.assign(new Error("no"), { code });
  const denied = " (ports below 1024 take root or CAP_NET_BIND_SERVICE)";
  assertEquals(listenHint(failure("EACCES"), at(22)), denied);
  assertEquals(listenHint(failure("EACCES"), at(1024)), "");
  const used = ' (ss -ltnp "sport = 2222" shows which process)';
  assertEquals(listenHint(failure("EADDRINUSE"), at(2222)), used);
  const elsewhere = " (it is no address of this machine)";
  assertEquals(listenHint(failure("EADDRNOTAVAIL"), at(22)), elsewhere);
  assertEquals(listenHint(failure("ENOMEM"), at(22)), "");
  assertEquals(listenHint(failure("EADDRINUSE"), { transport: "unix", path: "/x" }), "");
});
