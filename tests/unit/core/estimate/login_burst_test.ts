import { assert, assertEquals } from "@std/assert";
import { LoginBurst } from "../../../../lib/core/estimate/login_burst.ts";

Deno.test("the line above which logins are no chance follows the usual number, not a burst", () => {
  const burst = new LoginBurst();
  burst.observe(0, 0);
  assertEquals(burst.line, 2);
  let second = 0;
  const pass = (newLogins: number, seconds: number) => {
    for (const end = second + seconds; second < end;) burst.observe(newLogins, 1000 * ++second);
  };
  // As many as ever since the start are usual within the hour, not only the next day.
  pass(10, 3600);
  assert(burst.line > 10, `${burst.line}`);
  pass(10, 20_000);
  const usual = burst.line;
  assert(usual > 15 && usual < 18.4, `${usual}`);
  pass(40, 60);
  assert(burst.line < usual + 0.2, `${burst.line}`);
  pass(0, 36_000);
  assert(burst.line < 3, `${burst.line}`);
});
