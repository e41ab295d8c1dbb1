import { assertEquals } from "@std/assert";
import { acceptEach } from "../../../../lib/core/serving/accept_loop.ts";
import { isNews } from "../../../../lib/core/timing/throttled_condition.ts";
import { ManualClock, settled } from "../../../support/manual_clock.ts";

Deno.test("isNews() says a trouble again once it was away for ten seconds", () => {
  const words = new Int32Array(2);
  const at = (seconds: number) => isNews(words, 1, seconds * 1000);
  assertEquals([0, 1, 10, 19, 28].map(at), [true, false, false, false, false]);
  assertEquals([38, 47, 57].map(at), [true, false, true]);
  assertEquals(words[0], 0);
});

Deno.test("isNews() goes on where seconds no longer fit a word", () => {
  const words = new Int32Array(1);
  const end = 2 ** 31;
  assertEquals([-12, -3, 4, 13, 30].map((second) => isNews(words, 0, (end + second) * 1000)), [
    true,
    false,
    false,
    false,
    true,
  ]);
});

Deno.test("acceptEach() says once that it fails, whatever works in between, for all that share", async () => {
  const clock = new ManualClock();
  const trouble = new Int32Array(1);
  const told: string[] = [];
  let served = 0;
  const loops = ["a", "b"].map((name) => {
    let calls = 0;
    const accept = () => {
      calls++;
      if (calls > 40) return Promise.reject(new Deno.errors.BadResource("closed"));
      if (calls % 2 === 0) return Promise.resolve(calls);
      return Promise.reject(Object.assign(new Error("Too many open files"), { code: "EMFILE" }));
    };
    const onFailure = () => told.push(name);
    return acceptEach({ accept }, clock, () => void served++, onFailure, trouble);
  });
  for (let i = 0; i < 40; i++) await clock.advance(100);
  await settled();
  await Promise.all(loops);
  assertEquals([served, told], [40, ["a"]]);
});
