import { assert, assertEquals, assertRejects } from "@std/assert";
import { listen } from "../../../lib/cli/echo.ts";
import { TemporaryDirectory } from "../../support/run_program.ts";

const ANY = { transport: "tcp", host: "", port: 0 } as const;

Deno.test("listen() takes IPv4 alone where there is no IPv6", async () => {
  const asked: string[] = [];
  const withoutIpv6 = (hostname: string, port: number) => {
    asked.push(hostname);
    // What socket(2) says there: EAFNOSUPPORT, which has no class of its own.
    if (hostname === "::") {
      throw new Error("Address family not supported by protocol (os error 97)");
    }
    return Deno.listen({ hostname: hostname === "0.0.0.0" ? "127.0.0.1" : hostname, port });
  };
  using _ = await listen(ANY, withoutIpv6);
  assertEquals(asked, ["::", "0.0.0.0"]);
});

Deno.test("listen() does not take another family for a port that is taken", async () => {
  const asked: string[] = [];
  const taken = (hostname: string): Deno.Listener => {
    asked.push(hostname);
    throw new Deno.errors.AddrInUse("taken");
  };
  await assertRejects(() => listen(ANY, taken), Deno.errors.AddrInUse);
  assertEquals(asked, ["::"]);
});

Deno.test("listen() replaces a unix socket that nobody serves, and nothing else", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/echo.sock`;
  const address = { transport: "unix", path } as const;
  // As of a process that died: a listener that is closed removes only the name it knows.
  const dying = Deno.listen({ transport: "unix", path: `${path}.first` });
  await Deno.rename(`${path}.first`, path);
  dying.close();
  assert((await Deno.lstat(path)).isSocket);
  {
    using _ = await listen(address);
    await assertRejects(() => listen(address), Deno.errors.AddrInUse);
  }
  await Deno.writeTextFile(path, "precious");
  await assertRejects(() => listen(address), Deno.errors.AddrInUse);
  assertEquals(await Deno.readTextFile(path), "precious");
});
