// How long a pool takes to follow a list that names 512 other backends, and what it costs in memory:
//   deno run -A tests/bench/discovery_bench.ts [CHANGES]
// The time is from the rename of the file to the first status that has exactly the new backends, so it holds the
// quarter to half second in which the source "file" sees a change.

import type { StatusReport } from "../../lib/admin/report.ts";
import { Balancer } from "../support/balancer.ts";
import { waitFor } from "../support/wait_for.ts";

const BACKENDS = 512;
const changes = Number(Deno.args[0] ?? "10");

function listOf(round: number): string[] {
  return Array.from({ length: BACKENDS }, (_, at) => `127.${round}.${at >> 8}.${at & 255}:9`);
}

function idsIn({ pools }: StatusReport): string {
  return (pools[0]?.backends ?? []).map(({ id }) => id).join();
}

async function residentMiB(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? NaN) / 1024;
}

await using balancer = await Balancer.start({
  config: JSON.stringify({
    frontends: { ssh: { listen: "127.0.0.1:0" } },
    pools: {
      compute: {
        discovery: "file:/nonexistent",
        load: { source: "none" },
        health: { probe: "none" },
        connect: { timeout: "100ms", retries: 0 },
      },
    },
  }),
});
const list = `${balancer.folder}/list`;
await Deno.writeTextFile(list, listOf(0).join("\n"));
const emptyMiB = await residentMiB(balancer.pid);
const config = await Deno.readTextFile(balancer.configFile);
await balancer.reload(config.replace("/nonexistent", list));
const firstMiB = await residentMiB(balancer.pid);
const times: number[] = [];
for (let round = 1; round <= changes; round++) {
  // The rows of those that left rest for so long.
  await new Promise((resolve) => setTimeout(resolve, 400));
  await Deno.writeTextFile(`${list}.new`, listOf(round).join("\n"));
  const wanted = listOf(round).join();
  const beganMs = performance.now();
  await Deno.rename(`${list}.new`, list);
  await waitFor("the list", async () => {
    await new Promise((r) => setTimeout(r, 900));
    return idsIn(await balancer.status()) === wanted || undefined;
  });
  times.push(performance.now() - beganMs);
  if (round % 20 === 0) console.log(round, (await residentMiB(balancer.pid)).toFixed(0));
}
times.sort((a, b) => a - b);
const at = (share: number) => (times[Math.floor(share * (times.length - 1))] ?? NaN).toFixed(0);
console.log(`${changes} changes of ${BACKENDS} backends: median ${at(0.5)} ms, most ${at(1)} ms`);
console.log(
  `resident: ${emptyMiB.toFixed(0)} MiB without backends, ${firstMiB.toFixed(0)} MiB with ` +
    `${BACKENDS}, ${(await residentMiB(balancer.pid)).toFixed(0)} MiB after ${changes} changes`,
);
