import { assert, assertEquals } from "@std/assert";
import { placesToAsk } from "../../../lib/cli/status_places.ts";
import { TemporaryDirectory } from "../../support/run_program.ts";

const REST = 'frontends: { a: { listen: ":22" } }\npools: { p: { backends: [hoek] } }\n';

async function write(folder: TemporaryDirectory, text: string): Promise<string> {
  const path = `${folder.path}/lb.conf`;
  await Deno.writeTextFile(path, text);
  return path;
}

Deno.test("placesToAsk() asks no other balancer than that of the file", async () => {
  await using folder = new TemporaryDirectory();
  const configFile = await write(folder, `${REST}admin: { socket: /x/y.sock }\n`);
  assertEquals(await placesToAsk({ configFile }), {
    ok: true,
    sockets: ["/x/y.sock"],
    named: "/x/y.sock",
  });
  await write(folder, `${REST}admin: { socket: off }\n`);
  const off = await placesToAsk({ configFile });
  assert(!off.ok && off.exitCode === 1 && /admin\.socket: off/.test(off.message));
  await write(folder, "pools: [");
  const bad = await placesToAsk({ configFile });
  assert(!bad.ok && bad.exitCode === 2 && bad.message.startsWith(`${configFile}:1:`));
  const missing = await placesToAsk({ configFile: `${folder.path}/none` });
  assert(!missing.ok && missing.exitCode === 2 && /no such file/.test(missing.message));
});

Deno.test("placesToAsk() reads the usual file first when nothing is said", async () => {
  await using folder = new TemporaryDirectory();
  const file = await write(folder, `${REST}admin: { socket: /x/y.sock }\n`);
  const usual = await placesToAsk({}, `${folder.path}/none`);
  assert(usual.ok && usual.sockets[0] === "/run/compute-lb/admin.sock");
  const named = await placesToAsk({}, file);
  assert(named.ok && named.named === "/x/y.sock");
  assertEquals(named.sockets, ["/x/y.sock", ...usual.sockets]);
  assertEquals(await placesToAsk({ adminSocket: "/z" }, file), {
    ok: true,
    sockets: ["/z"],
    named: "/z",
  });
  await write(folder, "pools: [");
  const bad = await placesToAsk({}, file);
  assert(bad.ok && bad.warning?.startsWith(`${file}:1:`));
});
