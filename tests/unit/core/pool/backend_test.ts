import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatAddress } from "../../../../lib/core/values/address.ts";
import {
  MAX_CORES,
  parseBackendSpec,
  parseCores,
  parseWeight,
} from "../../../../lib/core/pool/backend.ts";
import { address, cores } from "../../../support/arbitraries.ts";

Deno.test("parseBackendSpec() reads back what its parts were written as", () => {
  fc.assert(fc.property(address(1), fc.option(cores, { nil: undefined }), (where, count) => {
    const written = formatAddress(where);
    fc.pre(!written.includes("="));
    const result = parseBackendSpec(count === undefined ? written : `${written}=${count}`);
    assertEquals(result, {
      ok: true,
      value: {
        id: written,
        address: where,
        maxConnections: 0,
        ...(count === undefined ? {} : { cores: count }),
      },
    });
  }));
});

Deno.test("parseBackendSpec() returns a backend or a reason for any text", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom(..."ab:=.0123456789[]") }),
  );
  fc.assert(
    fc.property(text, (written) => {
      const result = parseBackendSpec(written, 22);
      if (result.ok) assertEquals(result.value.id, formatAddress(result.value.address));
      else assert(result.message.startsWith("Cannot"));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("parseBackendSpec() rejects bad cores and bad addresses", () => {
  for (
    const text of ["a=", "a=0", "a=-1", "a=x", "a=8193", "a=1.2345", "=4", "a:x=4", "a=1=2", ""]
  ) {
    assertEquals([text, parseBackendSpec(text, 22).ok], [text, false]);
  }
});

Deno.test("parseCores() takes fractions and ends at the most there can be", () => {
  assertEquals(parseCores("0.5"), { ok: true, value: 0.5 });
  assertEquals(parseCores(String(MAX_CORES)), { ok: true, value: MAX_CORES });
  assertEquals(parseCores(`${MAX_CORES}.001`).ok, false);
});

Deno.test("parseWeight() takes 0 to the highest that HAProxy allows", () => {
  assertEquals(["0", "0.125", "1", "256"].map(parseWeight).map((result) => result.ok), [
    true,
    true,
    true,
    true,
  ]);
  for (const text of ["", "-1", "256.001", "257", "1.2345", "1e2", "x"]) {
    assertEquals([text, parseWeight(text).ok], [text, false]);
  }
});
