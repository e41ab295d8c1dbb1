import { assertEquals } from "@std/assert";
import type { DiscoveredList } from "../../../lib/discovery/discovery_source.ts";
import { follow } from "../../../lib/discovery/followed.ts";
import { ManualClock, settled } from "../../support/manual_clock.ts";

const LIST: DiscoveredList = { backends: [], skipped: [] };

/** Follows a source of which each watch does the next of these things; then it says nothing more. */
async function followed(
  watches: readonly ("fails" | "says and fails" | "ends")[],
  during: (clock: ManualClock, told: string[]) => Promise<void>,
): Promise<void> {
  const clock = new ManualClock();
  const told: string[] = [];
  const stop = new AbortController();
  let count = 0;
  const done = follow(
    {
      async *watch(signal) {
        const what = watches[count++];
        told.push(`watch at ${clock.now() - 1_000_000}`);
        if (what === "says and fails") yield LIST;
        if (what === "ends") return;
        if (what !== undefined) throw new Error("no route\nto host");
        await new Promise<void>((resolve) =>
          signal.addEventListener("abort", () => resolve(), { once: true })
        );
      },
    },
    stop.signal,
    {
      clock,
      random: () => 0.5,
      took: () => told.push("list"),
      failed: (reason) => told.push(reason),
    },
  );
  try {
    await settled();
    await during(clock, told);
  } finally {
    stop.abort();
    await done;
  }
}

Deno.test("a source that fails is watched again, each time after a longer pause", async () => {
  await followed(["fails", "fails", "fails"], async (clock, told) => {
    await clock.advance(60_000);
    const fails = "no route to host";
    assertEquals(told, [
      ...["watch at 0", fails, "watch at 500", fails],
      ...["watch at 1500", fails, "watch at 3500"],
    ]);
  });
});

Deno.test("the pause is no longer than half a minute on average", async () => {
  await followed(Array.from({ length: 12 }, () => "fails" as const), async (clock, told) => {
    await clock.advance(1_000_000);
    const times = told.filter((text) => text.startsWith("watch"))
      .map((text) => Number(text.slice("watch at ".length)));
    const pauses = times.slice(1).map((at, index) => at - (times[index] ?? 0));
    assertEquals(pauses.slice(0, 7), [500, 1000, 2000, 4000, 8000, 16_000, 30_000]);
    assertEquals(Math.max(...pauses), 30_000);
  });
});

Deno.test("a list makes the pause short again; an end is a failure", async () => {
  await followed(["fails", "fails", "says and fails", "ends"], async (clock, told) => {
    await clock.advance(10_000);
    assertEquals(told.slice(4), [
      ...["watch at 1500", "list", "no route to host"],
      ...["watch at 2000", "it has ended what it had to say", "watch at 3000"],
    ]);
  });
});

Deno.test("nothing is told once the signal is aborted", async () => {
  await followed([], async (clock, told) => {
    await clock.advance(1000);
    assertEquals(told, ["watch at 0"]);
  });
});
