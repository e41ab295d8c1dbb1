import { assert, assertEquals } from "@std/assert";
import { compileAccessLists } from "../../../lib/app/access.ts";
import { readConfig } from "../../../lib/config/read_config.ts";
import { TemporaryDirectory } from "../../support/run_program.ts";
import { within } from "../../support/wait_for.ts";

/** What frontends with these lists come to. */
async function compiled(frontends: Readonly<Record<string, object>>) {
  let port = 1000;
  const text = JSON.stringify({
    frontends: Object.fromEntries(
      Object.entries(frontends).map(([name, lists]) => [name, { listen: `:${++port}`, ...lists }]),
    ),
    pools: { p: { backends: ["hoek:22"] } },
  });
  const read = readConfig({ file: { path: "lb.conf", text } });
  if (!read.ok) throw new Error(read.errors.map(({ message }) => message).join("\n"));
  return await within("the lists", compileAccessLists(read.config));
}

Deno.test("lists are made of networks and of files, each of which is read once", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/list`;
  await Deno.writeTextFile(path, "\ufeff# köln\r\n192.0.2.0/24 # their lab\r\n\r\n2001:db8::/32");
  const { access, faults, warnings } = await compiled({
    a: { allow: ["10.0.0.0/8", `file:${path}`], deny: "10.1.0.0/16" },
    b: { deny: [`file:${path}`, `file:${path}`] },
    c: {},
  });
  assertEquals([faults, warnings], [[], []]);
  const hosts = ["10.0.0.1", "10.1.0.1", "192.0.2.1", "2001:db8::1", "198.51.100.1", "2001:db9::"];
  const isOut = (frontend: string) =>
    hosts.map((host) => access.get(frontend)?.hasHost(host) ?? false);
  assertEquals(isOut("a"), [false, true, false, false, true, true]);
  assertEquals(isOut("b"), [false, false, true, true, false, false]);
  assertEquals([...access.keys()], ["a", "b"]);
});

Deno.test("a list that allows nobody because its files are empty opens nothing", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/list`;
  await Deno.writeTextFile(path, "# nobody yet\n");
  const { access, warnings } = await compiled({
    a: { allow: `file:${path}` },
    b: { deny: `file:${path}` },
    c: { allow: [`file:${path}`, "192.0.2.0/24"] },
  });
  assertEquals(warnings, ["frontends.a.allow: nobody may come in: its files hold no network"]);
  assertEquals(access.get("a")?.hasHost("192.0.2.1"), true);
  assertEquals(access.has("b"), false);
  assertEquals(access.get("c")?.hasHost("192.0.2.1"), false);
});

Deno.test("whatever else a file is: a fault at its key that says so, at once", async () => {
  await using folder = new TemporaryDirectory();
  const at = (name: string) => `${folder.path}/${name}`;
  assert((await new Deno.Command("mkfifo", { args: [at("pipe")] }).output()).success);
  await Deno.mkdir(at("folder"));
  await Deno.writeTextFile(at("huge"), "");
  await Deno.truncate(at("huge"), 100 * 1024 ** 2);
  using _socket = Deno.listen({ transport: "unix", path: at("socket") });
  const files = ["pipe", "folder", "huge", "socket", "missing"].map((name) => `file:${at(name)}`);
  const { faults } = await compiled({ f: { deny: ["192.0.2.0/24", ...files, "file:/dev/zero"] } });
  const cannot = (name: string, why: string, index: number) => ({
    at: ["frontends", "f", "deny", index],
    message: `Cannot read "${name}" as a list of networks: ${why}`,
  });
  assertEquals(
    faults.toSorted((a, b) => Number(a.at.at(-1)) - Number(b.at.at(-1))),
    [
      cannot(at("pipe"), "it is a pipe, expected a regular file", 1),
      cannot(at("folder"), "it is a directory, expected a regular file", 2),
      cannot(at("huge"), "it has more than 8.0MiB: is it a list of networks?", 3),
      cannot(at("socket"), "it is a socket, expected a regular file", 4),
      cannot(at("missing"), "there is no such file", 5),
      cannot("/dev/zero", "it is a device, expected a regular file", 6),
    ],
  );
});

Deno.test("faults in a file name its lines: of what is no network, of what is no UTF-8", async () => {
  await using folder = new TemporaryDirectory();
  const [names, bytes] = [`${folder.path}/names`, `${folder.path}/bytes`];
  await Deno.writeTextFile(names, "10.0.0.0/8\n hoek\n" + "x\n".repeat(20));
  await Deno.writeFile(bytes, Uint8Array.from([...encode("10.0.0.0/8\n# "), 0xff, 10, 0xff]));
  const { faults } = await compiled({ f: { allow: `file:${names}`, deny: `file:${bytes}` } });
  const told = faults.map(({ at, message, place }) => [
    at[2],
    place?.file,
    place?.line,
    place?.column,
    message.split(":")[0],
  ]);
  assertEquals(told.filter(([key]) => key === "allow").length, 11);
  assertEquals(told.find(([key]) => key === "allow"), [
    "allow",
    names,
    2,
    2,
    'Cannot read "hoek" as a network',
  ]);
  assert(faults.some(({ message }) => message.endsWith("11 more lines without a network")));
  assertEquals(told.filter(([key]) => key === "deny"), [
    ["deny", bytes, 2, 1, `Cannot read "${bytes}" as a list of networks`],
  ]);
});

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
