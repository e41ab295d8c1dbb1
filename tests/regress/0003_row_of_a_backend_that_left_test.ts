// A client that was long on its way could be sent to a backend that two reloads had removed, and was counted
// on the one that had got its row.

import { assert, assertEquals } from "@std/assert";
import { BlackHole } from "../peers/black_hole.ts";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { waitFor, within } from "../support/wait_for.ts";

async function readSome(conn: Deno.Conn): Promise<Uint8Array> {
  const buffer = new Uint8Array(1);
  return buffer.subarray(0, await within("a byte or the end", conn.read(buffer)) ?? 0);
}

function configOf(backends: readonly string[]): string {
  return JSON.stringify({
    frontends: { f: { listen: "127.0.0.1:0" } },
    pools: {
      p: {
        strategy: "round_robin",
        backends,
        connect: { timeout: "4s" },
        load: { source: "none" },
        health: { probe: "none" },
      },
    },
  });
}

for (const engine of ["portable", "splice"]) {
  Deno.test(`${engine}: a session is counted on the backend that has it`, async () => {
    await using hole = await BlackHole.open();
    await using a = new TcpPeer(greetThenEcho("a"));
    await using b = new TcpPeer(greetThenEcho("b"));
    await using c = new TcpPeer(greetThenEcho("c"));
    await using balancer = await Balancer.start({
      config: configOf([hole.address, a.address]),
      flags: ["--engine", engine],
    });
    using client = await Deno.connect({ hostname: "127.0.0.1", port: await balancer.port("f") });
    await waitFor(
      "the client to be on its way",
      async () => (await balancer.status()).pools[0]?.backends[0]?.active === 1,
    );
    await balancer.reload(configOf([hole.address, b.address]));
    await new Promise((resolve) => setTimeout(resolve, 2300));
    await balancer.reload(configOf([hole.address, c.address]));
    // The splice engine's search goes on by the plan that it began with; it may end in a refusal.
    const letter = new TextDecoder().decode(await readSome(client));
    const landed = [{ letter: "a", peer: a }, { letter: "b", peer: b }, { letter: "c", peer: c }]
      .filter((candidate) => candidate.letter === letter).map(({ peer }) => peer.address);
    const holder = (await balancer.status()).pools[0]?.backends
      .filter(({ active, id }) => active > 0 && id !== hole.address).map(({ id }) => id);
    assertEquals(holder, landed);
    assert(!landed.includes(a.address), "it was sent to a backend that had left");
    assert(balancer.records("opened").every(({ backend }) => backend === landed[0]));
  });
}
