// An answer of the load source "http" with objects nested 170,000 deep where the load should stand ended
// the balancer: JSON.stringify ran out of stack while the message was worded, and a load source that
// rejects is taken for a broken invariant. A line of a recording did the same to `simulate`.

import { assert, assertEquals } from "@std/assert";
import { parseRecordLine } from "../../lib/record/record_format.ts";
import { backendAt } from "../support/backends.ts";
import { httpLoad } from "../support/http_load.ts";
import { within } from "../support/wait_for.ts";

const DEPTH = 170_000;
// Names that are numbers: V8 writes all others without a stack of its own.
const DEEP = `${'{"1":'.repeat(DEPTH)}1${"}".repeat(DEPTH)}`;

Deno.test("HttpSource reports an answer that is nested too deep to be shown", async () => {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response(`{"load1":${DEEP}}`),
  );
  await using source = httpLoad();
  const backend = backendAt("127.0.0.1", server.addr.port);
  const asked = source.sample(backend, new AbortController().signal);
  assertEquals(await within("the answer", asked), {
    kind: "failed",
    reason: 'Cannot use an object at "load1": expected a number from 0 to 10000000',
  });
});

Deno.test("parseRecordLine() says what is wrong with a line that is nested deep", () => {
  for (const line of [`{"kind":${DEEP}}`, `{"kind":"pool","t":0,"pool":${DEEP}}`]) {
    const read = parseRecordLine(line);
    assert(!read.ok);
    assert(read.message.includes("an object"), read.message);
  }
});
