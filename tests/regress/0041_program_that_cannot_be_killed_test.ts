// A program of load source exec that had become another user (sudo) and hung could not be killed by a
// balancer that is not root: its backend was never asked again, nobody was told, and a reload or an end
// waited for it for good.

import { assertEquals, assertMatch } from "@std/assert";
import { Balancer } from "../support/balancer.ts";
import { needs } from "../support/needs.ts";
import { childrenOf } from "../support/processes.ts";

const BECOME_NOBODY = ["setpriv", "--reuid=65534", "--clear-groups"];

function configOf(interval: string): string {
  return JSON.stringify({
    frontends: { f: { listen: "127.0.0.1:0" } },
    pools: {
      p: {
        backends: ["127.0.0.1:9"],
        health: { probe: "none" },
        load: {
          source: "exec",
          interval,
          timeout: "100ms",
          exec: { command: [...BECOME_NOBODY, "sh", "-c", "exec sleep 600", "{host}"] },
        },
      },
    },
  });
}

async function sleepersOf(pid: number): Promise<number[]> {
  const found: number[] = [];
  for (const child of await childrenOf(pid)) {
    const name = await Deno.readTextFile(`/proc/${child}/comm`).catch(() => "");
    if (name.trim() === "sleep") found.push(child);
  }
  return found;
}

Deno.test({
  name: "a program that cannot be killed stops neither reports nor reloads nor the end",
  ...needs("root", "setpriv"),
  fn: async () => {
    await using balancer = await Balancer.start({
      config: configOf("200ms"),
      // Without CAP_KILL, root may not kill what is another user's.
      prefix: ["setpriv", "--bounding-set=-kill", "--inh-caps=-kill"],
    });
    let stuck: number[] = [];
    try {
      const told = await balancer.logged("does not report its load");
      stuck = await sleepersOf(balancer.pid);
      assertEquals(stuck.length, 1);
      assertMatch(String(told.message), new RegExp(`cannot be killed \\(pid ${stuck[0]};`));
      await balancer.until(
        "the reason in status",
        ({ pools }) => pools[0]?.backends[0]?.loadFailure?.includes("cannot be killed") === true,
      );
      assertEquals((await balancer.reload(configOf("150ms"))).event, "reloaded");
      assertEquals(await sleepersOf(balancer.pid), stuck);
      balancer.signal("SIGTERM");
      assertEquals(await balancer.end(), 0);
    } finally {
      for (const pid of new Set([...stuck, ...await sleepersOf(balancer.pid)])) {
        Deno.kill(pid, "SIGKILL");
      }
    }
  },
});
