import { assert, assertEquals } from "@std/assert";
import { Validator } from "@seriousme/openapi-schema-validator";
import { answerAdmin, isOpen, ROUTES } from "../../../lib/admin/routes.ts";
import { openApi } from "../../../lib/admin/openapi.ts";
import { NO_REPORTS } from "../../support/no_reports.ts";
import { operationsOf } from "../../support/openapi.ts";

const DOCUMENT = openApi(ROUTES, "1.0");

Deno.test("openApi() is valid OpenAPI 3.1", async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(DOCUMENT));
  assert(valid, JSON.stringify(errors));
  assertEquals(validator.version, "3.1");
  const broken = await new Validator().validate({ ...DOCUMENT, paths: { x: 1 } });
  assertEquals(broken.valid, false);
});

Deno.test("openApi() has every request of the table, and every request that it has is answered", async () => {
  const named = operationsOf(DOCUMENT).map(({ method, path }) => `${method} ${path}`);
  const there = ROUTES.map(({ method, path }) => `${method} ${path.replace(/[:*](\w+)/g, "{$1}")}`);
  assertEquals(named.toSorted(), there.toSorted());
  assertEquals(new Set(operationsOf(DOCUMENT).map(({ id }) => id)).size, named.length);
  for (const { method, path } of operationsOf(DOCUMENT)) {
    // The balancer is asked, which is none: what comes of it does not matter here.
    const values: Readonly<Record<string, string>> = { session: "1", network: "192.0.2.0%2F24" };
    const target = path.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "x");
    const request = { by: "http", method, target, fields: new Map(), body: "" } as const;
    const asked = await answerAdmin(NO_REPORTS, request)
      .then(({ status }) => status, (error: Error) => error.message);
    assert(asked === "nobody asks", `${method} ${path}: ${asked}`);
  }
});

Deno.test("openApi() asks for the token where the gate does, and nothing shows clients without it", () => {
  const open: string[] = [];
  for (const { method, path, needsToken } of operationsOf(DOCUMENT)) {
    assertEquals([method, path, isOpen(method, path)], [method, path, !needsToken]);
    if (!needsToken) open.push(`${method} ${path}`);
  }
  // A request that shows who is where must not be added here.
  assertEquals(open.toSorted(), [
    "GET /healthz",
    "GET /metrics",
    "GET /v1/frontends",
    "GET /v1/frontends/{frontend}",
    "GET /v1/openapi.json",
    "GET /v1/pools",
    "GET /v1/pools/{pool}",
    "GET /v1/pools/{pool}/backends",
    "GET /v1/pools/{pool}/backends/{backend}",
    "GET /v1/status",
  ]);
});
