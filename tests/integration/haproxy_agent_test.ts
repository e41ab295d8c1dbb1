// HAProxy and agents: what the real one makes of `compute-lb agent`, and that the words of agents mean
// to us what they mean to it.

import { assert, assertEquals } from "@std/assert";
import { AgentProcess } from "../peers/agent_process.ts";
import { Haproxy } from "../peers/haproxy.ts";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { needs } from "../support/needs.ts";
import { requirePeer } from "../support/require_peer.ts";
import { waitFor } from "../support/wait_for.ts";

Deno.test({
  ...requirePeer("haproxy"),
  name: "HAProxy weighs by the idle CPU of compute-lb agent, and finds nothing odd in its line",
  fn: async () => {
    await using agent = await AgentProcess.start();
    await using service = new TcpPeer(greetThenEcho("x"));
    for (const send of [undefined, '"backend kelvin\\n"']) {
      await using haproxy = await Haproxy.start({
        agentPort: agent.port,
        servicePort: service.port,
        ...(send === undefined ? {} : { send }),
      });
      // Both answers are of the same two seconds, most of the time.
      const state = await waitFor("the weight to be the agent's percentage", async () => {
        const percentage = Number.parseInt(await agent.ask());
        const state = await haproxy.state();
        return state.weight === percentage && state;
      });
      assert(state.weight >= 1 && state.weight <= 100);
      assertEquals([state.status, state.agentStatus, state.remark], ["UP", "CHECKED", ""]);
    }
  },
});

Deno.test({
  ignore: requirePeer("haproxy").ignore || needs("root", "unshare").ignore,
  name: "HAProxy drains a server while nologin keeps people out, and takes it back",
  fn: async () => {
    // A /run of its own, in which nologin can be put without keeping anybody out here.
    const own = 'mount -t tmpfs none /run && exec "$0" "$@"';
    await using agent = await AgentProcess.start(["unshare", "--mount", "sh", "-c", own]);
    await using service = new TcpPeer(greetThenEcho("x"));
    await using haproxy = await Haproxy.start({
      agentPort: agent.port,
      servicePort: service.port,
    });
    const until = (status: string) =>
      waitFor(`HAProxy's ${status}`, async () => {
        const state = await haproxy.state();
        return state.status === status && state;
      });
    await until("UP");
    const nologin = `/proc/${agent.child.pid}/root/run/nologin`;
    await Deno.writeTextFile(nologin, "kernel update\n");
    assertEquals((await until("DRAIN (agent)")).remark, "");
    await Deno.remove(nologin);
    await until("UP");
  },
});

/** Agents' lines, one after the other: what an earlier one has set may still hold. */
const LINES: readonly string[] = [
  "75%\n",
  "up ready 50%\n",
  "down #disk full\n",
  "fail\n",
  "ready\n",
  "stopped # planned\n",
  "up #fine\n",
  "drain\n",
  "up\n",
  "ready\n",
  "MAINT\n",
  "Ready\n",
  "maxconn:30\n",
  "maxconn:0\n",
  "MAXCONN:7\n",
  "maxconn:8x\n",
  "maxconn:\n",
  "200%\n",
  "99999%\n",
  "-5%\n",
  "75.5%\n",
  "7%x\n",
  "+5%\n",
  "0%\n",
  "010%\n",
  "SSH-2.0-OpenSSH_9.2p1\r\n",
  "60% ready #load1=1.5 cores=8\n",
  "50% load1=1.5\n",
  "40%",
  "20% up down\n",
  "down up\n",
  "30%\r\n99% down\n",
  "\n",
  "",
  "\t15%,maxconn:3,,drain \n",
  "#ready\n",
  "ready\n",
  "drain down #x\n",
  "ready\n",
  "down,#with, comma\n",
  "44% 50 up\n",
];

Deno.test({
  ...requirePeer("haproxy"),
  name: "the words of agents mean here what they mean to HAProxy",
  fn: async () => {
    let line = "100%\n";
    const say = async (conn: Deno.Conn) => {
      await conn.write(new TextEncoder().encode(line));
    };
    await using ofHaproxy = new TcpPeer(say);
    await using ofOurs = new TcpPeer(say);
    await using service = new TcpPeer(greetThenEcho("x"));
    await using haproxy = await Haproxy.start({
      agentPort: ofHaproxy.port,
      servicePort: service.port,
    });
    const config = JSON.stringify({
      frontends: { f: { listen: "127.0.0.1:0" } },
      pools: {
        p: {
          strategy: "round_robin",
          backends: [{
            address: service.address,
            weight: 100,
            max_connections: 20,
            load_address: ofOurs.address,
          }],
          load: { source: "agent", interval: "100ms", timeout: "100ms" },
        },
      },
    });
    await using balancer = await Balancer.start({ config });
    for (const next of LINES) {
      line = next;
      const before = [ofHaproxy.accepted, ofOurs.accepted] as const;
      // The first one after the change has been taken in when a second comes.
      await waitFor(
        "both to have asked",
        () => ofHaproxy.accepted >= before[0] + 2 && ofOurs.accepted >= before[1] + 2,
      );
      const { status, weight, maxConnections } = await haproxy.state();
      const ours = (await balancer.status()).pools[0]?.backends[0];
      assertEquals(
        [next, ours?.usable, ours?.weight, ours?.maxConnections],
        // "UP 2/4" behind a maintenance, until the next health check: in use all the same.
        [next, /^UP\b/.test(status) && weight > 0, weight, maxConnections],
      );
    }
  },
});
