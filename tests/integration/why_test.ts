// `why` and the access log of the real program, on both engines: what they tell of connections that were
// placed by load, tried in vain, and turned away.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { isWhyReport, type WhyReport } from "../../lib/admin/why_report.ts";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer, runProgram } from "../support/balancer.ts";
import { Sessions } from "../support/sessions.ts";
import { waitFor } from "../support/wait_for.ts";

/** A command that says a load by the backend's port. */
function loads(byPort: Readonly<Record<string, string>>): string {
  const cases = Object.entries(byPort).map(([port, load]) => `${port}) echo ${load};;`).join(" ");
  return `["/bin/sh", "-c", 'case "$1" in ${cases} esac', sh, "{port}"]`;
}

function portIn(address: string): string {
  return address.slice(address.lastIndexOf(":") + 1);
}

async function whyOf(balancer: Balancer, ...flags: string[]): Promise<WhyReport> {
  const { code, stdout, stderr } = await runProgram([
    "why",
    "--json",
    "--admin-socket",
    balancer.adminSocket,
    ...flags,
  ]);
  assertEquals(code, 0, stderr);
  const report: unknown = JSON.parse(stdout);
  assert(isWhyReport(report), stdout);
  return report;
}

for (const engine of ["splice", "portable"]) {
  Deno.test(`${engine}: why tells what every backend looked like, and who lost why`, async () => {
    await using best = new TcpPeer(echo);
    await using second = new TcpPeer(echo);
    const gone = new TcpPeer(echo);
    const dead = gone.address;
    await gone[Symbol.asyncDispose]();
    const command = loads({ [portIn(best.address)]: "1", [portIn(second.address)]: "2" });
    await using balancer = await Balancer.start({
      flags: ["--engine", engine],
      config: `
frontends: { ssh: { listen: "127.0.0.1:0", max_connections: 2, when_full: close } }
pools:
  compute:
    backends: ["${second.address}=4", "${best.address}=16", "${dead}=64"]
    load: { source: exec, interval: 1s, exec: { command: ${command} } }
    health: { probe: tcp, interval: 1s, fall: 1 }
`,
    });
    const nothing = await runProgram(["why", "--admin-socket", balancer.adminSocket]);
    assertEquals([nothing.code, nothing.stdout], [1, ""]);
    assertStringIncludes(nothing.stderr, "Nothing to explain: no client has come");

    await balancer.until(
      "the loads and the dead one to be known",
      ({ pools }) =>
        pools[0]?.strategyInUse === "least_load" &&
        pools[0].backends.every(({ load1, state }) => state === "down" || load1 !== null) &&
        pools[0].backends[2]?.state === "down",
    );
    const port = await balancer.port("ssh");
    using sessions = await Sessions.open(port, 1);
    const [own] = sessions.conns;
    const { hostname, port: ownPort } = own?.localAddr ?? { hostname: "", port: 0 };
    const client = `${hostname}:${ownPort}`;
    await waitFor("its record", () => balancer.records("opened")[0]);

    const text = await runProgram(["why", "--admin-socket", balancer.adminSocket]);
    assertEquals(text.code, 0, text.stderr);
    const [headline = "", , ...rows] = text.stdout.trimEnd().split("\n");
    assertMatch(
      headline,
      new RegExp(
        `^20\\S+Z client ${client} -> ${best.address}: 1[45]\\.\\d cores free, most in pool compute ` +
          `\\(next: ${second.address} [12]\\.\\d\\)$`,
      ),
    );
    assertEquals(rows.map((row) => row.trim().split(/  +/).slice(-1)[0]), [
      "chosen",
      "fewer cores free",
      "down",
    ]);

    const report = await whyOf(balancer, "--client", "127.0", "--last", "9");
    assertEquals(report.decisions.length, 1);
    const [decision] = report.decisions;
    assertEquals([decision?.client, decision?.backend, decision?.tunnel], [
      client,
      best.address,
      1,
    ]);
    assertEquals(decision?.picks[0]?.strategy, "least_load");
    const unknown = await runProgram([
      "why",
      "--client",
      "203.0.113.9",
      "--admin-socket",
      balancer.adminSocket,
    ]);
    assertEquals(unknown.code, 1);
    assertStringIncludes(unknown.stderr, "no client 203.0.113.9 is known");

    // The access log says the same in a line of its own.
    const record = balancer.records("opened")[0];
    assertEquals(record?.why, "most_free");
    const seen: unknown = record?.seen;
    assert(Array.isArray(seen));
    assertEquals(seen.map(({ backend, outcome }) => [backend, outcome]), [
      [best.address, "chosen"],
      [second.address, "less_free"],
      [dead, "down"],
    ]);

    // Turned away: the frontend is full.
    using _more = await Sessions.open(port, 1);
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    await balancer.until("the refusal", ({ counters }) => counters.refused === 1);
    const full = await waitFor("the refusal's record", async () => {
      const { decisions } = await whyOf(balancer);
      return decisions[0]?.refused === "frontend_full" ? decisions[0] : undefined;
    });
    assertEquals([full.backend, full.picks], [null, []]);
  });

  Deno.test(`${engine}: why tells every attempt, and why nobody was left`, async () => {
    const peers = [new TcpPeer(echo), new TcpPeer(echo)];
    const addresses = peers.map(({ address }) => address);
    for (const peer of peers) await peer[Symbol.asyncDispose]();
    await using balancer = await Balancer.start({
      flags: ["--engine", engine],
      config: `
log: { decisions: false }
frontends: { ssh: { listen: "127.0.0.1:0" } }
pools:
  compute:
    strategy: round_robin
    backends: ["${addresses[0]}", "${addresses[1]}"]
    load: { source: none }
    health: { probe: none, interval: 1h }
`,
    });
    const port = await balancer.port("ssh");
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await conn.read(new Uint8Array(1)).catch(() => null);
    const decision = await waitFor("the decision", async () => {
      const answer = await runProgram([
        "why",
        "--json",
        "--admin-socket",
        balancer.adminSocket,
      ]);
      if (answer.code !== 0) return undefined;
      const report: unknown = JSON.parse(answer.stdout);
      return isWhyReport(report) ? report.decisions[0] : undefined;
    });
    assertEquals(decision.refused, "connect_failed");
    assertEquals(decision.picks.map(({ backend, failure, why }) => [backend, failure, why]), [
      [addresses[0], "refused", "turn"],
      [addresses[1], "refused", "only_one"],
      [null, null, "nobody"],
    ]);
    assertEquals(decision.picks[2]?.backends.map(({ outcome }) => outcome), ["tried", "tried"]);
    const text = await runProgram(["why", "--admin-socket", balancer.adminSocket]);
    assertStringIncludes(text.stdout, "turned away by frontend ssh: no backend that was tried");
    assertStringIncludes(text.stdout, "attempt 3 of 3: nobody was left");
  });
}
