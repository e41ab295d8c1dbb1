import { assertEquals } from "@std/assert";
import { toDecimals, toThousandths } from "../../../../lib/core/values/thousandths.ts";

Deno.test("toDecimals() knows no negative nothing", () => {
  assertEquals(toDecimals(-0.004, 2), "0.00");
  assertEquals(toDecimals(-0.006, 2), "-0.01");
  assertEquals(toDecimals(-0.04, 1), "0.0");
  assertEquals(toDecimals(-12.34, 1), "-12.3");
  assertEquals(toDecimals(10, 2), "10.00");
});

Deno.test("toThousandths() rounds to three decimals", () => {
  assertEquals([toThousandths(1.00049), toThousandths(-2.7185)], [1, -2.718]);
});
