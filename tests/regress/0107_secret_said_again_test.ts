// A server that refused a request and said again what it had been sent, or sent it on elsewhere with its query,
// had the token and the key told in the log and in status.

import { assertEquals } from "@std/assert";
import { HttpAccess } from "../../lib/asking/http_access.ts";
import { Deadline } from "../support/deadline.ts";
import { TemporaryDirectory } from "../support/run_program.ts";

Deno.test("what we are let in by is not told again", async () => {
  await using folder = new TemporaryDirectory();
  const tokenFile = `${folder.path}/token`;
  await Deno.writeTextFile(tokenFile, "sesame-open\n");
  using deadline = new Deadline();
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    ({ url, headers }) =>
      url.includes("/away")
        ? new Response(null, { status: 301, headers: { location: url.replace("http:", "https:") } })
        : new Response(`${url}, ${headers.get("authorization")}, ${headers.get("x-key")}: no`, {
          status: 403,
        }),
  );
  using access = new HttpAccess({ headers: { "X-Key": "hidden stone" }, tokenFile });
  const place = `127.0.0.1:${server.addr.port}`;
  const reasonFor = async (path: string) => {
    const answer = await access.get(new URL(`http://${place}${path}?key=magic`), deadline.signal);
    return answer.ok ? "none" : answer.message;
  };
  assertEquals(
    await reasonFor("/here"),
    `HTTP 403 Forbidden: http://${place}/here?key=..., ..., ...: no (${place}/here)`,
  );
  assertEquals(
    await reasonFor("/away"),
    `HTTP 301 Moved Permanently to https://${place}/away?..., which is not followed (${place}/away)`,
  );
});
