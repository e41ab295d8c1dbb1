// 2,000 sessions at once through the real program, twice: every byte echoed right, descriptors back
// afterwards. What they leave in memory, `deno task bench:soak` shows: when the kernel gets pages back that
// V8 has collected is a matter of time and of the machine, not something to assert.

import { assert, assertEquals } from "@std/assert";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { Sessions } from "../support/sessions.ts";
import { waitFor } from "../support/wait_for.ts";

const SESSIONS = 2000;
const ROUNDS = 2;

async function descriptors(pid: number): Promise<number> {
  return (await Array.fromAsync(Deno.readDir(`/proc/${pid}/fd`))).length;
}

for (const engine of ["splice", "portable"]) {
  Deno.test(`${engine}: ${SESSIONS} sessions at once, ${ROUNDS} times: bytes right, nothing left behind`, async () => {
    await using peer = new TcpPeer(echo);
    await using balancer = await Balancer.start({
      flags: ["--listen", "127.0.0.1:0", "--backends", peer.address, "--load", "none"]
        .concat("--engine", engine),
    });
    const port = await balancer.port("main");
    using warm = await Sessions.open(port, 1);
    warm.close();
    await balancer.until("the warm-up's end", ({ counters }) => counters.active === 0);
    const before = await descriptors(balancer.pid);
    for (let round = 0; round < ROUNDS; round++) {
      using sessions = await Sessions.open(port, SESSIONS);
      await sessions.exchange(`round ${round} `.repeat(20));
      assertEquals((await balancer.status()).counters.active, SESSIONS);
      sessions.close();
      await balancer.until("the sessions' end", ({ counters }) => counters.active === 0);
      await waitFor("the peer's side", () => peer.open.size === 0);
      await waitFor(
        "the descriptors to return",
        async () => await descriptors(balancer.pid) <= before,
      );
    }
    const closed = await waitFor("all records", () => {
      const records = balancer.records("closed");
      return records.length === SESSIONS * ROUNDS + 1 ? records : undefined;
    });
    assert(closed.every(({ reason }) => reason === "client_closed"));
  });
}
