// 2,000 sessions at once through the real program: every byte echoed right, descriptors and memory back
// afterwards. Memory is compared between rounds: what the first round leaves is the program warmed up,
// what later rounds add would be a leak.

import { assert, assertEquals } from "@std/assert";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer } from "../support/balancer.ts";
import { Sessions } from "../support/sessions.ts";
import { waitFor } from "../support/wait_for.ts";

const SESSIONS = 2000;
const ROUNDS = 6;
/**
 * The heap breathes by that much. 2,000 sessions with two buffers each would be 8 MiB a round if they
 * stayed, 32 MiB in the rounds that are compared.
 */
const TOLERANCE_KIB = 16 * 1024;
/** V8 likes to let garbage lie while there is memory; told to be thrifty, what stays is what is held. */
const THRIFTY = { DENO_V8_FLAGS: "--max-semi-space-size=1,--optimize-for-size" };

async function residentKib(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
}

async function descriptors(pid: number): Promise<number> {
  return (await Array.fromAsync(Deno.readDir(`/proc/${pid}/fd`))).length;
}

for (const engine of ["splice", "portable"]) {
  Deno.test(`${engine}: ${SESSIONS} sessions at once, ${ROUNDS} times: bytes right, nothing left behind`, async () => {
    await using peer = new TcpPeer(echo);
    await using balancer = await Balancer.start({
      env: THRIFTY,
      flags: ["--listen", "127.0.0.1:0", "--backends", peer.address, "--load", "none"]
        .concat("--engine", engine),
    });
    const port = await balancer.port("main");
    using warm = await Sessions.open(port, 1);
    warm.close();
    await balancer.until("the warm-up's end", ({ counters }) => counters.active === 0);
    const before = await descriptors(balancer.pid);
    const resident: number[] = [];
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
      resident.push(await residentKib(balancer.pid));
    }
    const closed = await waitFor("all records", () => {
      const records = balancer.records("closed");
      return records.length === SESSIONS * ROUNDS + 1 ? records : undefined;
    });
    assert(closed.every(({ reason }) => reason === "client_closed"));
    const [, first = 0] = resident;
    const last = resident.at(-1) ?? Infinity;
    assert(last - first <= TOLERANCE_KIB, `resident KiB after each round: ${resident.join(", ")}`);
  });
}
