// A backend that was added and then removed came back with the next list of its pool's source, if it was removed
// while the list did not name it: of added ones, nothing was remembered.

import { assertEquals } from "@std/assert";
import { requestAdmin } from "../../lib/admin/client.ts";
import { Balancer } from "../support/balancer.ts";
import { TemporaryDirectory } from "../support/run_program.ts";

const [A, B, C] = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"] as const;

Deno.test("a removed backend stays out, whoever names it later, until it is enabled", async () => {
  await using folder = new TemporaryDirectory();
  const list = `${folder.path}/list`;
  const write = async (...backends: readonly string[]) => {
    await Deno.writeTextFile(`${list}.new`, backends.join("\n"));
    await Deno.rename(`${list}.new`, list);
  };
  await write(A);
  await using balancer = await Balancer.start({
    config: `frontends: { main: { listen: "127.0.0.1:0", pool: main } }\n` +
      `pools: { main: { discovery: "file:${list}", load: { source: none } } }\n`,
  });
  const order = async (method: string, backend: string, body?: unknown) => {
    const resource = `/v1/pools/main/backends/${encodeURIComponent(backend)}`;
    const answer = await requestAdmin(balancer.adminSocket, { method, resource, body });
    assertEquals(answer.ok && answer.status, 200);
  };
  const has = (...backends: readonly string[]) =>
    balancer.until(`the pool ${backends.join(", ")}`, ({ pools: [pool] }) => {
      const ids = pool?.backends.filter(({ state }) => state !== "leaving").map(({ id }) => id);
      return ids?.sort().join() === backends.join();
    });
  await has(A);
  await order("PUT", B, {});
  await order("DELETE", B);
  await write(A, B, C);
  await has(A, C);
  await write(A, C);
  await order("DELETE", B);
  await write(A, B);
  await has(A);
  await order("PATCH", B, { state: "enabled" });
  await has(A, B);
});
