// Engine cases about which pool a client goes to by where it comes from.

import { assert, assertEquals } from "@std/assert";
import { type Location, LocationTable } from "../../lib/core/location/location_table.ts";
import { parseNetwork } from "../../lib/core/values/network.ts";
import type { Frontend } from "../../lib/engine/engine.ts";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { receive, send } from "../support/bytes.ts";
import { heardFrom } from "../support/loopback_client.ts";
import { waitFor } from "../support/wait_for.ts";
import type { EngineCase } from "./engine_cases.ts";
import { connectTo, frontendOf, planOf, portOf } from "./engine_fixture.ts";
import { deadAddress, deadPort } from "./placing_cases.ts";

/** A location for a frontend of pool `p`: the first rule that holds counts. */
function locationOf(...rules: readonly (readonly [network: string, pool: string])[]): Location {
  const pools = ["p", ...new Set(rules.map(([, pool]) => pool))];
  const table = LocationTable.compile(rules.map(([text, pool]) => {
    const network = parseNetwork(text);
    assert(network.ok);
    return { networks: [network.value], countries: [], pool: pools.indexOf(pool) };
  }));
  return { table, pools };
}

export const LOCATION_CASES: readonly EngineCase[] = [
  {
    name: "location sends clients to the pool of the first rule that holds, others to the own one",
    run: async (fixture) => {
      const folder = await Deno.makeTempDir();
      try {
        await using own = new TcpPeer(greetThenEcho("o"));
        await using lab = new TcpPeer(greetThenEcho("l"));
        await using site = new TcpPeer(greetThenEcho("s"));
        fixture.engine.publish("p", planOf([own.address]));
        fixture.engine.publish("lab", planOf([lab.address]));
        fixture.engine.publish("site", planOf([site.address]));
        const any = { transport: "tcp", host: "", port: 0 } as const;
        const path = `${folder}/f.sock`;
        const bound = await fixture.engine.start([frontendOf({
          listen: [any, { transport: "unix", path }],
          location: locationOf(
            ["127.0.0.2/32", "lab"],
            ["127.0.0.3", "p"],
            ["127.0.0.0/29", "site"],
            ["127.0.0.4", "lab"],
            ["::1", "lab"],
            ["::/0", "site"],
          ),
        })]);
        const port = portOf(bound.get("f"));
        let heard = "";
        for (let last = 1; last <= 8; last++) heard += await heardFrom(`127.0.0.${last}`, port);
        assertEquals(heard, "slosssso");
        using six = await Deno.connect({ hostname: "::1", port });
        assertEquals(await receive(six, 1), "l");
        using unix = await Deno.connect({ transport: "unix", path });
        assertEquals(await receive(unix, 1), "o");
        const letters = new Map([["p", "o"], ["lab", "l"], ["site", "s"]]);
        await fixture.nth("opened", 10);
        const opened = fixture.of("opened").map(({ pool }) => letters.get(pool)).join("");
        assertEquals(opened, "slosssso" + "lo");
        await fixture.nth("closed", 8);
        for (const closed of fixture.of("closed")) {
          const { pool, backend } = fixture.of("opened").find((one) =>
            one.tunnel === closed.tunnel
          ) ?? {};
          assertEquals([closed.pool, closed.backend], [pool, backend]);
        }
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  },
  {
    name: "events name the pool that a client's location led to, when it is refused, too",
    run: async (fixture) => {
      await using own = new TcpPeer(greetThenEcho("o"));
      const dead = deadAddress();
      fixture.engine.publish("lab", planOf([dead]));
      const port = await fixture.listen(planOf([own.address]), {
        maxConnections: 1,
        whenFull: "close",
        location: locationOf(["127.0.0.2", "lab"], ["127.0.0.3", "gone"]),
      });
      assertEquals(await heardFrom("127.0.0.2", port), "");
      const failed = await fixture.nth("connect_failed");
      assertEquals([failed.pool, failed.backend], ["lab", dead]);
      // A pool that there is no plan for is no reason to take another.
      assertEquals(await heardFrom("127.0.0.3", port), "");
      using one = await connectTo(port);
      assertEquals(await receive(one, 1), "o");
      assertEquals(await heardFrom("127.0.0.2", port), "");
      await fixture.nth("refused", 3);
      assertEquals(fixture.of("refused").map(({ pool, reason }) => [pool, reason]), [
        ["lab", "connect_failed"],
        ["gone", "no_backend"],
        ["lab", "frontend_full"],
      ]);
    },
  },
  {
    name: "another location holds for new clients at once and leaves sessions alone",
    run: async (fixture) => {
      await using own = new TcpPeer(greetThenEcho("o"));
      await using lab = new TcpPeer(greetThenEcho("l"));
      fixture.engine.publish("lab", planOf([lab.address]));
      const listen = [{ transport: "tcp", host: "127.0.0.1", port: deadPort() }] as const;
      const location = locationOf(["127.0.0.0/8", "lab"]);
      const port = await fixture.listen(planOf([own.address]), { listen, location });
      using before = await connectTo(port);
      assertEquals(await receive(before, 1), "l");
      const reloads: readonly [frontend: Frontend, heard: string][] = [
        [frontendOf({ listen, location: locationOf(["127.0.0.2", "lab"]) }), "ol"],
        [frontendOf({ listen }), "oo"],
        [frontendOf({ listen, location }), "ll"],
      ];
      for (const [frontend, expected] of reloads) {
        await fixture.engine.start([frontend]);
        const heard = await heardFrom("127.0.0.1", port) + await heardFrom("127.0.0.2", port);
        assertEquals(heard, expected);
      }
      await send(before, "x");
      assertEquals(await receive(before, 1), "x");
      before.close();
      await waitFor("the last tunnel's end", () => fixture.engine.counters().active === 0);
      await fixture.nth("closed", 7);
      assertEquals(fixture.of("closed").find(({ tunnel }) => tunnel === 1)?.pool, "lab");
    },
  },
];
