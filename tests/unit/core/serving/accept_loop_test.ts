import { assertEquals } from "@std/assert";
import { acceptEach } from "../../../../lib/core/serving/accept_loop.ts";

/** Gives these one after the other, then is closed. */
function listenerOf(...given: readonly (string | Error)[]) {
  const left = [...given, new DOMException("The listener is closed", "BadResource")];
  return {
    accept: () => {
      const next = left.shift();
      return typeof next === "string" ? Promise.resolve(next) : Promise.reject(next);
    },
  };
}

async function run(...given: readonly (string | Error)[]) {
  const course: string[] = [];
  const clock = {
    now: () => 1000,
    wall: () => 1000,
    sleep: (ms: number) => {
      course.push(`rests ${ms}`);
      return Promise.resolve();
    },
  };
  await acceptEach(
    listenerOf(...given),
    clock,
    (conn) => void course.push(conn),
    (failure) => course.push(failure),
  );
  return course;
}

Deno.test("acceptEach() rests when accepting fails, and says so once", async () => {
  const full = Object.assign(new Error("Too many open files"), { code: "EMFILE" });
  const course = ["a", "out_of_descriptors", "rests 100", "rests 100", "b"];
  assertEquals(await run("a", full, full, "b"), course);
});

Deno.test("acceptEach() goes on at once when it is one client's doing", async () => {
  const reset = Object.assign(new Error("Connection reset by peer"), { code: "ECONNRESET" });
  const badName = new Deno.errors.InvalidData("File name or path is not valid UTF-8");
  assertEquals(await run(reset, "a", badName, badName, "b"), ["a", "b"]);
});
