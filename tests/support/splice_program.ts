// A balancer on the splice engine alone, as a process that a test can starve of descriptors. Says its
// port, then what it fails to accept; ends with its standard input.

import { frontendOf, planOf, portOf } from "../conformance/engine_fixture.ts";
import { makeSpliceEngine } from "./splice_engine.ts";

// `deno run` makes its signal pipe half a second after the start, and panics when there is no descriptor
// for it then (2.9.6). A listener has it made now, as the real program's does.
const ignore = () => {};
Deno.addSignalListener("SIGHUP", ignore);
const engine = makeSpliceEngine();
engine.publish("p", planOf(Deno.args, { connectTimeoutMs: 20_000 }));
console.log(portOf((await engine.start([frontendOf()])).get("f")));
const report = engine.deliver((event) => {
  if (event.kind === "accept_failed") console.log(event.failure);
  if (event.kind === "connect_failed") console.log(event.message);
});
for await (const _ of Deno.stdin.readable);
await engine[Symbol.asyncDispose]();
await report;
Deno.removeSignalListener("SIGHUP", ignore);
