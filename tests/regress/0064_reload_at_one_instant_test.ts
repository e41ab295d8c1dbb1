// A reload gave two frontends each other's backends, pool by pool. Until it was through, for as long as a name
// server took to answer, clients of the one reached backends that only the other's may reach; with splice,
// others were refused because the table showed rows that their worker had no plan for.

import { assertEquals } from "@std/assert";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { receive } from "../support/bytes.ts";
import { freePort } from "../support/processes.ts";

const RELOADS = 20;
const CLIENTS = 4;

for (const engine of ["portable", "splice"]) {
  Deno.test(`${engine}: no client meets half of a reload`, async () => {
    await using odd = new TcpPeer(greetThenEcho("o"));
    await using even = new TcpPeer(greetThenEcho("e"));
    const [a, b] = [freePort(), freePort()];
    const configOf = (n: number) => {
      const [ofA, ofB] = n % 2 === 0 ? ["p", "q"] : ["q", "p"];
      // The name has to be looked up at every reload, in vain.
      const poolOf = (peer: TcpPeer) => ({
        backends: [peer.address, "no-such-host.invalid:22"],
        load: { source: "none" },
        health: { probe: "none" },
      });
      return JSON.stringify({
        frontends: {
          a: { listen: `127.0.0.1:${a}`, pool: ofA },
          b: { listen: `127.0.0.1:${b}`, pool: ofB },
        },
        pools: { [ofA ?? ""]: poolOf(odd), [ofB ?? ""]: poolOf(even) },
      });
    };
    await using balancer = await Balancer.start({
      config: configOf(0),
      flags: ["--engine", engine],
    });
    let done = false;
    const heard = new Map<string, number>();
    const visit = async (name: string, port: number) => {
      while (!done) {
        using client = await Deno.connect({ hostname: "127.0.0.1", port });
        const greeting = `${name} ${await receive(client, 1).catch(String)}`;
        heard.set(greeting, (heard.get(greeting) ?? 0) + 1);
      }
    };
    const visits = Array.from({ length: CLIENTS }, () => [visit("a", a), visit("b", b)]).flat();
    for (let n = 1; n <= RELOADS; n++) {
      assertEquals((await balancer.reload(configOf(n))).event, "reloaded");
    }
    done = true;
    await Promise.all(visits);
    assertEquals([...heard.keys()].sort(), ["a o", "b e"], JSON.stringify([...heard]));
  });
}
