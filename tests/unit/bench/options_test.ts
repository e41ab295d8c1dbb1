// The benches' flags.

import { assertEquals } from "@std/assert";
import { GROUPS, RIVALS } from "../../bench/data_plane/figures.ts";
import { parseOptions } from "../../bench/data_plane/options.ts";

Deno.test("without flags everything is measured in full", () => {
  assertEquals(parseOptions([]), {
    kind: "run",
    options: { quick: false, groups: GROUPS, rivals: RIVALS, format: "text" },
  });
});

Deno.test("flags choose figures, rivals, sizes and format", () => {
  const argv = ["--quick", "--only", "rtt,bulk", "--rivals=go,haproxy", "--json"];
  assertEquals(parseOptions(argv), {
    kind: "run",
    options: {
      quick: true,
      groups: ["bulk", "rtt"],
      rivals: ["haproxy", "go"],
      format: "json",
    },
  });
});

Deno.test("what is not understood is told with what would be", () => {
  for (
    const argv of [
      ["--only", "speed"],
      ["--rivals", "haproxy,envoy"],
      ["--only", ""],
      ["--fast"],
      ["now"],
      ["--json", "--markdown"],
    ]
  ) {
    assertEquals(parseOptions(argv).kind, "wrong", argv.join(" "));
  }
  assertEquals(parseOptions(["--fast", "--help"]).kind, "help");
});
