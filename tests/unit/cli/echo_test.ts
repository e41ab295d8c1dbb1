import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
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
  const taken = (hostname: string): Deno.TcpListener => {
    asked.push(hostname);
    throw new Deno.errors.AddrInUse("taken");
  };
  await assertRejects(() => listen(ANY, taken), Deno.errors.AddrInUse);
  assertEquals(asked, ["::"]);
});

Deno.test("listen() replaces a unix socket that nobody serves, and nothing else", async () => {
  await using folder = new TemporaryDirectory();
  const address = (name: string) =>
    ({ transport: "unix", path: `${folder.path}/${name}` }) as const;
  const refusal = async (name: string) =>
    (await assertRejects(() => listen(address(name)), Deno.errors.AddrInUse)).message;
  const { path } = address("echo.sock");
  // As of a process that died: a listener that is closed removes only the name it knows.
  const dying = Deno.listen({ transport: "unix", path: `${path}.first` });
  await Deno.rename(`${path}.first`, path);
  dying.close();
  assert((await Deno.lstat(path)).isSocket);
  await Deno.symlink(path, `${folder.path}/link`);
  assertEquals(await refusal("link"), "it is no socket");
  {
    using _ = await listen(address("echo.sock"));
    assertEquals(await refusal("echo.sock"), "another process listens there");
    assertEquals(await refusal("link"), "another process listens there");
  }
  assertStringIncludes(
    await refusal("link"),
    `it is a symbolic link to ${path}, which is not there`,
  );
  await Deno.writeTextFile(path, "precious");
  assertEquals(await refusal("echo.sock"), "it is no socket");
  assertEquals(await Deno.readTextFile(path), "precious");
});
