// nrpe, agent and gmond took loads of up to 999999999999999 for what they say, and status showed them; http
// alone had a limit.

import { assert, assertEquals } from "@std/assert";
import { parseAgentAnswer } from "../../lib/load/agent_answer.ts";
import { parseCheckLoad } from "../../lib/load/check_load.ts";
import { GmondReader } from "../../lib/asking/gmond.ts";
import { sampleOf } from "../../lib/load/gmond_hosts.ts";

Deno.test("a load that no machine can have is none", () => {
  assertEquals(parseCheckLoad("OK|load1=999999999.0;15;30;0;"), {
    ok: false,
    message: "Cannot use 999999999 as a load: expected up to 10000000",
  });
  assert(parseCheckLoad("OK|load1=10000000;").ok);
  const agent = parseAgentAnswer("75% #load1=999999999999999 cores=8");
  assertEquals(agent.ok && agent.value.load, undefined);
  assertEquals(agent.ok && agent.value.advice, { share: 0.75 });
  const reader = new GmondReader();
  reader.feed(
    '<GANGLIA_XML><CLUSTER><HOST NAME="a" IP="192.0.2.1" TN="1" TMAX="20" DMAX="0">' +
      '<METRIC NAME="load_one" VAL="999999999999999" TN="1" TMAX="70" DMAX="0"/>' +
      "</HOST></CLUSTER></GANGLIA_XML>",
  );
  const hosts = reader.end();
  const [host] = hosts.ok ? hosts.value : [];
  assert(host !== undefined);
  assertEquals(sampleOf(host, 0), {
    ok: false,
    message: "Cannot use 999999999999999 as the load_one of a: expected up to 10000000",
  });
});
